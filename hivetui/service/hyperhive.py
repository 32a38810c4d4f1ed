"""The host socket of hyperhive, wire version 1: its requests, answered in order, one at a time.

Unknown members of a request are ignored, as hyperhive does; an empty scope is refused, because hyperhive takes it for
every agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any, cast

from hivetui.engine.hive import LocalHive
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.errors import BadData, HiveError, NotAllowed, OperationFailed, WrongUsage
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.state import StateUpdate
from hivetui.engine.model.times import format_iso
from hivetui.service.clients import Client
from hivetui.service.hive_service import HiveService
from hivetui.wire.frames import Json
from hivetui.wire.verbs import HASH, MAX_ID, TEXT, VERBS, MemberKind, Verb

VERSION = 1
NO_NOTE = "(no note)"
"""The note of a denial that came without one."""
_MAX_WAITING = 32
_STATUSES = {
    ProposalState.PENDING: "pending",
    ProposalState.APPROVED: "approved",
    ProposalState.BUILDING: "approved",
    ProposalState.DEPLOYED: "approved",
    ProposalState.FAILED: "failed",
    ProposalState.DENIED: "denied",
    ProposalState.WITHDRAWN: "cancelled",
}
Send = Callable[[Json], Awaitable[None]]


class Conversation:
    """The requests of hyperhive on one connection; a subscribed one goes on answering."""

    def __init__(self, service: HiveService, find_client: Callable[[], Client], send: Send) -> None:
        self._service, self._find_client, self._send = service, find_client, send
        self._waiting: asyncio.Queue[Json | HiveError] = asyncio.Queue(_MAX_WAITING)
        self.tasks: list[asyncio.Task[None]] = []
        self._is_subscribed = False

    @property
    def is_spoken(self) -> bool:
        """Whether this client has sent a request of hyperhive."""
        return bool(self.tasks)

    @property
    def _hive(self) -> LocalHive:
        return self._service.hive.acting_for(self._find_client().operator)

    async def take(self, frame: Json | HiveError) -> None:
        """Answer a request, or refuse a line, after those before it; with many of them waiting, no more is read."""
        if not self.tasks:
            self.tasks.append(asyncio.create_task(self._answer_all()))
        await self._waiting.put(frame)

    async def _answer_all(self) -> None:
        with suppress(ConnectionError):
            while True:
                waiting = await self._waiting.get()
                await (self._refuse(waiting) if isinstance(waiting, HiveError) else self._answer(waiting))
                self._waiting.task_done()

    async def finish(self) -> None:
        """Wait until every request has been answered."""
        await self._waiting.join()

    async def _answer(self, frame: Json) -> None:
        try:
            command = frame["cmd"]
            if not isinstance(command, str) or command not in COMMANDS:
                raise WrongUsage(f"unknown cmd {repr(command)[:60]}", f"Known: {', '.join(COMMANDS)}.", "")
            verb, carry_out = COMMANDS[command]
            self._find_client().require(verb)
            answer = await self._carry_out(verb, carry_out(self._hive, frame))
            if command == "subscribe_agent_status":
                await self._subscribe()
        except HiveError as error:
            await self._refuse(error)
        except ConnectionError:
            raise
        except Exception as bug:  # noqa: BLE001  (one request must not end the engine)
            await self._refuse(self._service.log_bug(bug))
        else:
            await self._send({"version": VERSION, "ok": True, **answer})

    async def _carry_out(self, verb: Verb, act: Coroutine[Any, Any, Json]) -> Json:
        return await (self._service.finish(act) if verb.acts else act)

    async def _refuse(self, error: HiveError) -> None:
        text = ": ".join(filter(None, (error.what, error.why)))
        await self._send({"version": VERSION, "ok": False, "error": text})

    async def _subscribe(self) -> None:
        """Report changes from now on: what changes after the answer is reported, so the state is read before it."""
        if self._is_subscribed:
            return
        updates = self._hive.watch()
        first = await anext(updates)
        self._is_subscribed = True
        self.tasks.append(asyncio.create_task(self._report_changes(updates, _rows(first))))

    async def _report_changes(self, updates: AsyncGenerator[StateUpdate, None], told: dict[str, Json]) -> None:
        with suppress(ConnectionError):
            async with aclosing(updates):
                async for update in updates:
                    for name, row in _rows(update).items():
                        if told.get(name) != row:
                            told[name] = row
                            await self._send({"version": VERSION, "ok": True, "agent_statuses": [row]})


def _rows(update: StateUpdate) -> dict[str, Json]:
    """What is said of the agents of an update, by name."""
    state = update.change or update.snapshot
    agents = state.agents if state is not None else ()
    return {agent.name: _status_row(agent) for agent in agents if _is_agent(agent)}


def _is_agent(agent: Agent) -> bool:
    """Not a container that something else made, which is no agent of this hive."""
    return names.agent_of(agent.container) == agent.name


async def _list(hive: LocalHive, frame: Json) -> Json:
    return {"agents": [agent.name for agent in await hive.agents() if _is_agent(agent)]}


async def _agent_status(hive: LocalHive, frame: Json) -> Json:
    return {"agent_statuses": [_status_row(agent) for agent in await hive.agents() if _is_agent(agent)]}


async def _subscribe(hive: LocalHive, frame: Json) -> Json:
    return {}


def _status_row(agent: Agent) -> Json:
    return {
        "name": agent.name,
        "running": agent.state is AgentState.RUNNING,
        "failed": agent.state is AgentState.FAILED,
        "needs_update": agent.needs_update,
        "needs_login": False,
        "paused": False,
        "parent": None,
        "deployed_sha": agent.deployed_commit[:12] if agent.deployed_commit else None,
        "active_model": None,
        "status_text": None,
        "status_set_at": None,
        "url": None,
    }


async def _pending(hive: LocalHive, frame: Json) -> Json:
    return {"approvals": [approval_row(proposal) for proposal in await hive.proposals()]}


def approval_row(proposal: Proposal) -> Json:
    """What is said of a proposal in `pending`, with the status that hyperhive has for its state."""
    return {
        "id": proposal.id,
        "agent": proposal.agent,
        "kind": "spawn" if proposal.kind is ProposalKind.SPAWN else "merge_config_pr",
        "commit_ref": proposal.commit or "",
        "fetched_sha": proposal.commit,
        "requested_at": _stamp(proposal.submitted_at),
        "status": _STATUSES[proposal.state],
        "resolved_at": _stamp(proposal.decided_at),
        "note": proposal.note,
        "description": proposal.description or proposal.title,
    }


def _stamp(time: datetime | None) -> str | None:
    return None if time is None else format_iso(time)


async def _approve(hive: LocalHive, frame: Json) -> Json:
    """Answered when the proposal is claimed."""
    number, commit, base = _id(frame), _hash(frame, "commit"), _hash(frame, "base")
    if commit is None or base is None:
        proposal = await _require_unbound(hive, number)
        commit, base = commit or proposal.commit, base or proposal.base
    await hive.approve(number, commit, base, _optional_text(frame, "note") or "")
    return {}


async def _require_unbound(hive: LocalHive, number: int) -> Proposal:
    """The proposal of an approval that does not name both, where a setting or the kind of the proposal allows it."""
    proposal = (await hive.review(number)).proposal
    if proposal.kind is ProposalKind.DEPLOY and not hive.host.settings.socket.unbound_approve:
        why = "An approval binds what was read."
        raise NotAllowed("approve needs commit and base", why, "Send both, or set socket.unbound_approve.")
    return proposal


async def _deny(hive: LocalHive, frame: Json) -> Json:
    await hive.deny(_id(frame), (_optional_text(frame, "note") or "").strip() or NO_NOTE)
    return {}


async def _start(hive: LocalHive, frame: Json) -> Json:
    return await _run_each(hive, OperationKind.START, _scope(frame))


async def _stop(hive: LocalHive, frame: Json) -> Json:
    return await _run_each(hive, OperationKind.STOP, _scope(frame))


async def _restart(hive: LocalHive, frame: Json) -> Json:
    name = _optional_text(frame, "name")
    if not name:
        raise BadData("restart needs a name", "It names one agent.", "")
    return await _run_each(hive, OperationKind.RESTART, [name])


async def _run_each(hive: LocalHive, kind: OperationKind, agents: list[str]) -> Json:
    """Answered when it is done for all of them."""
    ended = [await _run_to_end(hive, kind, name) for name in dict.fromkeys(map(names.check, agents))]
    failed = [one for one in ended if one.state is not OperationState.SUCCEEDED]
    if failed:
        raise OperationFailed(f"{kind.value} of {failed[0].agent} {failed[0].state.value}", failed[0].error or "", "")
    return {}


async def _run_to_end(hive: LocalHive, kind: OperationKind, name: str) -> Operation:
    operation = await hive.begin(kind, name, wait=True)
    async with aclosing(hive.follow(operation.id)) as entries:
        async for _ in entries:
            pass
    return await hive.operation(operation.id)


async def _urls(hive: LocalHive, frame: Json) -> Json:
    return {"urls": {"domain": None, "home": None, "forge": None}}


def _id(frame: Json) -> int:
    number = frame.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_ID:
        raise BadData("id is not that of a proposal", f"It is {repr(number)[:60]}.", "")
    return number


def _optional_text(frame: Json, key: str) -> str | None:
    return _optional(frame, key, TEXT)


def _hash(frame: Json, key: str) -> str | None:
    return _optional(frame, key, HASH)


def _optional(frame: Json, key: str, kind: MemberKind) -> str | None:
    if (value := frame.get(key)) is None:
        return None
    try:
        return str(kind.check(value))
    except ValueError as error:
        raise BadData(f"{key} is not {kind.text}", f"It is {repr(value)[:60]}.", "") from error


def _scope(frame: Json) -> list[str]:
    scope: Any = frame.get("scope")
    agents = scope.get("agent_names") if isinstance(scope, dict) else None
    if not isinstance(agents, list) or not agents or not all(isinstance(name, str) for name in agents):
        raise BadData("The scope names no agent", "An empty one would mean every agent.", "")
    return cast("list[str]", agents)


COMMANDS: dict[str, tuple[Verb, Callable[[LocalHive, Json], Coroutine[Any, Any, Json]]]] = {
    "list": (VERBS["agents"], _list),
    "agent_status": (VERBS["agents"], _agent_status),
    "subscribe_agent_status": (VERBS["watch"], _subscribe),
    "pending": (VERBS["proposals"], _pending),
    "approve": (VERBS["approve"], _approve),
    "deny": (VERBS["deny"], _deny),
    "start": (VERBS["start"], _start),
    "stop": (VERBS["stop"], _stop),
    "restart": (VERBS["restart"], _restart),
    "urls": (VERBS["agents"], _urls),
}
"""Each request of hyperhive, with the verb of ours that a client must be allowed to use for it."""
