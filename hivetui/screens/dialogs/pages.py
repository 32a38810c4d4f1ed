"""A dialog in which texts are read one by one: the list of them, and below it the selected one in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.widgets.diff.whole_text import WholeText
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column, Row

MAX_ROWS = 7
"""How many rows of the list are visible at once."""


class Page(NamedTuple):
    """One text and its row in the list; neither is escaped yet."""

    title: str
    text: str


class PagesDialog(Dialog[None]):
    """Shows `pages`; `note` is the heading of the list, and says for example how many texts are left out.

    `on_read` is called with each page whose end has been visible.
    """

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("pages")
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(
        self, title: str, pages: Iterable[Page], note: str = "", on_read: Callable[[Page], None] | None = None
    ) -> None:
        super().__init__()
        self._title, self._pages, self._note, self._on_read = title, tuple(pages), note, on_read

    def compose(self) -> ComposeResult:
        """The title, the list, the text, the keys."""
        with Vertical(classes="box"):
            yield question_label(self._title)
            table = LineTable((Column("title", self._note or "contents", 20, 200),))
            table.can_focus = False
            yield table
            yield WholeText()
            keys = (("pages.next pages.previous", "choose"), ("pages.page_down", "scroll"), ("dialog.leave", "close"))
            yield Static(self.hint(*keys), classes="answers", markup=False)

    def on_mount(self) -> None:
        """Fill the list, which selects the first text."""
        rows = [Row(str(number), (page.title,)) for number, page in enumerate(self._pages)]
        table = self.query_one(LineTable)
        table.styles.height = 1 + min(len(rows), MAX_ROWS)
        table.set_rows(rows)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show the selected text from its beginning."""
        if message.key is not None:
            number = int(message.key)
            self.query_one(WholeText).show(self._pages[number].text.rstrip("\n"), number)

    def on_whole_text_end_reached(self, message: WholeText.EndReached) -> None:
        """A text has been read, after which another one may have been selected."""
        if self._on_read is not None:
            self._on_read(self._pages[message.number])

    def action_next(self) -> None:
        """Select the next text."""
        self.query_one(LineTable).action_line_down()

    def action_previous(self) -> None:
        """Select the previous text."""
        self.query_one(LineTable).action_line_up()

    def action_first(self) -> None:
        """Select the first text."""
        self.query_one(LineTable).action_first()

    def action_last(self) -> None:
        """Select the last text."""
        self.query_one(LineTable).action_last()

    def action_page_down(self) -> None:
        """Scroll the text a page down."""
        self.query_one(WholeText).action_page_down()

    def action_page_up(self) -> None:
        """Scroll the text a page up."""
        self.query_one(WholeText).action_page_up()
