"""The verbs that change a container: spawn, start, stop, restart, rebuild, destroy, purge, rollback, cancel."""

from __future__ import annotations

from collections.abc import Sequence

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import WrongUsage
from hivetui.engine.model.operations import Operation, OperationKind

from . import following, render
from .session import Session, required
from .shapes import as_json


async def spawn(session: Session) -> int:
    """Make an agent."""
    return await following.one(session, session.hive.begin(OperationKind.SPAWN, session.request.name))


async def change(session: Session) -> int:
    """Start, stop or restart the agents that are named."""
    return await _each(session, OperationKind(session.request.command), session.request.names)


async def rebuild(session: Session) -> int:
    """Rebuild the agents that are named, or all that have a container."""
    request = session.request
    if bool(request.names) == request.all:
        raise WrongUsage("rebuild takes names or --all", "One of them, not both.", "hivetui rebuild NAME, or --all")
    if not request.all:
        return await _each(session, OperationKind.REBUILD, request.names)
    agents = await session.hive.agents()
    ours = [agent.name for agent in agents if agent.state is not AgentState.KEPT and agent.deployed is not None]
    return await following.many(session, ours, _waiting(session), request.jobs)


def _waiting(session: Session) -> following.Begin:
    async def begin(name: str) -> Operation:
        return await session.hive.begin(OperationKind.REBUILD, name, wait=True)

    return begin


async def _each(session: Session, kind: OperationKind, agents: Sequence[str]) -> int:
    async def begin(name: str) -> Operation:
        return await session.hive.begin(kind, name)

    agents = list(dict.fromkeys(agents))
    if len(agents) == 1:
        return await following.one(session, begin(agents[0]))
    return await following.many(session, agents, begin, session.request.jobs)


async def destroy(session: Session) -> int:
    """Remove the container; with --purge, which wants the name typed, all of the agent."""
    request = session.request
    if not request.purge:
        return await following.one(session, session.hive.begin(OperationKind.DESTROY, request.name))
    await _confirm_purge(session)
    return await following.one(session, session.hive.begin(OperationKind.PURGE, request.name))


async def _confirm_purge(session: Session) -> None:
    name, confirmed = session.request.name, session.request.confirm
    await session.hive.agent(name)  # a name that is not there is told before anything is typed
    if confirmed is None and session.can_ask:
        await session.ask_for(name, f"Wipe the repos, credentials and notes of {name} for ever? Type its name: ")
    elif confirmed is None:
        raise required("destroy --purge", f"--confirm {name}", "It cannot be undone, and nobody can be asked here.")
    elif confirmed != name:
        raise WrongUsage(
            "The confirmation names another agent", f"{confirmed!r} is not {name!r}.", f"Give --confirm {name}."
        )


async def rollback(session: Session) -> int:
    """Deploy the commit of an earlier deploy again."""
    request = session.request
    return await following.one(session, session.hive.rollback(request.name, request.to, request.note))


async def cancel(session: Session) -> int:
    """End a running operation, and show how it ended."""
    await session.hive.cancel(session.request.id)
    async for _ in session.hive.follow(session.request.id):
        pass
    ended = await session.hive.operation(session.request.id)
    if session.out.as_json:
        session.out.put_json({"operation": as_json(ended)})
    else:
        session.out.put(render.ending(ended))
    return 0
