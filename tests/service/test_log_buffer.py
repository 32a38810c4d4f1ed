"""A client that is slow to take a log loses lines, is told how many, and slows nobody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from hivetui.client import connection
from hivetui.client.connection import Connection
from hivetui.client.hive import RemoteHive
from hivetui.embedded.journal import CURRENT
from hivetui.embedded.layout import Layout
from hivetui.engine.api import Hive
from hivetui.engine.model.logs import NOTE_STREAM, LogLine, LogQuery
from hivetui.engine.model.names import container_of
from hivetui.service.log_buffer import Limits, LogBuffer
from tests.conftest import EmbeddedAgent
from tests.service.served import Served

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECONDS = 60.0
LONG = "x" * 3000
MOST = 60_000
"""Lines that the flood of a test may have."""


def lines(first: int, end: int) -> list[LogLine]:
    return [LogLine(NOW, "a", "s", f"{number:04}") for number in range(first, end)]


class Source:
    """Batches of ten lines, each of four characters."""

    def __init__(self, count: int) -> None:
        self.count, self.given = count, 0
        self._wanted, self._reached = 0, asyncio.Event()

    async def batches(self) -> AsyncGenerator[list[LogLine], None]:
        for first in range(0, self.count, 10):
            self.given += 10
            if self.given >= self._wanted:
                self._reached.set()
            yield lines(first, first + 10)

    async def has_given(self, count: int) -> None:
        """Wait until so many lines were taken from it, or all."""
        self._wanted = min(count, self.count)
        if self.given < self._wanted:
            self._reached.clear()
            await self._reached.wait()


def buffer(limits: Limits) -> LogBuffer:
    return LogBuffer(lambda line: len(line.text), 40, limits)


async def read(source: Source, full: LogBuffer, first: int = 0, each: int = 0) -> list[tuple[int, list[str]]]:
    """What is taken, as (dropped before, texts): the first portion, then nothing until `first` lines were given, and
    each further one when `each` more lines were given."""
    taken: list[tuple[int, list[str]]] = []
    async with aclosing(full.portions(source.batches())) as portions:
        async for portion, dropped in portions:
            await source.has_given(source.given + each if taken else first)
            taken.append((dropped, [line.text for line in portion]))
    return taken


async def test_a_client_that_takes_nothing_loses_the_oldest_new_lines_and_learns_how_many() -> None:
    full = buffer(Limits(size=100, stall_seconds=0))
    full.begin_new()
    taken = await read(Source(1000), full, first=1000)
    texts = [text for _, portion in taken for text in portion]
    (dropped,) = [count for count, _ in taken if count]
    assert dropped + len(texts) == 1000
    assert len(texts) < 60
    assert texts[:10] == [f"{number:04}" for number in range(10)]
    assert texts[10:] == [f"{number:04}" for number in range(10 + dropped, 1000)]


async def test_lines_that_exist_already_wait_for_a_slow_client() -> None:
    taken = await read(Source(1000), buffer(Limits(size=100, stall_seconds=0)), first=40)
    assert [text for _, portion in taken for text in portion] == [f"{number:04}" for number in range(1000)]
    assert not any(dropped for dropped, _ in taken)


async def test_a_client_that_is_busy_for_a_moment_loses_nothing_and_the_journal_waits() -> None:
    full = buffer(Limits(size=100))
    full.begin_new()
    taken = await read(Source(1000), full, first=40)
    assert sum(len(portion) for _, portion in taken) == 1000
    assert not any(dropped for dropped, _ in taken)


async def test_a_client_that_never_catches_up_loses_lines_though_it_takes_some() -> None:
    full = buffer(Limits(size=100, lag_seconds=0))
    full.begin_new()
    taken = await read(Source(1000), full, each=60)
    assert sum(len(portion) + dropped for dropped, portion in taken) == 1000
    assert any(dropped for dropped, _ in taken)


async def test_the_error_of_a_log_comes_after_its_lines() -> None:
    async def failing() -> AsyncGenerator[list[LogLine], None]:
        yield lines(0, 10)
        raise LookupError

    async with aclosing(buffer(Limits()).portions(failing())) as portions:
        assert await anext(portions) == (lines(0, 10), 0)
        with pytest.raises(LookupError):
            await anext(portions)


@pytest.mark.slow
async def test_a_console_that_reads_nothing_in_a_flood_is_told_what_was_dropped(
    served: Served, agent: EmbeddedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Layout(str(agent.host.paths.root)).log(container_of(agent.name)) / CURRENT
    monkeypatch.setattr(connection, "_QUEUED_FRAMES", 8)
    slow, quick = RemoteHive(partial(connect, served)), await served.remote()
    query = LogQuery(agents=(agent.name,), follow=True, lines=100)  # the agent writes lines of its own meanwhile
    async with aclosing(_logs(slow, query)) as late, aclosing(_logs(quick, query)) as prompt:
        write(log, 0, 1)
        for stream in (late, prompt):
            await _until_line(stream, 0)
        until, end, promptly = time.monotonic() + 5, 1, []
        while (time.monotonic() < until or end < 6000) and end < MOST:  # the other one waits, and reads nothing
            write(log, end, end + 1000)
            end += 1000
            promptly += await _until_line(prompt, end - 1)
        finally_read = await _until_line(late, end - 1)
    assert [number_of(line) for line in promptly if line.stream == "flood"] == list(range(1, end))
    notes = [line for line in finally_read if line.stream == NOTE_STREAM]
    flood = [line for line in finally_read if line.stream == "flood"]
    dropped = sum(int(note.text.split(" lines were dropped")[0]) for note in notes)
    assert dropped
    assert dropped + len(flood) >= end - 1  # of the agent's own lines some may be dropped too
    await slow.close()
    await quick.close()


async def connect(served: Served) -> Connection:
    """A connection whose other end keeps little of what it does not read."""
    return Connection(*await asyncio.open_unix_connection(str(served.socket), limit=1 << 20))


def write(log: Path, first: int, end: int) -> None:
    with log.open("a") as file:
        now = time.time_ns() // 1000
        file.writelines(
            json.dumps({"t": now + number, "p": 6, "i": "flood", "m": f"flood {number} {LONG}"}) + "\n"
            for number in range(first, end)
        )


def number_of(line: LogLine) -> int:
    return int(line.text.split()[1]) if line.stream == "flood" else -1


async def _until_line(stream: AsyncGenerator[list[LogLine], None], number: int) -> list[LogLine]:
    """What comes up to the line of the flood with this number."""
    taken: list[LogLine] = []
    batch: list[LogLine] = []
    while number not in map(number_of, batch):
        batch = await asyncio.wait_for(anext(stream), SECONDS)
        taken += batch
    return taken


def _logs(hive: Hive, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
    return cast("AsyncGenerator[list[LogLine], None]", hive.logs(query))
