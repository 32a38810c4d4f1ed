"""A question: closing it is the default, and the answer yes is on a key of its own."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.base import Details, Dialog, question_label


class ConfirmDialog(Dialog[bool]):
    """Asks `question`, explained by `details`; `answer` says what yes does. Returns True or None."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("dialog", only=frozenset({"confirm", "refuse"}))

    def __init__(self, question: str, details: tuple[str, ...], answer: str) -> None:
        super().__init__()
        self._question, self._details, self._answer = question, details, answer

    def compose(self) -> ComposeResult:
        """Question, details, the two answers."""
        with Vertical(classes="box"):
            yield question_label(self._question)
            yield Details(self._details)
            yield Static(self._answers(), classes="answers", markup=False)

    def _answers(self, note: str = "") -> Content:
        leave = keymap.display_current_key(self.app, "dialog.leave")
        confirm = keymap.display_current_key(self.app, "dialog.confirm")
        return Content.assemble(
            (f"[ {leave}  no ]", "reverse"), "    ", (f" {confirm} ", "$primary bold"), safe(self._answer), note
        )

    def action_confirm(self) -> None:
        """Answer yes, if the key was deliberate."""
        if not self.is_deliberate():
            self._tell_too_early(keymap.display_current_key(self.app, "dialog.confirm"))
        self.answer(True)

    def action_leave(self) -> None:
        """Close without an answer; too early, say so, or the next key would answer a question that nobody expects."""
        if self.is_too_early:
            self._tell_too_early("it")
        super().action_leave()

    def _tell_too_early(self, key: str) -> None:
        self.query_one(".answers", Static).update(self._answers(f"  (too early: press {key} again)"))

    def action_refuse(self) -> None:
        """Answer no."""
        self.action_leave()
