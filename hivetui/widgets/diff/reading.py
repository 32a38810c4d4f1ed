"""How far the lines of a diff have been read, and which of those that are cut were never visible as a whole.

What was read stays read when the diff is loaded again, by file, blob and line number: with other context, against
another base, or after `main` has moved.
"""

from __future__ import annotations

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
        """The lines that did not fit when they were measured last."""

    def begin(self, text: DiffText) -> None:
        """Begin with another diff."""
        if self._text is not None:
            keys = (self._text.key(line) for line, end in self._ends.items() if end == inf)
            self._kept |= {key for key in keys if key is not None}
        self._text, self._ends = text, {}
        self.cut, self._unread, self._measured_for = [], set(), None

    def measure(self, width: int, text_width: int) -> None:
        """Find the lines that do not fit: headings into `width` cells, the text of others into `text_width`."""
        if self._text is None:
            return
        measured = (width, text_width, self._text.limits)  # which differ where lines are wrapped
        if self._measured_for == measured:
            return
        self._measured_for = measured
        self.cut = list(self._text.wider_than(width, text_width))
        self._unread = {line for line in self.cut if not self.is_read(line)}

    @property
    def unread_count(self) -> int:
        """How many lines are cut and were never visible as a whole."""
        return len(self._unread)

    @property
    def first_unread(self) -> int:
        """The first line that is cut and was never visible as a whole; ask only if there is one."""
        return min(self._unread)

    def unread_from(self, line: int) -> list[int]:
        """The lines that are cut and were never visible as a whole: those from `line` on, then those before it."""
        lines = sorted(self._unread)
        return [one for one in lines if one >= line] + [one for one in lines if one < line]

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
