"""A dialog to read texts one by one: a list of what there is, and below it the one that is chosen, in full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from hivetui.engine.model.text import safe_lines
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.widgets.table.line_table import Column, LineTable, Row

MOST_LINES = 5000
"""So many lines of a text are shown; what is longer ends with a line that says how much is not."""

MOST_ROWS = 7
"""So many lines of the list are seen at once."""


class Page(NamedTuple):
    """One text and its line in the list; neither is safe yet."""

    title: str
    text: str


class PagesDialog(Dialog[None]):
    """Shows `pages`; `more` says what is not among them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,m,enter", "leave", "leave"),
        Binding("j,down,right_square_bracket,n", "next", "next"),
        Binding("k,up,left_square_bracket,N", "previous", "previous"),
        Binding("space,pagedown,ctrl+d,J", "page_down", "page down"),
        Binding("pageup,ctrl+u,K,b", "page_up", "page up"),
    ]
    DEFAULT_CSS = """
    PagesDialog > .box { width: 100; height: 90%; }
    PagesDialog LineTable { margin-top: 1; }
    PagesDialog VerticalScroll { height: 1fr; margin-top: 1; border-top: solid $panel; }
    PagesDialog VerticalScroll Static { width: 100%; height: auto; }
    """

    def __init__(self, title: str, pages: Iterable[Page], more: str = "") -> None:
        super().__init__()
        self._title, self._pages, self._more = title, tuple(pages), more

    def compose(self) -> ComposeResult:
        """What is read, the list, the text, the keys."""
        with Vertical(classes="box"):
            yield question_label(self._title)
            table = LineTable((Column("title", self._more or "what there is", 20, 200),))
            table.can_focus = False
            yield table
            with VerticalScroll(can_focus=False):
                yield Static("", id="text", markup=False)
            yield Static("j k  which    space  further down    esc  leave", classes="answers", markup=False)

    def on_mount(self) -> None:
        """The first one is shown."""
        rows = [Row(str(number), (page.title,)) for number, page in enumerate(self._pages)]
        self.query_one(LineTable).styles.height = 1 + min(len(rows), MOST_ROWS)
        self.query_one(LineTable).set_rows(rows)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show that one, from its beginning."""
        if message.key is not None:
            self.query_one("#text", Static).update("\n".join(page_lines(self._pages[int(message.key)].text)))
            self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_next(self) -> None:
        """The next one."""
        self.query_one(LineTable).action_line_down()

    def action_previous(self) -> None:
        """The one before."""
        self.query_one(LineTable).action_line_up()

    def action_page_down(self) -> None:
        """On in the text."""
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Back in the text."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)


def page_lines(text: str) -> list[str]:
    """The safe lines of a text, and one that says how many more there are."""
    lines = text.rstrip("\n").split("\n")
    rest = len(lines) - MOST_LINES
    told = [line for part in lines[:MOST_LINES] for line in safe_lines(part, 20_000)]
    return told + ([f"… {rest} more lines"] if rest > 0 else [])
