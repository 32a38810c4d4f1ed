"""The event stream of a hive: what its log tells, and what a look at the agents shows to have changed.

The log tells what processes of the engine did; that a container died on its own nobody writes there. Only while
somebody reads the stream is anything looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

from hivetui.engine.events import event_log
from hivetui.engine.host.host import Host
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.warnings import HiveWarning

Rows = Callable[[], Awaitable[Sequence[Agent]]]

_ROOM = 1000  # events that wait for a slow reader; the sources wait then
_NO_CHANGE = {"memory_bytes": None, "cpu_percent": None, "tasks": None}  # these change at every look


async def events(host: Host, rows: Rows) -> AsyncGenerator[Event, None]:
    """What happens from now on, until the reader closes it."""
    queue: asyncio.Queue[Event | BaseException] = asyncio.Queue(_ROOM)
    sources = [
        asyncio.create_task(_fill(queue, source)) for source in (event_log.follow(host.paths), _looks(host, rows))
    ]
    try:
        while True:
            event = await queue.get()
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        for source in sources:
            source.cancel()
        await asyncio.gather(*sources, return_exceptions=True)


async def _fill(queue: asyncio.Queue[Event | BaseException], source: AsyncIterator[Event]) -> None:
    try:
        async for event in source:
            await queue.put(event)
    except Exception as error:  # noqa: BLE001  (handed to the reader, who raises it)
        await queue.put(error)


async def _looks(host: Host, rows: Rows) -> AsyncIterator[Event]:
    """What changed between one look and the next."""
    before = _by_name(await rows())
    while True:
        await asyncio.sleep(host.settings.console.refresh_seconds)
        try:
            after = _by_name(await rows())
        except HiveError:
            continue  # a look that failed for a moment; the next tells
        for event in changes(host, before, after):
            yield event
        before = after


def _by_name(rows: Iterable[Agent]) -> dict[str, Agent]:
    return {row.name: row.model_copy(update=_NO_CHANGE) for row in rows}


def changes(host: Host, before: dict[str, Agent], after: dict[str, Agent]) -> Iterator[Event]:
    """An event for each agent that came, went or is no longer as it was, and one when the warnings changed."""
    now = host.clock()
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield Event(time=now, kind=EventKind.AGENT_CHANGED, agent=name, text=_told(name, old, new))
    if _warnings(before) != _warnings(after):
        yield Event(time=now, kind=EventKind.WARNINGS_CHANGED, text=f"{len(_warnings(after))} warnings")


def _warnings(rows: dict[str, Agent]) -> set[HiveWarning]:
    return {warning for row in rows.values() for warning in row.warnings}


def _told(name: str, old: Agent | None, new: Agent | None) -> str:
    if new is None:
        return f"{name} is gone"
    if old is None:
        return f"{name} is there, {new.state.value}"
    return f"{name} is {new.state.value}" if old.state is not new.state else f"{name} changed"
