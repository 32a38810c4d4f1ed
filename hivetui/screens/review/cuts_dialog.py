"""A dialog that opens what is cut on the screen, one text after the other, each whole however long it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.base import Dialog
from hivetui.screens.review.cuts import Cut
from hivetui.screens.view_actions import ViewActions
from hivetui.widgets import wording
from hivetui.widgets.diff.whole_text import WholeText

_PLACE_CELLS = 120


class CutsDialog(ViewActions, Dialog[Cut]):
    """Shows `cuts`, of `count` in all; `on_read` is called with each when its end has been visible.

    Returns the one that was shown last, None if it was left by `esc`.
    """

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("cuts")
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, cuts: Sequence[Cut], count: int, on_read: Callable[[Cut], None]) -> None:
        super().__init__()
        self._cuts, self._count, self._on_read = cuts, count, on_read
        self._at = 0

    def compose(self) -> ComposeResult:
        """The place of the text, the text, the keys."""
        with Vertical(classes="box"):
            yield Static("", classes="question", markup=False)
            yield WholeText()
            keys = (
                ("cuts.read_on", "read on"),
                ("cuts.previous cuts.next", "choose"),
                ("cuts.page_up", "back"),
                ("cuts.close", "close"),
            )
            yield Static(self.hint(*keys), classes="answers", markup=False)

    def on_mount(self) -> None:
        """Show the first text."""
        self._show()

    @property
    def view(self) -> WholeText:
        """The view of the text."""
        return self.query_one(WholeText)

    @property
    def current(self) -> Cut:
        """The text that is shown."""
        return self._cuts[self._at]

    def _show(self) -> None:
        size = wording.format_size(len(self.current.text.encode("utf-8", "surrogateescape")))
        place = f"{safe(self.current.place, _PLACE_CELLS)}, {size}: {self._at + 1} of {self._count} not read"
        self.query_one(".question", Static).update(place)
        self.view.show(self.current.text, self._at)

    def on_whole_text_end_reached(self, message: WholeText.EndReached) -> None:
        """A text has been read, which another one may have followed by now."""
        self._on_read(self._cuts[message.number])

    def action_read_on(self) -> None:
        """Scroll a page down; at the end open the next text, and after the last close."""
        if not self.view.is_read:
            self.view.action_page_down()
        elif self._at + 1 < len(self._cuts):
            self.action_next()
        else:
            self.dismiss(self.current)

    def action_next(self) -> None:
        """Open the next text."""
        self._go_to(self._at + 1)

    def action_previous(self) -> None:
        """Open the text before."""
        self._go_to(self._at - 1)

    def _go_to(self, at: int) -> None:
        if 0 <= at < len(self._cuts):
            self._at = at
            self._show()

    def action_close(self) -> None:
        """Close, and go to the place of the text."""
        self.dismiss(self.current)
