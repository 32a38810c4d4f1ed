"""A short list from which one option is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.screens.dialogs.base import Dialog, question_label
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column, Row

MAX_ROWS = 12
"""How many options are visible at once."""


class ChoiceDialog(Dialog[str]):
    """Returns the key of the chosen one of `options`, which are (key, text), or None."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(
        "dialog", only=frozenset({"close", "next", "previous", "first", "last", "choose"})
    )

    def __init__(self, question: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._options = question, options

    def compose(self) -> ComposeResult:
        """The question, the list, the keys."""
        keys = (("dialog.next dialog.previous", "choose"), ("dialog.choose", "select"), ("dialog.leave", "cancel"))
        with Vertical(classes="box"):
            yield question_label(self._question)
            table = LineTable((Column("words", "", 20, 200),))
            table.can_focus = False
            yield table
            yield Static(self.hint(*keys), classes="answers", markup=False)

    def on_mount(self) -> None:
        """Fill the list."""
        table = self.query_one(LineTable)
        table.styles.height = 1 + min(len(self._options), MAX_ROWS)
        table.set_rows([Row(key, (text,)) for key, text in self._options])

    def action_next(self) -> None:
        """Move to the next option."""
        self.query_one(LineTable).action_line_down()

    def action_previous(self) -> None:
        """Move to the previous option."""
        self.query_one(LineTable).action_line_up()

    def action_first(self) -> None:
        """Move to the first option."""
        self.query_one(LineTable).action_first()

    def action_last(self) -> None:
        """Move to the last option."""
        self.query_one(LineTable).action_last()

    def action_choose(self) -> None:
        """Return the option, if the key was deliberate."""
        if (current := self.query_one(LineTable).current) is not None:
            self.answer(current)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Return the option that was clicked."""
        self.dismiss(message.key)
