"""Which lines of a store are shown, found out step by step as lines come; and which of them pass a test.

A position counts the lines that a filter leaves, as a number counts those of the store; both stay what they are when
old lines are dropped.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from hivetui.widgets.log.line_text import shown_texts
from hivetui.widgets.log.store import LogStore, Source

STEP = 256  # lines between two looks at the clock
_TRIM = 4096
Test = Callable[[str], object]


class LineFilter:
    """The lines that match (or, inverse, do not), of sources that are not hidden."""

    def __init__(
        self,
        store: LogStore,
        pattern: re.Pattern[str] | None,
        inverse: bool = False,
        hides: Callable[[Source], bool] | None = None,
    ) -> None:
        self.store = store
        self.pattern = pattern
        self.inverse = inverse
        self._hides = hides
        self._hidden: dict[int, bool] = {}
        self._kept = array("Q")
        self._trimmed = 0
        self._tested = store.first

    # Positions

    @property
    def first(self) -> int:
        """The position of the oldest line that is kept and shown."""
        return self._trimmed + bisect_left(self._kept, self.store.first)

    def trim(self) -> None:
        """Forget the numbers of lines that the store has dropped; positions stay what they are."""
        gone = bisect_left(self._kept, self.store.first)
        if gone > _TRIM:
            del self._kept[:gone]
            self._trimmed += gone

    def position(self, number: int) -> int:
        """The position of a line, or of the next one that is shown."""
        return self._trimmed + bisect_left(self._kept, number)

    def number(self, position: int) -> int:
        """The number of the line at a position."""
        return self._kept[position - self._trimmed]

    # Testing

    def step(self) -> bool:
        """Test some of the lines that were not; False when there are none."""
        if self._tested >= self.store.end:
            return False
        start, raws, sources = next(self.store.blocks(self._tested, self._tested + STEP))
        self._kept.extend(start + index for index, passes in enumerate(self._passing(raws, sources)) if passes)
        self._tested = start + len(raws)
        return self._tested < self.store.end

    def forget_from(self, number: int) -> None:
        """Lines from this one on changed places: test them again."""
        del self._kept[bisect_left(self._kept, number) :]
        self._tested = min(self._tested, number)

    def passes(self, raw: bytes, sources: Sequence[int]) -> bool:
        """Whether one line is shown; `sources` holds the id of its source, if it has one."""
        return next(iter(self._passing([raw], sources)))

    def _passing(self, raws: list[bytes], sources: Sequence[int]) -> Iterator[bool]:
        if self.pattern is None:
            return (not self._hides_source(source) for source in sources) if sources else iter([True] * len(raws))
        search, inverse = self.pattern.search, self.inverse
        found = ((search(text) is None) is inverse for text in shown_texts(raws))
        if self._hides is None or not sources:
            return found
        return (ok and not self._hides_source(source) for ok, source in zip(found, sources, strict=True))

    def _hides_source(self, source: int) -> bool:
        if self._hides is None:
            return False
        if source not in self._hidden:
            self._hidden[source] = self._hides(self.store.sources[source])
        return self._hidden[source]


def passing(
    store: LogStore, test: Test, low: int, high: int, *, back: bool = False, shown: LineFilter | None = None
) -> Iterator[int | None]:
    """Numbers of lines that pass a test and that a filter shows; None now and then, so that others have a turn."""
    blocks = store.blocks_back(low, high) if back else store.blocks(low, high)
    for start, raws, sources in blocks:
        offsets = range(0, len(raws), STEP)
        for offset in reversed(offsets) if back else offsets:
            part = raws[offset : offset + STEP]
            found = [offset + index for index, text in enumerate(shown_texts(part)) if test(text)]
            if shown is not None:
                found = [index for index in found if shown.passes(raws[index], sources[index : index + 1])]
            yield from (start + index for index in (reversed(found) if back else found))
            yield None
