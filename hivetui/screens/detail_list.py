"""A list with a detail below it, in which the texts of the row under the cursor are complete and wrapped."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console.stylesheets import read_stylesheet
from hivetui.console.terminal.status_text import StatusText
from hivetui.screens.listing import ListScreen
from hivetui.widgets.table.line_table import LineTable


class DetailListScreen(ListScreen):
    """Subclasses give the detail. It takes as many rows as it needs, up to a third of the screen."""

    DEFAULT_CSS = read_stylesheet(__file__)

    def body(self) -> Iterable[Widget]:
        """Notices, the table, the detail, the prompt of the filter."""
        *above, prompt = super().body()
        yield from (*above, StatusText("", classes="detail", markup=False), prompt)

    def detail(self) -> Content:
        """The texts of the row under the cursor; empty without a row."""
        raise NotImplementedError

    def show_detail(self) -> None:
        """Paint the detail of the row under the cursor."""
        if self.is_ready:
            text = self.detail()
            panel = self.query_one(".detail", Static)
            if not (isinstance(panel.content, Content) and text.is_same(panel.content)):
                panel.update(text)
                panel.set_class(bool(text.plain), "some")

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show its detail, and refresh the keys: which are legal depends on the row."""
        self.show_detail()
        self.refresh_bindings()
