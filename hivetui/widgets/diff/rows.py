"""The rows of a diff view: one for each line, or pairs of lines if the diff is shown side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.sides import Sides

_PAIRED_AT_ONCE = 512  # lines


class DiffRows:
    """Translates between rows of the view and lines of the diff."""

    def __init__(self, index: DiffIndex) -> None:
        self._index = index
        self.sides: Sides | None = None  # None: unified

    def __len__(self) -> int:
        return self._index.count if self.sides is None else len(self.sides)

    def show_sides(self, side_by_side: bool) -> None:
        """Pair the lines anew, or show them unified."""
        self.sides = Sides() if side_by_side else None

    def line_of(self, row: int) -> int:
        """The line that a row shows; of a pair, the new one if there is one."""
        return row if self.sides is None else self.sides.line_of(row)

    def row_of(self, line: int) -> int:
        """The row that shows a line. Pairs all lines up to it first."""
        if self.sides is None:
            return line
        if line >= self.sides.taken:
            self.sides.extend(self._index.kinds, line + 1)
        return self.sides.row_of(line)

    def pair_visible(self, top: int) -> bool:
        """Pair the lines that are visible with row `top` at the top; False if more are left to pair."""
        if self.sides is None:
            return True
        line = self.line_of(top) if top < len(self.sides) else self.sides.taken
        return self.sides.extend(self._index.kinds, line + _PAIRED_AT_ONCE)

    def pair_others(self, changed: Callable[[], None]) -> Iterator[None]:
        """Pair the other lines step by step, and call `changed` after each step."""
        while self.sides is not None and not self.sides.extend(self._index.kinds, self.sides.taken + _PAIRED_AT_ONCE):
            changed()
            yield
        changed()
