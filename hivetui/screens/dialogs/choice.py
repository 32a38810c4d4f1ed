"""A dialog with a short list, of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from hivetui.widgets.table.line_table import Column, LineTable, Row

from .base import Dialog, question_label

MOST_ROWS = 12
"""So many options are seen at once."""


class ChoiceDialog(Dialog[str]):
    """Returns the key of what was chosen of `options` (key, words), or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "leave"),
        Binding("j,down", "next", "next"),
        Binding("k,up", "previous", "previous"),
        Binding("enter", "choose", "choose"),
    ]
    DEFAULT_CSS = "ChoiceDialog LineTable { margin-top: 1; }"

    def __init__(self, question: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._options = question, options

    def compose(self) -> ComposeResult:
        """The question, the list, the keys."""
        with Vertical(classes="box"):
            yield question_label(self._question)
            table = LineTable((Column("words", "", 20, 200),))
            table.can_focus = False
            yield table
            yield Static("j k  which    enter  take it    esc  leave", classes="answers", markup=False)

    def on_mount(self) -> None:
        """The list."""
        self.query_one(LineTable).styles.height = 1 + min(len(self._options), MOST_ROWS)
        self.query_one(LineTable).set_rows([Row(key, (words,)) for key, words in self._options])

    def action_next(self) -> None:
        """The next one."""
        self.query_one(LineTable).action_line_down()

    def action_previous(self) -> None:
        """The one before."""
        self.query_one(LineTable).action_line_up()

    def action_choose(self) -> None:
        """Take it, if it was meant."""
        if (current := self.query_one(LineTable).current) is not None:
            self.answer(current)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """By mouse."""
        self.dismiss(message.key)
