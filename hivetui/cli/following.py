"""Verbs that start operations: stream the output live, wait, tell how it ended, and exit by that.

The operation is a process of its own. Whatever happens to this one (Ctrl-C, a closed terminal, a closed pipe), it goes
on; leaving says how to follow it again and how to end it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hivetui.engine.model import names
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.text import safe

from . import render
from .output import Json
from .session import Session
from .shapes import as_json

Begin = Callable[[str], Awaitable[Operation]]
"""Starts the operation for an agent."""

_STATUS = {OperationState.SUCCEEDED: 0, OperationState.CANCELLED: 130}


def status_of(operation: Operation) -> int:
    """The exit status of an operation that has ended."""
    return _STATUS.get(operation.state, 1)


async def one(session: Session, begun: Awaitable[Operation]) -> int:
    """Start one operation, follow it to its end and tell it."""
    return await to_the_end(session, await begun)


async def to_the_end(session: Session, operation: Operation) -> int:
    """Follow an operation to its end and tell it."""
    ended = await follow(session, operation)
    if session.out.as_json:
        session.out.put_json({"operation": as_json(ended)})
    _tell_error(session, ended)
    return status_of(ended)


async def many(session: Session, agents: Sequence[str], begin: Begin, jobs: int) -> int:
    """The same for several agents, at most `jobs` at once; one failure does not stop the others."""
    for name in agents:
        names.check(name)
    room = asyncio.Semaphore(jobs)
    results = await asyncio.gather(*(_within(session, room, name, begin) for name in agents))
    if session.out.as_json:
        session.out.put_json(_summary(session, agents, results))
    else:
        session.out.put_all(
            ["", "summary:", *(_told(name, found) for name, found in zip(agents, results, strict=True))]
        )
    return 0 if all(isinstance(found, Operation) and status_of(found) == 0 for found in results) else 1


async def _within(session: Session, room: asyncio.Semaphore, name: str, begin: Begin) -> Operation | HiveError:
    async with room:
        try:
            ended = await follow(session, await begin(name), f"{name} ")
        except HiveError as error:
            session.out.error(error, beside=False)
            return error
        _tell_error(session, ended)
        return ended


def _summary(session: Session, agents: Sequence[str], results: Sequence[Operation | HiveError]) -> Json:
    ended = [as_json(found) for found in results if isinstance(found, Operation)]
    pairs = zip(agents, results, strict=True)
    refused = [(name, found) for name, found in pairs if isinstance(found, HiveError)]
    errors = [{"agent": name, **session.out.error_json(found)} for name, found in refused]
    return {"operations": ended, **({"errors": errors} if errors else {})}


def _told(name: str, found: Operation | HiveError) -> str:
    if isinstance(found, HiveError):
        return f"  {safe(name)}: not begun, {safe(found.what)}"
    return f"  {render.ending(found)}"


async def follow(session: Session, operation: Operation, prefix: str = "") -> Operation:
    """Stream the record of an operation from its first entry, and return the operation as it ended."""
    say = session.out.talk if session.out.as_json else session.out.put
    say(f"{prefix}operation {operation.id}: {operation.kind.value} {safe(operation.agent)}")
    try:
        async for entries in session.hive.follow(operation.id):
            for line in filter(None, map(render.entry, entries)):
                say(prefix + line)
            session.out.flush()
        ended = await session.hive.operation(operation.id)
    except asyncio.CancelledError:
        session.out.talk(session.out.hint(_left_running(operation)))
        raise
    say(prefix + render.ending(ended))
    session.out.flush()
    return ended


def _left_running(operation: Operation) -> str:
    return (
        f"Operation {operation.id} ({operation.kind.value} {safe(operation.agent)}) goes on without this command.\n"
        f"Follow it:  hivetui operation {operation.id} -f\n"
        f"End it:     hivetui cancel {operation.id}"
    )


def _tell_error(session: Session, ended: Operation) -> None:
    if status_of(ended) and ended.error:
        for line in ended.error.splitlines():
            session.out.talk(safe(line))
