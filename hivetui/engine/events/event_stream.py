"""The event stream of a hive: the events of its log, and the changes between one listing of its agents and the next.

The log has what processes of the engine did; nobody writes there that a container died on its own. Agents are listed
only while somebody reads the stream.
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

ListAgents = Callable[[], Awaitable[Sequence[Agent]]]

_QUEUE_EVENTS = 1000  # kept for a slow reader; the sources pause when the queue is full
_IGNORED = {"memory_bytes": None, "cpu_percent": None, "tasks": None}  # these differ in every listing


async def events(host: Host, list_agents: ListAgents) -> AsyncGenerator[Event, None]:
    """What happens from now on, until the reader closes it. Raises what the log or `list_agents` raises."""
    queue: asyncio.Queue[Event | BaseException] = asyncio.Queue(_QUEUE_EVENTS)
    sources = [
        asyncio.create_task(_forward(source, queue))
        for source in (event_log.follow(host.paths), _poll_agents(host, list_agents))
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


async def _forward(source: AsyncIterator[Event], queue: asyncio.Queue[Event | BaseException]) -> None:
    try:
        async for event in source:
            await queue.put(event)
    except Exception as error:  # noqa: BLE001  (passed to the reader, who raises it)
        await queue.put(error)


async def _poll_agents(host: Host, list_agents: ListAgents) -> AsyncIterator[Event]:
    """Events for what changed between one listing and the next."""
    before = _by_name(await list_agents())
    while True:
        await asyncio.sleep(host.settings.console.refresh_seconds)
        try:
            after = _by_name(await list_agents())
        except HiveError:
            continue  # a listing may fail for a moment; the next one has the changes
        for event in changes(host, before, after):
            yield event
        before = after


def _by_name(agents: Iterable[Agent]) -> dict[str, Agent]:
    return {agent.name: agent.model_copy(update=_IGNORED) for agent in agents}


def changes(host: Host, before: dict[str, Agent], after: dict[str, Agent]) -> Iterator[Event]:
    """An event for each agent that was added, removed or changed, and one if the warnings changed."""
    now = host.clock()
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield Event(time=now, kind=EventKind.AGENT_CHANGED, agent=name, text=_describe_change(name, old, new))
    if _warnings(before) != _warnings(after):
        count = len(_warnings(after))
        text = "1 warning" if count == 1 else f"{count} warnings"
        yield Event(time=now, kind=EventKind.WARNINGS_CHANGED, text=text)


def _warnings(agents: dict[str, Agent]) -> set[HiveWarning]:
    return {warning for agent in agents.values() for warning in agent.warnings}


def _describe_change(name: str, old: Agent | None, new: Agent | None) -> str:
    if new is None:
        return f"{name} was removed"
    if old is None:
        return f"{name} was added, {new.state.value}"
    return f"{name} is {new.state.value}" if old.state is not new.state else f"{name} changed"
