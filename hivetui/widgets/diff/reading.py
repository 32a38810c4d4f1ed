"""How far the lines of a diff have been read, and which of those that are cut were never visible as a whole.

What was read stays read when the diff is loaded again, by file, blob and line number: with other context, against
another base, or after `main` has moved. Which lines are cut is found in steps, since a diff may have millions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivetui.widgets.diff.text import DiffText, LineKey


class Reading:
    """The lines of one diff after the other that were visible, and the lines that are cut in the present one."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        """For each line that was on the screen, the column up to which all of its text was visible at some time."""
        self._kept: set[LineKey] = set()
        """The lines that were read in diffs before this one."""
        self._text: DiffText | None = None
        self._measured_for: tuple[int, int, object] | None = None
        self._unread: set[int] = set()
        self.cut: list[int] = []
        """The lines that do not fit, as far as they have been measured."""
        self.is_measured = False
        """Whether all lines have been measured."""

    def begin(self, text: DiffText) -> None:
        """Begin with another diff."""
        if self._text is not None:
            keys = (self._text.key(line) for line, end in self._ends.items() if end == inf)
            self._kept |= {key for key in keys if key is not None}
        self._text, self._ends = text, {}
        self._forget_measured()

    def _forget_measured(self) -> None:
        self.cut, self._unread, self._measured_for, self.is_measured = [], set(), None, False

    def measure(self, width: int, text_width: int) -> Iterator[bool] | None:
        """The steps that find the lines that do not fit: headings into `width` cells, others into `text_width`.

        The last step gives True. None if the lines are or have been measured for this size.
        """
        if self._text is None:
            return None
        measured = (width, text_width, self._text.limits)  # which differ where lines are wrapped
        if self._measured_for == measured:
            return None
        self._forget_measured()
        self._measured_for = measured
        return self._steps(self._text.wider_than(width, text_width), measured)

    def _steps(self, wide: Iterator[int | None], measured: object) -> Iterator[bool]:
        for line in wide:
            if line is None:
                yield False
                if self._measured_for is not measured:  # for another size meanwhile, or in another diff
                    return
                continue
            self.cut.append(line)
            if not self.is_read(line):
                self._unread.add(line)
        self.cut.sort()  # headings were measured before the rest
        self.is_measured = True
        yield True

    @property
    def unread_count(self) -> int:
        """How many lines are cut and were never visible as a whole."""
        return len(self._unread)

    @property
    def first_unread(self) -> int:
        """The first line that is cut and was not read; ask only if there is one, and all have been measured."""
        return next(self.unread_from(0))

    def unread_from(self, line: int) -> Iterator[int]:
        """The lines that are cut and were never visible as a whole: those from `line` on, then those before it."""
        at = bisect_left(self.cut, line)
        lines = chain(islice(self.cut, at, None), islice(self.cut, at))
        return (one for one in lines if one in self._unread)

    def note(self, line: int, start: int, end: int, length: int) -> None:
        """The columns from `start` to before `end` of a text of `length` cells are visible."""
        before = self._ends.get(line, 0)
        if before != inf and start <= before <= end:
            self._ends[line] = inf if end >= length else end
            if end >= length:
                self._unread.discard(line)

    def mark_read(self, line: int) -> None:
        """The whole text of a line was visible elsewhere."""
        self._ends[line] = inf
        self._unread.discard(line)

    def is_read(self, line: int) -> bool:
        """Whether the whole text was visible, at once or in parts."""
        if self._ends.get(line) == inf:
            return True
        return bool(self._kept) and self._text is not None and self._text.key(line) in self._kept

    def forget_parts(self) -> None:
        """Forget lines that were read in part: their columns have changed."""
        self._ends = {line: end for line, end in self._ends.items() if end == inf}
