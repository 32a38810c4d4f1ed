"""Dialogs that want something typed: a note, or the name of what cannot be undone."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from hivetui.screens.dialogs.base import Details, Dialog, question_label

_PASTED = 3  # two letters may share a packet on a slow line


class TypedInput(Input):
    """A line that takes keys, and a paste of any number of lines as one; none where `pasting` is False."""

    def __init__(self, placeholder: str, pasting: bool) -> None:
        super().__init__(placeholder=placeholder)
        self._pasting = pasting

    async def _on_key(self, event: events.Key) -> None:
        if isinstance(self.screen, Dialog):
            self.screen.note(event)
        await super()._on_key(event)

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()  # Textual's own keeps the first line only, and says nothing of the others
        event.stop()
        if self._pasting:
            self.replace(" ".join(event.text.splitlines()), *self.selection)


class TextDialog(Dialog[str]):
    """A question, details, a line to type, and what is wrong with what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave")]
    AUTO_FOCUS = "Input"

    def __init__(self, question: str, details: tuple[str, ...], hint: str, pasting: bool = True) -> None:
        super().__init__()
        self._question, self._details, self._hint, self._pasting = question, details, hint, pasting

    def compose(self) -> ComposeResult:
        """Question, details, the line, the answers."""
        with Vertical(classes="box"):
            yield question_label(self._question)
            yield Details(self._details)
            yield TypedInput(self._hint, self._pasting)
            yield Static("", classes="problem", markup=False)
            yield Static("enter  do it    esc  leave it", classes="answers", markup=False)

    def problem(self, text: str) -> str | None:
        """Why `text` is no answer yet, or None."""
        return None if text.strip() else "Type something first."

    def on_input_changed(self, message: Input.Changed) -> None:
        """What was wrong is no more said of what is typed now."""
        if message.value:
            self.query_one(".problem", Static).update("")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter, if it was meant and the text will do."""
        if not self.is_deliberate():
            self.query_one(".problem", Static).update("That came at once with what was typed. Press enter again.")
            return
        if why := self.problem(message.value):
            self.query_one(".problem", Static).update(why)
        else:
            self.answer(message.value.strip())


class NoteDialog(TextDialog):
    """Wants a note; returns it."""

    def __init__(self, question: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(question, details, "why")


class NameDialog(TextDialog):
    """Wants the agent's name typed, letter by letter; returns it."""

    def __init__(self, name: str, question: str, details: tuple[str, ...]) -> None:
        super().__init__(question, details, f"type {name}", pasting=False)
        self._wanted = name

    def problem(self, text: str) -> str | None:
        """Only the name itself will do, and a terminal that pastes as if it were typed does not help."""
        if self.burst >= _PASTED:
            self.burst = 0
            self.query_one(Input).value = ""
            return "That came all at once, as a paste does. Type it letter by letter."
        return None if text == self._wanted else f"That is not {self._wanted}."
