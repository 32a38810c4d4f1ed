"""Which lines of a store a filter leaves, found out step by step as lines arrive; and which lines match a search.

A position counts the lines that a filter leaves, as a number counts the lines of the store. Both keep their meaning
when old lines are dropped.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from hivetui.engine.model.patterns import Pattern
from hivetui.widgets.log.line_text import shown_block
from hivetui.widgets.log.store import LogStore, Source

STEP = 512  # lines tested at once, which takes less than a slice of `run_sliced`
_TRIM = 4096
Matcher = Callable[[list[bytes], Sequence[int]], Iterable[int]]
"""Tells the indexes of the lines that match, from the bytes of lines and the ids of their sources."""


def match_pattern(pattern: Pattern) -> Matcher:
    """Lines whose shown text matches a pattern."""
    return lambda raws, _sources: pattern.matching_lines(shown_block(raws))


class LineFilter:
    """The lines that match (or, if inverse, that do not), from sources that are not hidden."""

    def __init__(
        self,
        store: LogStore,
        pattern: Pattern | None,
        inverse: bool = False,
        hides: Callable[[Source], bool] | None = None,
    ) -> None:
        self.store = store
        self.pattern = pattern
        self.inverse = inverse
        self.hides = hides
        self._hidden: dict[int, bool] = {}
        self._kept = array("Q")
        self._trimmed = 0
        self._tested = store.first

    @property
    def label(self) -> str:
        """The filter in words, for the status line."""
        if self.pattern is None:
            return ""
        return f"filter {'not ' if self.inverse else ''}/{self.pattern.short_text}/"

    # Positions

    @property
    def first(self) -> int:
        """The position of the oldest line that is kept and shown."""
        return self._trimmed + bisect_left(self._kept, self.store.first)

    def trim(self) -> None:
        """Forget the numbers of lines that the store has dropped."""
        dropped = bisect_left(self._kept, self.store.first)
        if dropped > _TRIM:
            del self._kept[:dropped]
            self._trimmed += dropped

    def position(self, number: int) -> int:
        """The position of a line, or of the next line that is shown."""
        return self._trimmed + bisect_left(self._kept, number)

    def number(self, position: int) -> int:
        """The number of the line at a position."""
        return self._kept[position - self._trimmed]

    # Testing

    def step(self) -> bool:
        """Test some more lines; False if none are left to test."""
        if self._tested >= self.store.end:
            return False
        start, raws, sources = next(self.store.blocks(self._tested, self._tested + STEP))
        self._kept.extend(start + index for index in self.passing(raws, sources))
        self._tested = start + len(raws)
        return self._tested < self.store.end

    def passing(self, raws: list[bytes], sources: Sequence[int]) -> Iterable[int]:
        """The indexes of the lines that are shown; `sources` holds the id of the source of each, if they have any."""
        passing: Iterable[int] = range(len(raws))
        if self.pattern is not None:
            matching = self.pattern.matching_lines(shown_block(raws))
            passing = sorted({*passing}.difference(matching)) if self.inverse else matching
        if self.hides is None or not sources:
            return passing
        return (index for index in passing if not self._hides_source(sources[index]))

    def _hides_source(self, source: int) -> bool:
        if self.hides is None:
            return False
        if source not in self._hidden:
            self._hidden[source] = self.hides(self.store.sources[source])
        return self._hidden[source]


def matching_numbers(
    store: LogStore,
    matcher: Matcher,
    low: int,
    high: int,
    *,
    back: bool = False,
    shown: LineFilter | None = None,
    step: int = STEP,
) -> Iterator[int | None]:
    """The numbers of lines that match and that a filter shows; None after each `step` lines, for the loop's turn."""
    blocks = store.blocks_back(low, high) if back else store.blocks(low, high)
    for start, raws, sources in blocks:
        offsets = range(0, len(raws), step)
        for offset in reversed(offsets) if back else offsets:
            part, ids = raws[offset : offset + step], sources[offset : offset + step]
            indexes = [*matcher(part, ids)]
            if shown is not None and indexes:
                indexes = sorted({*indexes}.intersection(shown.passing(part, ids)))
            yield from (start + offset + index for index in (reversed(indexes) if back else indexes))
            yield None
