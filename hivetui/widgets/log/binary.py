"""Binary data that came as lines of a log: those that follow each other are one line, which is named by its size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING

from hivetui.engine.model.binary import has_binary, is_binary

if TYPE_CHECKING:
    from hivetui.engine.model.logs import LogLine

_FRAGMENT = 4
"""Characters of a line between binary data that can look like text by chance."""
_PATIENCE = 0.3
"""How long the end of binary data is awaited, in seconds; a program writes it at once."""
_MOST_HELD = 5_000

Batches = AsyncIterator[list["LogLine"]]


def merge_binary(lines: Sequence[LogLine]) -> Iterator[LogLine]:
    """Lines in which those that follow each other and are binary data together, of one writer, are one line."""
    for (_, _, _, may_be_binary), group in groupby(lines, _kind):
        run = list(group)
        binary = [has_binary(line[3]) for line in run] if may_be_binary else []
        if sum(binary) < 2:
            yield from run
            continue
        first, end = binary.index(True), len(run) - binary[::-1].index(True)
        text = "\n".join(line[3] for line in run[first:end])
        yield from run[:first]
        yield from [run[end - 1]._replace(text=text)] if is_binary(text) else run[first:end]
        yield from run[end:]


async def merge_binary_batches(batches: Batches) -> AsyncGenerator[list[LogLine], None]:
    """The same for batches as they come; lines that end in binary data wait a moment for the rest of it."""
    held: list[LogLine] = []
    task: asyncio.Task[list[LogLine] | None] | None = None
    try:
        while True:
            task = task or asyncio.ensure_future(_next(batches))
            done, _ = await asyncio.wait({task}, timeout=_PATIENCE if held else None)
            if not done or task.exception() is not None or task.result() is None:
                yield list(merge_binary(held))
                held = []
            if done:
                batch, task = task.result(), None
                if batch is None:
                    return
                lines = [*held, *batch]
                end = _end_without_binary(lines) if lines else 0
                held = lines[end:]
                if end:
                    yield list(merge_binary(lines[:end]))
    finally:
        if task is not None and not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _next(batches: Batches) -> list[LogLine] | None:
    return await anext(batches, None)


def _end_without_binary(lines: Sequence[LogLine]) -> int:
    """How many lines there are before those at the end that may go on as binary data."""
    kind, at = _kind(lines[-1]), len(lines)
    while at > 0 and kind[-1] and _kind(lines[at - 1]) == kind:
        at -= 1
    is_held = len(lines) - at <= _MOST_HELD and any(has_binary(line[3]) for line in lines[at:])
    return at if is_held else len(lines)


def _kind(line: LogLine) -> tuple[str, str, int | None, bool]:
    return line[1], line[2], line[4], len(line[3]) <= _FRAGMENT or has_binary(line[3])
