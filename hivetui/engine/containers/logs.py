"""The agents' logs: the lines of several journals merged, and followed.

Each journal has an order of its own, which is the order of events. Its times need not ascend: the wall clock is set
back after a resume or by NTP. So lines are never sorted by time; journals are merged by the latest time that each has
reached, which never decreases, and every journal keeps its order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from heapq import merge
from operator import itemgetter

from hivetui.engine.containers.journal import Batches, Journal, journals_of
from hivetui.engine.containers.log_source import LogSource
from hivetui.engine.host.host import Host
from hivetui.engine.model import patterns
from hivetui.engine.model.errors import CommandFailed
from hivetui.engine.model.logs import LogLine, LogQuery

_BATCH_LINES = 5_000
_QUEUED_BATCHES = 16
"""Of followed journals, until a slow reader takes them; the journals wait then."""
_POLL_SECONDS = 2.0
"""How often a follower looks for the journal of a container that was created since, and tries one that failed."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_Queue = asyncio.Queue[list[LogLine] | Exception | None]
"""Batches of followed journals; an error that trying again cannot help; None when all have ended."""
_Keyed = tuple[datetime, LogLine]


async def stream_lines(host: Host, query: LogQuery, begin_new: Callable[[], None] = lambda: None) -> Batches:
    """Stream the lines that `query` asks for, oldest first; with `follow`, then new ones until the reader closes it.

    `begin_new` is called when the existing lines have been taken. A batch has at most 5000 lines. A journal that cannot
    be read does not keep the others back: a line of `NOTE_STREAM` says so, and a follower waits until it can be read.
    CommandFailed if none can be read and nothing is followed, BadData for an invalid expression, Unavailable without
    journalctl.
    """
    pattern = None if query.grep is None else patterns.require_pattern(query.grep)
    sources = [LogSource(host, query, journal, pattern) for journal in journals_of(host, query.agents)]
    lines = None if query.after else query.lines
    try:
        async with aclosing(_read_existing(sources, lines, query.follow)) as existing:
            async for part in _in_batches(existing):
                yield part
        if query.follow:
            begin_new()
            async with aclosing(_follow(host, query, pattern, sources)) as new:
                async for part in _in_batches(new):
                    yield part
    finally:
        for source in sources:
            source.close()


async def _in_batches(batches: Batches) -> Batches:
    async for batch in batches:
        for start in range(0, len(batch), _BATCH_LINES):
            yield batch[start : start + _BATCH_LINES]


# Lines that exist


async def _read_existing(sources: Sequence[LogSource], lines: int | None, follow: bool) -> Batches:
    """The last `lines` lines of all journals together, and then what is noted about them.

    A follower tries a journal that failed again, so that only the notes of the others are final.
    """
    failures: list[CommandFailed] = []
    newest: deque[LogLine] = deque(maxlen=lines)
    async with aclosing(merge_journals([_read_or_note(source, failures) for source in sources])) as merged:
        async for batch in merged:
            if lines is None:
                yield batch
            else:
                newest.extend(batch)
    if failures and len(failures) == len(sources) and not follow:
        raise failures[0]
    yield [*newest, *(note for source in sources for note in source.take_notes())]


async def _read_or_note(source: LogSource, failures: list[CommandFailed]) -> Batches:
    try:
        async with aclosing(source.read_existing()) as batches:
            async for batch in batches:
                yield batch
    except CommandFailed as error:
        failures.append(error)
        source.note_failure(error)


async def merge_journals(streams: Sequence[Batches]) -> Batches:
    """Merge streams by the latest time that each has reached, with one batch of each in memory.

    The lines of a stream keep their order, whatever their times. Streams that reached the same time are taken in
    the order of `streams`.
    """
    unfinished = [_with_keys(stream) for stream in streams]
    heads: list[list[_Keyed]] = [[] for _ in streams]
    try:
        while unfinished:
            for index in reversed(range(len(unfinished))):
                while not heads[index]:
                    try:
                        heads[index] = await anext(unfinished[index])
                    except StopAsyncIteration:
                        del heads[index], unfinished[index]
                        break
            if heads:  # up to here every stream is known: later batches have the same or later keys
                until = min(head[-1][0] for head in heads)
                ready = [[pair for pair in head if pair[0] <= until] for head in heads]
                heads = [head[len(taken) :] for head, taken in zip(heads, ready, strict=True)]
                yield [line for _, line in merge(*ready, key=itemgetter(0))]
    finally:
        for stream in unfinished:
            await stream.aclose()


