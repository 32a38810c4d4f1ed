"""The rows of a difference side by side: which old line stands beside which new one."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import repeat

_RUN = re.compile(rb"[^-+\\]+|(?P<old>-*)(?P<old_end>\\?)(?P<new>\+*)(?P<new_end>\\?)")
NONE = -1


class Sides:
    """Rows as pairs of line numbers, -1 where a side is empty; the same on both sides for context and headers."""

    def __init__(self) -> None:
        self.left = array("l")
        self.right = array("l")
        self._lines = array("l")
        self._rows = array("l")

    def __len__(self) -> int:
        return len(self.left)

    def extend(self, kinds: bytearray) -> None:
        """Take the lines that came since the last time; the last run may have grown and is taken again."""
        start = 0
        if self._lines:
            start, row = self._lines.pop(), self._rows.pop()
            del self.left[row:], self.right[row:]
        for match in _RUN.finditer(kinds, start):
            if match.end() > match.start():
                self._lines.append(match.start())
                self._rows.append(len(self.left))
                self._add(match)

    def _add(self, match: re.Match[bytes]) -> None:
        start, end = match.span()
        old, new = match.span("old"), match.span("new")
        if old[0] < 0 or (old[0] == old[1] and match["old_end"]):
            self._pair(range(start, end), range(start, end))
            return
        self._pair(range(*old), range(*new))
        ends = match.span("old_end"), match.span("new_end")
        self._pair(range(*ends[0]), range(*ends[1]))

    def _pair(self, left: range, right: range) -> None:
        self.left.extend(left)
        self.right.extend(right)
        self.left.extend(repeat(NONE, max(0, len(right) - len(left))))
        self.right.extend(repeat(NONE, max(0, len(left) - len(right))))

    def row_of(self, line: int) -> int:
        """The row in which a line is shown."""
        index = bisect_right(self._lines, line) - 1
        if index < 0:
            return 0
        low = self._rows[index]
        high = self._rows[index + 1] if index + 1 < len(self._rows) else len(self.left)
        for row in range(low, high):
            if line in (self.left[row], self.right[row]):
                return row
        return low

    def line_of(self, row: int) -> int:
        """The line that stands for a row: the new one, where there is one."""
        return self.right[row] if self.right[row] != NONE else self.left[row]
