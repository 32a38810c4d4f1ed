"""Stores lines by the million: as raw chunks, whose line feeds are counted, and which are split when a line is read.

Lines are numbered from 0 on and keep their numbers. If there are more than the limit, the oldest are dropped by the
block; `first` tells how many were. Lines of the engine have a time and a source, and keep the order in which they come.
Does not depend on Textual.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hivetui.widgets.log.line_text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from hivetui.engine.model.logs import LogLine

BLOCK_BYTES = 64 * 1024
BLOCK_LINES = 2048
LONGEST = 64 * 1024  # bytes kept of a line that arrives in several chunks
_SPLIT_BLOCKS = 8


class Source(NamedTuple):
    """Who wrote a line: the agent and its service, or the stream of an operation; and its priority in the journal."""

    agent: str
    stream: str
    priority: int | None = None


class Line(NamedTuple):
    """One line: its bytes, how many bytes were dropped of it, its time (seconds since 1970) and source if known."""

    raw: bytes
    cut: int = 0
    time: float | None = None
    source: Source | None = None


class _Block:
    """Consecutive lines: their bytes joined by line feeds, and their times and sources if they have any."""

    __slots__ = ("count", "data", "sources", "start", "times")

    def __init__(self, start: int, count: int, data: bytes, times: array[float], sources: array[int]) -> None:
        self.start, self.count, self.data, self.times, self.sources = start, count, data, times, sources


class _Open:
    """The newest lines: chunks of bytes, or lines of the engine, in the order they came."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.count = 0
        self.size = 0
        self.pieces: list[bytes] = []
        self.times: list[float] = []
        self.sources: list[int] = []

    def sealed(self) -> _Block:
        return _Block(self.start, self.count, b"\n".join(self.pieces), array("d", self.times), array("H", self.sources))


