"""How far the lines have been read whose text does not fit into the view."""

from __future__ import annotations

from math import inf


class ReadColumns:
    """For each line that was on the screen, the column up to which all of its text was visible at some time."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}

    def note(self, line: int, start: int, end: int, length: int) -> None:
        """The columns from `start` to before `end` of a text of `length` cells are visible."""
        if end >= length and start == 0:
            self._ends[line] = inf
            return
        before = self._ends.get(line, 0)
        if start <= before < end:
            self._ends[line] = inf if end >= length else end

    def is_read(self, line: int) -> bool:
        """Whether the whole text was visible, at once or in parts."""
        return self._ends.get(line) == inf

    def forget_parts(self) -> None:
        """Forget lines that were read in part: their columns have changed."""
        self._ends = {line: end for line, end in self._ends.items() if end == inf}
