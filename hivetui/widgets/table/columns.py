"""Which columns of a table fit, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence

from hivetui.engine.model.text import cells, safe
from hivetui.widgets.table.rows import Column, Row

MARGIN = 2  # cells before the first column, for cursor and mark
GAP = 1  # cells after each column
MEASURED = 512  # characters of a text


class ColumnLayout:
    """Widths of columns: enough for the texts seen so far, as far as there is space. Empty columns give theirs up."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.shown: list[tuple[int, int]] = []  # the index and width of each column that fits
        self.forget()

    def forget(self) -> None:
        """Forget the texts seen so far: other rows follow, for which columns may be narrower."""
        self._wanted = [cells(column.title) + 2 for column in self._columns]  # 2 for the arrow of the sorted column
        self._longest = [0] * len(self._columns)  # of the texts seen so far
        self._has_rows = False
        self._fitted: int | None = None  # the width that `shown` is for

    def grow(self, rows: Sequence[Row]) -> bool:
        """Make columns want enough for the texts of rows; they never shrink. True if any grew."""
        before = (*self._longest, self._has_rows)
        self._has_rows = self._has_rows or bool(rows)
        for index, column in enumerate(self._columns):
            if self._longest[index] < column.max_width:
                texts = (row[1][index] for row in rows)
                longest = max((_shown_width(cell if isinstance(cell, str) else cell[0]) for cell in texts), default=0)
                self._longest[index] = max(self._longest[index], longest)
                self._wanted[index] = max(self._wanted[index], longest)
        if (*self._longest, self._has_rows) == before:
            return False
        self._fitted = None
        return True

    def fit(self, width: int) -> None:
        """Choose columns and widths: first the minimum or `enough`, by priority; then what they want, by priority.

        A column without any text is left out, and no column is wider than its texts and its title.
        """
        if width == self._fitted:
            return
        self._fitted, left = width, width - MARGIN
        widths: dict[int, int] = {}
        for index in self._by_priority():
            minimum = self._columns[index].min_width
            if self._has_rows:
                minimum = min(minimum, self._wanted[index])
            if minimum + GAP > left:
                break
            enough = min(self._columns[index].enough, self._wanted[index], left - GAP)
            widths[index] = max(minimum, enough)
            left -= widths[index] + GAP
        for index in filter(widths.__contains__, self._by_priority()):
            wanted = min(self._columns[index].max_width, self._wanted[index]) - widths[index]
            extra = max(0, min(left, wanted))
            widths[index] += extra
            left -= extra
        self.shown = sorted(widths.items())

    def _by_priority(self) -> list[int]:
        filled = (index for index in range(len(self._columns)) if self._longest[index] or not self._has_rows)
        return sorted(filled, key=lambda index: -self._columns[index].priority)

    def column_at(self, x: int) -> Column | None:
        """The column that is shown at a cell of a row."""
        start = MARGIN
        for index, width in self.shown:
            if start <= x < start + width + GAP:
                return self._columns[index]
            start += width + GAP
        return None


def _shown_width(text: str) -> int:
    return len(text) if text.isascii() and text.isprintable() else cells(safe(text[:MEASURED]))
