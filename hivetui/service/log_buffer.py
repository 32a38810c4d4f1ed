"""What a client has not taken of a log yet: bounded, and what is dropped of it is counted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import NamedTuple

from hivetui.engine.model.logs import LogLine

_LOOK_SECONDS = 0.5


class Limits(NamedTuple):
    """How much is kept for one client, and when a client that does not take it is slow.

    The journals wait while the buffer is full, so a client that is busy for a moment loses nothing. One that takes
    nothing for `stall_seconds`, or leaves the buffer full for `lag_seconds`, would be shown older and older lines.
    """

    size: int = 4 << 20
    stall_seconds: float = 2.0
    lag_seconds: float = 10.0


LIMITS = Limits()


class LogBuffer:
    """Takes the batches of one log, and gives them on as fast as its client takes them.

    Lines that exist already are never dropped: they wait in the journal. Of new lines the oldest are dropped while the
    client is slow. `size_of` is what a line takes in a frame.
    """

    def __init__(self, size_of: Callable[[LogLine], int], portion_size: int, limits: Limits = LIMITS) -> None:
        self._size_of, self._portion_size, self._limits = size_of, portion_size, limits
        self._portions: deque[tuple[list[LogLine], int]] = deque()
        self._size = self._dropped = 0
        self._is_live = self._has_ended = False
        self._changed, self._taken = asyncio.Event(), asyncio.Event()
        self._taken_at = time.monotonic()
        self._full_since: float | None = None

    def begin_new(self) -> None:
        """From now on the lines are new ones."""
        self._is_live = True

    async def portions(
        self, batches: AsyncGenerator[list[LogLine], None]
    ) -> AsyncGenerator[tuple[list[LogLine], int], None]:
        """Lines for one frame each, with the number of lines that were dropped before them; the errors of `batches`."""
        filling = asyncio.create_task(self._fill(batches))
        try:
            while self._portions or not self._has_ended:
                self._changed.clear()
                if self._portions:
                    yield self._take()
                else:
                    await self._changed.wait()
            await filling
        finally:
            filling.cancel()
            await asyncio.wait({filling})

    async def _fill(self, batches: AsyncGenerator[list[LogLine], None]) -> None:
        try:
            async with aclosing(batches):
                async for batch in batches:
                    await self._add(batch)
                    await asyncio.sleep(0)  # dropping lines waits for nobody, and others are to be served
        finally:
            self._has_ended = True
            self._changed.set()

    async def _add(self, lines: list[LogLine]) -> None:
        start = size = 0
        for index, line in enumerate(lines):
            line_size = self._size_of(line)
            if size and size + line_size > self._portion_size:
                await self._put(lines[start:index], size)
                start, size = index, 0
            size += line_size
        if lines:
            await self._put(lines[start:], size)

    async def _put(self, lines: list[LogLine], size: int) -> None:
        while self._size > self._limits.size:
            await self._make_room()
        self._portions.append((lines, size))
        self._size += size
        self._changed.set()

    async def _make_room(self) -> None:
        """Drop the oldest lines of a slow client; wait a moment for another one."""
        now = time.monotonic()
        self._full_since = self._full_since or now
        if self._is_live and self._is_slow(now):
            lines, size = self._portions.popleft()
            self._size -= size
            self._dropped += len(lines)
            return
        self._taken.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._taken.wait(), min(_LOOK_SECONDS, self._limits.stall_seconds))

    def _is_slow(self, now: float) -> bool:
        is_behind = self._full_since is not None and now - self._full_since >= self._limits.lag_seconds
        return is_behind or now - self._taken_at >= self._limits.stall_seconds

    def _take(self) -> tuple[list[LogLine], int]:
        lines, size = self._portions.popleft()
        self._size -= size
        if self._size < self._limits.size // 2:
            self._full_since = None
        dropped, self._dropped = self._dropped, 0
        self._taken_at = time.monotonic()
        self._taken.set()
        return lines, dropped