async def _with_keys(stream: Batches) -> AsyncGenerator[list[_Keyed], None]:
    """The lines with the latest time up to each."""
    latest = _LONG_AGO
    async with aclosing(stream) as batches:
        async for batch in batches:
            keyed = []
            for line in batch:
                latest = max(latest, line.time)
                keyed.append((latest, line))
            yield keyed


# Lines that come


async def _follow(
    host: Host, query: LogQuery, pattern: patterns.Pattern | None, sources: Iterable[LogSource]
) -> Batches:
    """New lines as they are written. Ends when every journal has ended by itself; one that failed is tried again."""
    queue: _Queue = asyncio.Queue(_QUEUED_BATCHES)
    follower = _Follower(queue)
    watcher = asyncio.create_task(follower.follow_all(host, query, pattern, sources))
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


class _Reader:
    """What is known of one followed journal: how much came of it, and whether it is still the one at its place."""

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.task: asyncio.Task[None] | None = None
        self.batches, self.is_waiting = 0, False
        self._batches_before = 0

    def is_replaced(self) -> bool:
        """Whether there is another journal now in its place, and nothing came of this one since the last look."""
        before, self._batches_before = self._batches_before, self.batches
        is_quiet = before == self.batches and not self.is_waiting
        return is_quiet and self.source.is_replaced()

    async def end(self) -> None:
        """End its task and journalctl."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})


class _Follower:
    """Follows journals, each in a task of its own, and tries those that fail again.

    journalctl stays with the directory that it follows when that is deleted, and shows nothing of one that is made in
    its place. So it is ended then, and the new journal is followed from its first line.
    """

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._readers: list[_Reader] = []
        self._ended: set[tuple[str, ...]] = set()

    async def follow_all(
        self, host: Host, query: LogQuery, pattern: patterns.Pattern | None, sources: Iterable[LogSource]
    ) -> None:
        """Follow each journal that exists or appears, until cancelled; whoever reads the lines gets other errors."""
        try:
            async with asyncio.TaskGroup() as tasks:
                fresh = list(sources)
                while True:
                    self._start(tasks, fresh)
                    await asyncio.sleep(_POLL_SECONDS)
                    journals = journals_of(host, query.agents)
                    await self._look_after_readers(tasks, journals)
                    known = self._selections()
                    fresh = [LogSource(host, query, one, pattern) for one in journals if one.selection not in known]
        except Exception as error:  # noqa: BLE001  (the reader of the lines raises it; without it, it would wait for ever)
            await self._queue.put(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
        finally:
            for reader in self._readers:
                reader.source.close()

    def _selections(self) -> set[tuple[str, ...]]:
        return {reader.source.journal.selection for reader in self._readers}

    def _start(self, tasks: asyncio.TaskGroup, sources: Iterable[LogSource]) -> None:
        readers = [_Reader(source) for source in sources]
        self._readers += readers
        for reader in readers:
            reader.task = tasks.create_task(self._follow(reader))

    async def _look_after_readers(self, tasks: asyncio.TaskGroup, journals: Sequence[Journal]) -> None:
        """Pass on what was noted, and begin again with each journal that another one has taken the place of."""
        for reader in list(self._readers):
            if notes := reader.source.take_notes():
                await self._queue.put(notes)
            if reader.source.journal in journals and reader.is_replaced():
                await reader.end()
                self._readers.remove(reader)
                self._start(tasks, [reader.source])

    async def _follow(self, reader: _Reader) -> None:
        source, selection = reader.source, reader.source.journal.selection
        while True:
            self._ended.discard(selection)
            error = await self._read(reader)
            await self._queue.put(source.take_notes())
            if error is None:
                self._ended.add(selection)
            elif not isinstance(error, CommandFailed):
                await self._queue.put(error)
            if self._ended == self._selections():
                await self._queue.put(None)
            await asyncio.sleep(_POLL_SECONDS)

    async def _read(self, reader: _Reader) -> Exception | None:
        """Read until it ends; the error if it fails."""
        try:
            async with aclosing(reader.source.read_new()) as batches:
                async for batch in batches:
                    reader.is_waiting = True
                    await self._queue.put(batch)
                    reader.batches, reader.is_waiting = reader.batches + 1, False
        except CommandFailed as error:
            reader.source.note_failure(error)
            return error
        except Exception as error:  # noqa: BLE001 - the reader raises it
            return error
        return None
