"""The scrollbar of a view of lines: its last column."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip

from hivetui.widgets.lines.component_styles import ComponentStyles

_KEPT_ROWS = 512


class Scrollbar:
    """Makes the cells of the scrollbar, and appends them to rows.

    Rows with their cell are cached: the same row gives the same strip, and Textual keeps in a strip what it writes to
    the terminal for it.
    """

    def __init__(self, styles: ComponentStyles) -> None:
        self._styles = styles
        self._rows: dict[tuple[int, str], tuple[Strip, Strip]] = {}  # by id of the row and text of the cell

    def clear(self) -> None:
        """Forget the cached rows: styles or width changed."""
        self._rows.clear()

    def cells(self, page: int, count: int, offset: int) -> list[Segment]:
        """The column for `page` rows that show `count` lines from the line at `offset` on."""
        if count <= page:
            return [Segment(" ", self._styles.plain)] * page
        track, thumb = Segment("│", self._styles.of("lines--track")), Segment("█", self._styles.of("lines--thumb"))
        size = max(1, page * page // max(1, count))
        start = round((page - size) * min(1.0, max(0, offset) / max(1, count - page)))
        return [thumb if start <= y < start + size else track for y in range(page)]

    def append_to(self, row: Strip, cell: Segment, width: int) -> Strip:
        """A row filled up or cut to `width` cells, and its cell of the scrollbar."""
        key = (id(row), cell.text)
        kept = self._rows.get(key)
        if kept is None:
            if len(self._rows) >= _KEPT_ROWS:
                self._rows.clear()
            kept = self._rows[key] = (row, self._join(row, cell, width))  # holds the row, so that its id is not reused
        return kept[1]

    def _join(self, row: Strip, cell: Segment, width: int) -> Strip:
        missing = width - row.cell_length
        segments = list(row if missing >= 0 else row.crop(0, width))
        if missing > 0:
            segments.append(Segment(" " * missing, self._styles.plain))
        segments.append(cell)
        return Strip(segments, width + 1)
