"""Paints the header and the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from rich.style import Style
from textual.strip import Strip

from hivetui.engine.model.text import cells, safe
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.strips import StyledText, make_strip
from hivetui.widgets.table.columns import MARGIN, ColumnLayout
from hivetui.widgets.table.rows import Column, Row, Tone, cell_of

_CACHED = 512  # characters; longer texts are not cached


class RowPainter:
    """Makes strips of rows, in the columns of a layout."""

    def __init__(self, styles: ComponentStyles, columns: Sequence[Column], layout: ColumnLayout) -> None:
        self._styles = styles
        self._columns = columns
        self._layout = layout

    def header(self, sorted_by: tuple[str, bool] | None) -> Strip:
        """The titles of the columns, with an arrow at the one that sorts."""
        style = self._styles.of("table--header")
        pieces = [(" " * MARGIN, style)]
        for index, width in self._layout.shown:
            column = self._columns[index]
            arrow = "" if sorted_by is None or sorted_by[0] != column.id else " ▼" if sorted_by[1] else " ▲"
            pieces.append((_pad(column.title + arrow, width, column.align) + " ", style))
        return make_strip(pieces)

    def row(self, row: Row, width: int, is_current: bool, is_marked: bool) -> Strip:
        """A row, `width` cells wide."""
        return self._strip(self._cells(row, is_current), width, is_current, is_marked)

    def fold_title(self, text: str, width: int, is_current: bool) -> Strip:
        """The title of the folded group."""
        return self._strip([(text, self._style("dim", is_current))], width, is_current, False)

    def _strip(
        self, pieces: Sequence[StyledText] | Iterator[StyledText], width: int, current: bool, mark: bool
    ) -> Strip:
        plain = self._style("", current)
        margin = ("›" if current else " ") + ("●" if mark else " ")
        return make_strip([(margin, plain), *pieces]).adjust_cell_length(width, plain)

    def _cells(self, row: Row, is_current: bool) -> Iterator[StyledText]:
        for index, width in self._layout.shown:
            text, tone, _ = cell_of(row.cells[index])
            column = self._columns[index]
            pad = _pad if len(text) < _CACHED and column.shorten is safe else _pad.__wrapped__
            yield pad(text, width, column.align, column.shorten) + " ", self._style(tone, is_current)

    def _style(self, tone: Tone, is_current: bool) -> Style:
        if not tone:
            return self._styles.of("table--cursor") if is_current else self._styles.plain
        style = self._styles.of(f"table--{tone}")
        cursor = self._styles.of("table--cursor")
        return style + Style(bgcolor=cursor.bgcolor, reverse=cursor.reverse) if is_current else style


@lru_cache(maxsize=16384)
def _pad(text: str, width: int, align: str, shorten: Callable[[str, int], str] = safe) -> str:
    """A text made safe, cut to `width` cells and filled up to them."""
    shown = shorten(text, width)
    fill = " " * (width - cells(shown))
    return fill + shown if align == "right" else shown + fill