class LogStore:
    """At most about `limit` lines (None: all); the oldest are dropped first."""

    def __init__(self, limit: int | None = 1_000_000) -> None:
        self.limit = limit
        self._blocks: list[_Block] = []
        self._starts: list[int] = []
        self._open = _Open(0)
        self._carry = bytearray()
        self._carry_cut = 0
        self._cuts: dict[int, int] = {}
        self._sources: list[Source] = []
        self._source_ids: dict[tuple[str, str, int | None], int] = {}
        self._split: OrderedDict[int, list[bytes]] = OrderedDict()

    # How much there is

    @property
    def first(self) -> int:
        """The number of the oldest line, which is the number of dropped lines."""
        return self._starts[0] if self._starts else self._open.start

    @property
    def end(self) -> int:
        """One past the number of the newest line."""
        return self._open.start + self._open.count

    @property
    def sources(self) -> Sequence[Source]:
        """Every source so far; the index of each is its id."""
        return self._sources

    # Feeding

    def feed_bytes(self, chunk: bytes) -> int:
        """Add output as it was read, cut anywhere. Returns how many lines it completed."""
        start = 0
        if self._carry or self._carry_cut:
            start = chunk.find(b"\n") + 1
            self._keep_carry(chunk[: start - 1] if start else chunk)
            if not start:
                return 0
            self._end_carry()
        end = chunk.rfind(b"\n")
        if end < start:
            self._keep_carry(chunk[start:])
            return int(start > 0)
        self._add(chunk[start:end], count := chunk.count(b"\n", start, end) + 1)
        self._keep_carry(chunk[end + 1 :])
        return count + (start > 0)

    def finish(self) -> int:
        """Add what came after the last line feed as a line. Returns how many lines that are (0 or 1)."""
        if not self._carry and not self._carry_cut:
            return 0
        self._end_carry()
        return 1

    def feed_lines(self, lines: Sequence[LogLine]) -> int:
        """Add lines with times and sources in their order, which is that of the journals. Returns how many."""
        for start in range(0, len(lines), BLOCK_LINES):
            self._add_lines(lines[start : start + BLOCK_LINES])
        return len(lines)

    def add(self, text: str, time: datetime, source: Source, cut: int = 0) -> None:
        """Add one line at the end. `cut` is how many bytes its writer dropped of it."""
        if self._open.count != len(self._open.times):
            self._seal()
        if cut:
            self._cuts[self.end] = cut
        self._append([one_line(text)], [time.timestamp()], [self._source_id(source)])

    def _keep_carry(self, part: bytes) -> None:
        free = LONGEST - len(self._carry)
        self._carry += part[:free]
        self._carry_cut += max(0, len(part) - free)

    def _end_carry(self) -> None:
        if self._carry_cut:
            self._cuts[self.end] = self._carry_cut
        line, self._carry, self._carry_cut = bytes(self._carry), bytearray(), 0
        self._add(line, 1)

    def _add(self, data: bytes, count: int) -> None:
        if self._open.times:
            self._seal()
        block = self._open
        block.pieces.append(data)
        block.count += count
        block.size += len(data) + 1
        if block.size >= BLOCK_BYTES:
            self._seal()

    def _add_lines(self, lines: Sequence[LogLine]) -> None:
        if self._open.count != len(self._open.times):
            self._seal()
        times = [line[0].timestamp() for line in lines]
        ids = self._source_ids
        keys = [(line[1], line[2], line[4]) for line in lines]
        sources = [ids[key] if key in ids else self._source_id(Source(*key)) for key in keys]
        self._append([one_line(line[3]) for line in lines], times, sources)

    def _append(self, pieces: list[bytes], times: list[float], sources: list[int]) -> None:
        block = self._open
        block.pieces += pieces
        block.times += times
        block.sources += sources
        block.count += len(pieces)
        block.size += sum(map(len, pieces)) + len(pieces)
        self._split.pop(block.start, None)
        if block.size >= BLOCK_BYTES or block.count >= BLOCK_LINES:
            self._seal()

    def _source_id(self, source: Source) -> int:
        number = self._source_ids.get(source)
        if number is None:
            number = self._source_ids[source] = len(self._sources)
            self._sources.append(source)
        return number

    def _seal(self) -> None:
        if self._open.count:
            self._blocks.append(self._open.sealed())
            self._starts.append(self._open.start)
        self._split.pop(self._open.start, None)
        self._open = _Open(self.end)
        self._drop()

    def _drop(self) -> None:
        if self.limit is None:
            return
        count = 0
        while count < len(self._blocks) and self.end - (self._starts[count] + self._blocks[count].count) >= self.limit:
            count += 1
        if count:
            del self._blocks[:count], self._starts[:count]
            self._cuts = {number: cut for number, cut in self._cuts.items() if number >= self.first}

    # Reading
    def line(self, number: int) -> Line:
        """One line by its number. Raises IndexError if it was dropped or has not arrived."""
        if not self.first <= number < self.end:
            raise IndexError(number)
        start, times, sources = self._place(number)
        index = number - start
        raw = self._lines_of(start)[index]
        if not times:
            return Line(raw, self._cuts.get(number, 0))
        return Line(raw, self._cuts.get(number, 0), times[index], self._sources[sources[index]])

    def time(self, number: int) -> float | None:
        """The time of one line, if known. Raises IndexError as `line` does."""
        if not self.first <= number < self.end:
            raise IndexError(number)
        start, times, _ = self._place(number)
        return times[number - start] if times else None

    def blocks(self, start: int, end: int) -> Iterator[tuple[int, list[bytes], Sequence[int]]]:
        """Lines from `start` to before `end` by the block: number of the first, their bytes, ids of their sources."""
        number = max(start, self.first)
        while number < min(end, self.end):
            begin, _, sources = self._place(number)
            lines = self._lines_of(begin)
            low, high = number - begin, min(len(lines), end - begin)
            yield number, lines[low:high], sources[low:high]
            number = max(begin + high, self.first)

    def blocks_back(self, start: int, end: int) -> Iterator[tuple[int, list[bytes], Sequence[int]]]:
        """The same, from the last block to the first."""
        end = min(end, self.end)
        while end > max(start, self.first):
            begin, _, sources = self._place(end - 1)
            low = max(start, begin) - begin
            yield begin + low, self._lines_of(begin)[low : end - begin], sources[low : end - begin]
            end = begin + low

    def _place(self, number: int) -> tuple[int, Sequence[float], Sequence[int]]:
        if number >= self._open.start:
            return self._open.start, self._open.times, self._open.sources
        block = self._blocks[bisect_right(self._starts, number) - 1]
        return block.start, block.times, block.sources

    def _lines_of(self, start: int) -> list[bytes]:
        """The lines of the block that starts at `start`. The last few blocks that were read stay split."""
        count = self._open.count if start == self._open.start else -1
        lines = self._split.get(start)
        if lines is not None and count in (-1, len(lines)):
            return lines
        lines = self._split[start] = self._split_block(start)
        if len(self._split) > _SPLIT_BLOCKS:
            self._split.popitem(last=False)
        return lines

    def _split_block(self, start: int) -> list[bytes]:
        if start == self._open.start:
            return list(self._open.pieces) if self._open.times else b"\n".join(self._open.pieces).split(b"\n")
        return self._blocks[bisect_right(self._starts, start) - 1].data.split(b"\n")
