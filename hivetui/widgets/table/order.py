"""Which rows of a table are shown, and in which order: sorted, filtered, folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hivetui.widgets.table.rows import Column, Row, cell_of

FOLD_KEY = "\0fold"  # the key of the title of the folded group; no key from outside contains a NUL


class RowOrder:
    """Rows by key, and the keys in the order in which they are shown."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.rows: dict[str, Row] = {}  # in the order in which they were given
        self.keys: list[str] = []
        self.places: dict[str, int] = {}  # the index of each key
        self.filter = ""  # casefolded
        self.sorted_by: tuple[str, bool] | None = None  # the id of a column, and whether in reverse
        self.unfolded = False

    @property
    def folded_count(self) -> int:
        """How many rows are in the folded group."""
        return sum(row.folded for row in self.rows.values())

    def arrange(self) -> None:
        """Filter and sort anew."""
        rows = self._matching_rows()
        if self.sorted_by is not None:
            column, reverse = self.sorted_by
            index = next(index for index, candidate in enumerate(self._columns) if candidate.id == column)
            rows.sort(key=lambda row: _sort_key(row, index), reverse=reverse)
        self.keys = [row.key for row in rows if not row.folded]
        folded = [row.key for row in rows if row.folded]
        if folded:
            self.keys.append(FOLD_KEY)
            self.keys += folded if self.unfolded or self.filter else []
        self.places = {key: place for place, key in enumerate(self.keys)}

    def next_sort(self, column: str) -> tuple[str | None, bool]:
        """What to sort by if a column is chosen: it, the second time in reverse, the third time the order given."""
        return (None, False) if self.sorted_by == (column, True) else (column, self.sorted_by == (column, False))

    def best_match(self) -> str | None:
        """The key of the shown row that the filter fits best: by its name, or by the beginning of a cell; else None."""
        shown = [key for key in self.keys if key != FOLD_KEY]
        return min(shown, key=lambda key: self._rank(self.rows[key])) if self.filter and shown else None

    def _matching_rows(self) -> list[Row]:
        """The rows whose names contain the filter or, if there are none, those with it in any cell."""
        rows = list(self.rows.values())
        if not self.filter:
            return rows
        named = [row for row in rows if any(self.filter in name for name in self._names(row))]
        return named or [row for row in rows if any(self.filter in text for text in _texts(row))]

    def _rank(self, row: Row) -> int:
        texts = list(self._names(row)) or _texts(row)
        if self.filter in texts:
            return 0
        return 1 if any(text.startswith(self.filter) for text in texts) else 2

    def _names(self, row: Row) -> Iterator[str]:
        for column, text in zip(self._columns, _texts(row), strict=True):
            if column.names:
                yield text


def _texts(row: Row) -> list[str]:
    return [(cell if isinstance(cell, str) else cell.text).casefold() for cell in row.cells]


def _sort_key(row: Row, index: int) -> tuple[float, str]:
    cell = cell_of(row.cells[index])
    value = cell.text if cell.sort is None else cell.sort
    return (0.0, value.casefold()) if isinstance(value, str) else (float(value), "")
