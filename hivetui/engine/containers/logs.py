"""The agents' logs: the lines of several journals merged by time, and followed."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from hivetui.engine.containers.journal import Batches, Journal, journals_of, read_journal
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.logs import LogLine, LogQuery

_BATCH_LINES = 5_000
_QUEUED_BATCHES = 16
"""Of followed journals, until a slow reader takes them; the journals wait then."""
_COLLECT_SECONDS = 0.3
"""How long the existing lines of followed journals are collected, to be put in order."""
_POLL_SECONDS = 2.0
"""How often a follower looks for the journal of a container that was created since."""

_Queue = asyncio.Queue[list[LogLine] | Exception | None]
"""Batches of followed journals; the error of one that failed; None when one has ended."""


async def stream_lines(host: Host, query: LogQuery) -> Batches:
    """Stream the lines that `query` asks for, oldest first; with `follow`, then new ones until the reader closes it.

    A batch has at most 5000 lines. BadData for an invalid expression, Unavailable without journalctl.
    """
    _check_expression(query.grep)
    batches = _follow(host, query) if query.follow else _read_existing(host, query)
    async with aclosing(batches):
        async for batch in batches:
            for start in range(0, len(batch), _BATCH_LINES):
                yield batch[start : start + _BATCH_LINES]


def _check_expression(expression: str | None) -> None:
    try:
        re.compile(expression or "")
    except re.error as error:
        what = f"{(expression or '')[:60]!r} is not a valid regular expression"
        raise BadData(what, f"{error.msg} at character {error.pos}.", r"Write \ before ( [ * + ?") from error


async def _read_existing(host: Host, query: LogQuery) -> Batches:
    """The last `query.lines` lines of all journals together."""
    journals = journals_of(host, query.agents)
    merged = merge_by_time([read_journal(host, query, journal) for journal in journals])
    async with aclosing(merged):
        if query.lines is None or len(journals) == 1:
            async for batch in merged:
                yield batch
        else:
            newest: deque[LogLine] = deque(maxlen=query.lines)
            async for batch in merged:
                newest.extend(batch)
            yield list(newest)


async def merge_by_time(streams: Sequence[Batches]) -> Batches:
    """Merge streams that are each ordered by time into one that is, with one batch of each in memory."""
    heads: list[list[LogLine]] = [[] for _ in streams]
    unfinished = list(streams)
    try:
        while unfinished:
            for index in reversed(range(len(unfinished))):
                while not heads[index]:
                    try:
                        heads[index] = await anext(unfinished[index])
                    except StopAsyncIteration:
                        del heads[index], unfinished[index]
                        break
            if heads:  # up to here every stream is known: later batches have later lines only
                until = min(head[-1].time for head in heads)
                yield sorted((line for head in heads for line in head if line.time <= until), key=_time)
                heads = [[line for line in head if line.time > until] for head in heads]
    finally:
        for stream in unfinished:
            await stream.aclose()


def _time(line: LogLine) -> datetime:
    return line.time


async def _follow(host: Host, query: LogQuery) -> Batches:
    """The existing lines of all journals in order, then new lines as they are written."""
    queue: _Queue = asyncio.Queue(_QUEUED_BATCHES)
    watcher = asyncio.create_task(_follow_journals(host, query, queue))
    try:
        existing: list[LogLine] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_COLLECT_SECONDS):
                while (item := await queue.get()) is not None:
                    existing += _batch(item)
        existing.sort(key=_time)
        yield existing if query.lines is None else existing[len(existing) - min(query.lines, len(existing)) :]
        while (item := await queue.get()) is not None:
            yield _batch(item)
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


def _batch(item: list[LogLine] | Exception) -> list[LogLine]:
    if isinstance(item, BaseException):
        raise item
    return item


async def _follow_journals(host: Host, query: LogQuery, queue: _Queue) -> None:
    """Follow each journal that exists or appears, in a task of its own, until cancelled."""

    async def follow(journal: Journal) -> None:
        try:
            async with aclosing(read_journal(host, query, journal)) as batches:
                async for batch in batches:
                    await queue.put(batch)
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - the reader raises it
            await queue.put(error)

    followed: set[tuple[str, ...]] = set()
    async with asyncio.TaskGroup() as tasks:
        while True:
            for journal in journals_of(host, query.agents):
                if journal.selection not in followed:
                    followed.add(journal.selection)
                    tasks.create_task(follow(journal))
            await asyncio.sleep(_POLL_SECONDS)
