"""The rows of a diff view: one for each line, or pairs of lines if the diff is shown side by side; and inserted rows.

A row can be inserted after a line, as for a note about it. It belongs to that line: who asks for the line of such a row
gets the line above it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.sides import Sides

_PAIRED_AT_ONCE = 512  # lines


class DiffRows:
    """Translates between rows of the view and lines of the diff."""

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self.sides: Sides | None = None  # None: unified
        self._inserted: tuple[int, ...] = ()  # the lines after which a row is inserted
        self._order: list[int] = []  # of the inserted rows, from top to bottom: their places in `_inserted`
        self._places: list[int] = []  # of the inserted rows, from top to bottom
        self._placed_for: int | None = None  # how many lines were paired when the rows were placed

    def __len__(self) -> int:
        return self._line_rows + len(self._inserted_rows)

    @property
    def _line_rows(self) -> int:
        return self._index.count if self.sides is None else len(self.sides)

    def show_sides(self, side_by_side: bool) -> None:
        """Pair the lines anew, or show them unified."""
        self.sides = Sides() if side_by_side else None
        self._placed_for = None

    def insert(self, lines: Sequence[int]) -> None:
        """Insert a row after each of these lines, in place of those inserted before."""
        self._inserted = tuple(lines)
        self._placed_for = None

    @property
    def _inserted_rows(self) -> list[int]:
        taken = -1 if self.sides is None else self.sides.taken
        if self._placed_for != taken:
            known = [at for at, line in enumerate(self._inserted) if taken < 0 or line < taken]
            found = sorted((self._line_row(self._inserted[at]), at) for at in known)
            self._order = [at for _, at in found]
            self._places = [row + 1 + above for above, (row, _) in enumerate(found)]
            self._placed_for = taken
        return self._places

    def inserted_at(self, row: int) -> int | None:
        """Which of the inserted rows this is, by its place in what was given to `insert`; None for a row of lines."""
        places = self._inserted_rows
        above = bisect_left(places, row)
        return self._order[above] if above < len(places) and places[above] == row else None

    def _without_inserted(self, row: int) -> int:
        """The same row if none was inserted; of an inserted row that of its line."""
        places = self._inserted_rows
        above = bisect_left(places, row)
        is_inserted = above < len(places) and places[above] == row
        return row - above - is_inserted

    def lines_of(self, row: int) -> tuple[int, int]:
        """The old and the new line that a row shows; the same one if the diff is unified."""
        row = self._without_inserted(row)
        return (row, row) if self.sides is None else (self.sides.left[row], self.sides.right[row])

    def line_of(self, row: int) -> int:
        """The line that a row shows; of a pair, the new one if there is one."""
        row = self._without_inserted(row)
        return row if self.sides is None else self.sides.line_of(row)

    def row_of(self, line: int) -> int:
        """The row that shows a line. Pairs all lines up to it first."""
        row = self._line_row(line)
        for place in self._inserted_rows:
            if place > row:
                break
            row += 1
        return row

    def _line_row(self, line: int) -> int:
        if self.sides is None:
            return line
        if line >= self.sides.taken:
            self.sides.extend(self._index.kinds, line + 1)
        return self.sides.row_of(line)

    def pair_visible(self, top: int) -> bool:
        """Pair the lines that are visible with row `top` at the top; False if more are left to pair."""
        if self.sides is None:
            return True
        line = self.line_of(top) if top < len(self) else self.sides.taken
        return self.sides.extend(self._index.kinds, line + _PAIRED_AT_ONCE)

    def pair_others(self, changed: Callable[[], None]) -> Iterator[None]:
        """Pair the other lines step by step, and call `changed` after each step."""
        while self.sides is not None and not self.sides.extend(self._index.kinds, self.sides.taken + _PAIRED_AT_ONCE):
            changed()
            yield
        changed()
