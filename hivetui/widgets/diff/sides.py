"""The rows of a side-by-side diff: which old line stands beside which new line."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import repeat

_RUN = re.compile(rb"[^-+\\]+|(-*)(\\?)(\+*)(\\?)")
NONE = -1


class Sides:
    """Rows as pairs of lines: `NONE` where a side is empty, the same line on both sides for context and headers."""

    def __init__(self) -> None:
        self.left = array("l")
        self.right = array("l")
        self._lines = array("l")
        self._rows = array("l")
        self.taken = 0  # how many lines have been paired

    def __len__(self) -> int:
        return len(self.left)

    def extend(self, kinds: bytearray, until: int | None = None) -> bool:
        """Pair lines that arrived since the last call, at least those before `until`. True if all are paired.

        The last run of changed lines may have grown, so it is paired again.
        """
        start, until = 0, len(kinds) if until is None else until
        if self._lines:
            start, row = self._lines.pop(), self._rows.pop()
            del self.left[row:], self.right[row:]
        for match in _RUN.finditer(kinds, start):
            if match.end() > match.start():
                self._lines.append(match.start())
                self._rows.append(len(self.left))
                self._add(match)
            if match.end() >= until:
                break
        self.taken = match.end() if kinds else 0
        return self.taken == len(kinds)

    def _add(self, match: re.Match[bytes]) -> None:
        (start, end), old, old_end, new, new_end = match.regs
        if old[0] < 0 or (old[0] == old[1] and old_end[0] != old_end[1]):
            lines = range(start, end)
            self.left.extend(lines)
            self.right.extend(lines)
            return
        self._pair(range(*old), range(*new))
        if old_end[0] != old_end[1] or new_end[0] != new_end[1]:
            self._pair(range(*old_end), range(*new_end))

    def _pair(self, left: range, right: range) -> None:
        self.left.extend(left)
        self.right.extend(right)
        missing = len(right) - len(left)
        if missing > 0:
            self.left.extend(repeat(NONE, missing))
        elif missing < 0:
            self.right.extend(repeat(NONE, -missing))

    def row_of(self, line: int) -> int:
        """The row that shows a line."""
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
        """The line that a row shows: the new one, if there is one."""
        return self.right[row] if self.right[row] != NONE else self.left[row]
