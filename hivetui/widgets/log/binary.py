"""Binary data in lines that come in batches, of logs and of operations: it is one line, over batches too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, TypeVar

from hivetui.engine.model.binary import LineKind, has_binary, merge_binary

if TYPE_CHECKING:
    from hivetui.engine.model.logs import LogLine
    from hivetui.engine.model.operations import Entry

_PATIENCE = 0.3
"""How long the end of binary data is awaited, in seconds; a program writes it at once."""
_MOST_HELD = 5_000

Line = TypeVar("Line")


def _join_lines(lines: Sequence[LogLine], text: str) -> LogLine:
    return lines[-1]._replace(text=text)


def _join_entries(entries: Sequence[Entry], text: str) -> Entry:
    return entries[-1].model_copy(update={"text": text, "cut": sum(entry.cut for entry in entries)})


LOG_KIND: LineKind[LogLine] = LineKind(itemgetter(1, 2, 4), itemgetter(3), _join_lines)
ENTRY_KIND: LineKind[Entry] = LineKind(attrgetter("kind", "stream"), attrgetter("text"), _join_entries)


async def merge_binary_batches(
    batches: AsyncIterator[Sequence[Line]], kind: LineKind[Line]
) -> AsyncGenerator[list[Line], None]:
    """The lines with each piece of binary data as one; lines that end in it wait a moment for the rest of it."""
    held: list[Line] = []
    task: asyncio.Task[Sequence[Line] | None] | None = None
    try:
        while True:
            task = task or asyncio.ensure_future(_next(batches))
            done, _ = await asyncio.wait({task}, timeout=_PATIENCE if held else None)
            if not done or task.exception() is not None or task.result() is None:
                yield list(merge_binary(held, kind))
                held = []
            if done:
                batch, task = task.result(), None
                if batch is None:
                    return
                lines = [*held, *batch]
                end = _end_without_binary(lines, kind) if lines else 0
                held = lines[end:]
                if end:
                    yield list(merge_binary(lines[:end], kind))
    finally:
        if task is not None and not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _next(batches: AsyncIterator[Sequence[Line]]) -> Sequence[Line] | None:
    return await anext(batches, None)


def _end_without_binary(lines: Sequence[Line], kind: LineKind[Line]) -> int:
    """How many lines there are before those at the end that may go on as binary data."""
    group, at = kind.group(lines[-1]), len(lines)
    while at > 0 and group[-1] and kind.group(lines[at - 1]) == group:
        at -= 1
    is_held = len(lines) - at <= _MOST_HELD and any(has_binary(kind.text(line)) for line in lines[at:])
    return at if is_held else len(lines)
