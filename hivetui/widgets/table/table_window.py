"""Rows under a header: in columns that fit, sorted, filtered and folded, repainted only where a visible row differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region
from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.table.columns import ColumnLayout
from hivetui.widgets.table.order import FOLD_KEY, RowOrder
from hivetui.widgets.table.painting import RowPainter
from hivetui.widgets.table.rows import Column, Row


class TableWindow(LineView):
    """The rows of a table. A subclass says by `rearrange` what happens to them, and by `paint_row` how each looks."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--plain",
        *(f"table--{tone}" for tone in ("good", "bad", "warn", "dim", "busy", "strong")),
    }
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        fold_title: str = "folded",
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.fold_title = fold_title
        self.empty = empty  # shown while there are no rows
        self.order = RowOrder(columns)
        self.column_layout = ColumnLayout(columns)
        self.painter = RowPainter(self.component_styles, columns, self.column_layout)
        self._columns = tuple(columns)
        self._painted: list[str] = []  # the keys of the visible rows

    # Order and filter

    def rearrange(self) -> None:
        """Arrange and repaint all rows: a person asked for another order or other rows."""
        raise NotImplementedError

    def filter(self, text: str) -> None:
        """Show only rows with this text, whatever its case, folded ones too; "" shows all.

        If names of rows contain it, only those rows are shown, else those with it in any cell.
        """
        self.order.filter = text.casefold()
        self.rearrange()

    def sort(self, column: str | None, reverse: bool = False) -> None:
        """Sort by the column of an id; None restores the order in which the rows were given."""
        self.order.sorted_by = None if column is None else (column, reverse)
        self.rearrange()

    def action_toggle_fold(self) -> None:
        """Show or hide the folded group."""
        self.order.unfolded = not self.order.unfolded
        self.rearrange()

    @property
    def sorted_by(self) -> tuple[str, bool] | None:
        """The id of the column that sorts, and whether in reverse."""
        return self.order.sorted_by

    @property
    def shown(self) -> tuple[str, ...]:
        """The keys of the rows that filter and folding leave, in their order."""
        return tuple(key for key in self.order.keys if key != FOLD_KEY)

    @property
    def rows_given(self) -> int:
        """How many rows there are, shown or not."""
        return len(self.order.rows)

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The ids of the columns that fit."""
        return tuple(self._columns[index].id for index, _ in self.column_layout.shown)

    # Painting

    @property
    def page(self) -> int:
        """How many rows fit under the header."""
        return max(1, self.area.height - 1)

    def line_count(self) -> int:
        """How many rows there are to scroll through."""
        return len(self.order.keys)

    def build_rows(self) -> list[Strip]:
        """The header, and the window below it."""
        self.area = self.size
        self.column_layout.fit(self.line_width)
        header = self.painter.header(self.sorted_by)
        return [header.adjust_cell_length(self.area.width, self.style_of("table--header")), *super().build_rows()]

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        self._painted = self.order.keys[self.top : self.top + height]
        if not self._painted and self.empty:
            return [make_strip([(safe(self.empty, width), self.style_of("table--dim"))])]
        return [self.paint_row(key) for key in self._painted]

    def paint_row(self, key: str) -> Strip:
        """The strip of a row, or of the title of the folded group."""
        raise NotImplementedError

    def fold_label(self) -> str:
        """The title of the folded group, with its size."""
        return f"{'▾' if self.order.unfolded else '▸'} {self.fold_title} ({self.order.folded_count})"

    def repaint_changes(self, old_top: int, before: dict[str, Row]) -> None:
        """Repaint if the top row is not `old_top` any more, or visible rows differ from the rows `before`."""
        if self.top != old_top or not self._is_painted():
            self.repaint()
            return
        rows, visible = self.order.rows, self.order.keys[self.top : self.top + self.page]
        pairs = zip(visible, self._painted, strict=True)
        if not all(new == old and rows.get(new) == before.get(new) for new, old in pairs):
            self.changed()

    def repaint_rows(self, old_top: int, *keys: str | None) -> None:
        """Repaint only these of the visible rows, if the top row is still `old_top`."""
        if self.top != old_top or not self._is_painted() or self._window is None:
            self.repaint()
            return
        bar = self.scrollbar.cells(self.page, self.line_count(), self.top)
        for key in keys:
            y = self.order.places.get(key or "", -1) - self.top
            if key is not None and 0 <= y < self.page:
                self._window[y + 1] = self.scrollbar.append_to(self.paint_row(key), bar[y], self.line_width)
                self.refresh(Region(0, y + 1, self.area.width, 1))

    def _is_painted(self) -> bool:
        """Whether the screen shows the current window, so that single rows of it can be repainted."""
        return self._window is not None and len(self._painted) == min(self.page, self.line_count() - self.top)
