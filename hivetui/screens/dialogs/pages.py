"""A dialog in which texts are read one by one: the list of them, and below it the selected one in full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe_lines
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column, Row

MAX_LINES = 5000
"""How many lines of a text are shown; a last line counts the others."""
MAX_ROWS = 7
"""How many rows of the list are visible at once."""
_LINE_CELLS = 20_000


class Page(NamedTuple):
    """One text and its row in the list; neither is escaped yet."""

    title: str
    text: str


class PagesDialog(Dialog[None]):
    """Shows `pages`; `note` is the heading of the list, and says for example how many texts are left out."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("pages")
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, title: str, pages: Iterable[Page], note: str = "") -> None:
        super().__init__()
        self._title, self._pages, self._note = title, tuple(pages), note

    def compose(self) -> ComposeResult:
        """The title, the list, the text, the keys."""
        with Vertical(classes="box"):
            yield question_label(self._title)
            table = LineTable((Column("title", self._note or "contents", 20, 200),))
            table.can_focus = False
            yield table
            with VerticalScroll(can_focus=False):
                yield Static("", id="text", markup=False)
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
            self.query_one("#text", Static).update("\n".join(page_lines(self._pages[int(message.key)].text)))
            self.query_one(VerticalScroll).scroll_home(animate=False)

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
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll the text a page up."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)


def page_lines(text: str) -> list[str]:
    """The escaped lines of a text, at most MAX_LINES, and a line that counts the others."""
    lines = text.rstrip("\n").split("\n")
    escaped = [line for part in lines[:MAX_LINES] for line in safe_lines(part, _LINE_CELLS)]
    hidden = len(lines) - MAX_LINES
    return escaped + ([f"… {hidden} more {'line' if hidden == 1 else 'lines'}"] if hidden > 0 else [])
