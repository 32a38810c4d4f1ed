"""A question with one answer and a way out: the way out has the focus, the answer is on a key of its own."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.base import Details, Dialog, question_label


class ConfirmDialog(Dialog[bool]):
    """Asks `question`, tells `details`; `y` answers yes, everything else is no. Returns True or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer", "yes"),
        Binding("escape,n,enter,q", "leave", "no"),
    ]

    def __init__(self, question: str, details: tuple[str, ...], answer: str) -> None:
        super().__init__()
        self._question, self._details, self._answer = question, details, answer

    def compose(self) -> ComposeResult:
        """Question, details, the two answers."""
        with Vertical(classes="box"):
            yield question_label(self._question)
            yield Details(self._details)
            yield Static(self._answers(), classes="answers", markup=False)

    def _answers(self, more: str = "") -> Content:
        no, yes = ("[ esc  no, leave it ]", "reverse"), (" y ", "$primary bold")
        return Content.assemble(no, "    ", yes, safe(self._answer), more)

    def action_answer(self) -> None:
        """Yes, if it was meant."""
        if not self.is_deliberate():
            self.query_one(".answers", Static).update(self._answers("  (too soon: y again)"))
        self.answer(True)
