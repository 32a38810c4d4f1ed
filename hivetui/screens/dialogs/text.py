"""Dialogs in which something has to be typed: a note, or the name of the agent for what cannot be undone."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from hivetui.console import keymap
from hivetui.screens.dialogs.base import Details, Dialog, question_label
from hivetui.screens.prompt_line import editing_bindings
from hivetui.screens.reasons import Reasons

_PASTE_LENGTH = 3
"""So many keys at once are a paste; two letters may share a packet on a slow line."""


class TypedInput(Input, inherit_bindings=False):
    """A line of input. A paste becomes part of it, its lines joined by spaces, unless `allow_paste` is off."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *editing_bindings(),
        *keymap.bindings("dialog", only=frozenset({"submit"})),
    ]

    def __init__(self, placeholder: str, allow_paste: bool, value: str = "") -> None:
        super().__init__(value, placeholder=placeholder, select_on_focus=False)
        self._allow_paste = allow_paste

    async def _on_key(self, event: events.Key) -> None:
        if isinstance(self.screen, Dialog):
            self.screen.note_key(event)
        await super()._on_key(event)

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()  # Textual would keep the first line only
        event.stop()
        if self._allow_paste:
            self.replace(" ".join(event.text.splitlines()), *self.selection)


class TextDialog(Dialog[str]):
    """A question, details, a line to type, and why the text is not accepted yet. Returns the text, or None.

    `value` is the text that is there already, to be edited.
    """

    AUTO_FOCUS = "Input"

    def __init__(
        self, question: str, details: tuple[str, ...], placeholder: str, allow_paste: bool = True, value: str = ""
    ) -> None:
        super().__init__()
        self._value = value
        self._question, self._details = question, details
        self._placeholder, self._allow_paste = placeholder, allow_paste

    def compose(self) -> ComposeResult:
        """Question, details, input, problem, keys."""
        with Vertical(classes="box"):
            yield question_label(self._question)
            yield Details(self._details)
            yield TypedInput(self._placeholder, self._allow_paste, self._value)
            yield Static("", classes="problem", markup=False)
            keys = self.hint(("dialog.submit", "submit"), ("dialog.leave", "cancel"))
            yield Static(keys, classes="answers", markup=False)

    def problem(self, text: str) -> str | None:
        """Why `text` cannot be accepted, or None."""
        return None if text.strip() else "A reason is required."

    def on_input_changed(self, message: Input.Changed) -> None:
        """Clear the problem of the previous text."""
        if message.value:
            self.query_one(".problem", Static).update("")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Return the text, if it is accepted and the key was deliberate."""
        if not self.is_deliberate():
            submit = keymap.display_current_key(self.app, "dialog.submit").capitalize()
            self.query_one(".problem", Static).update(f"Looked like a paste; press {submit} again.")
            return
        if problem := self.problem(message.value):
            self.query_one(".problem", Static).update(problem)
        else:
            self.answer(message.value.strip())


class NoteDialog(TextDialog):
    """Asks for a reason and returns it. What is typed is kept among `reasons`, by `subjects`, until it is forgotten."""

    def __init__(
        self,
        question: str,
        details: tuple[str, ...] = (),
        reasons: Reasons | None = None,
        subjects: tuple[Hashable, ...] = (),
    ) -> None:
        self._reasons, self._subjects = reasons or Reasons(), subjects
        self._kept = self._reasons.find(subjects)
        before = ("The reason was typed before. It can be edited.",) if self._kept else ()
        super().__init__(question, (*details, *before), "reason (required)", value=self._kept)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Keep what was typed; the dialog may be left, or what it is for may fail."""
        super().on_input_changed(message)
        if message.value != self._kept:
            self._kept = message.value
            self._reasons.keep(self._subjects, message.value)


class NameDialog(TextDialog):
    """Asks for an agent's name, or for several with a space between, to be typed and not pasted; returns the text."""

    def __init__(self, name: str, question: str, details: tuple[str, ...]) -> None:
        super().__init__(question, details, f"type {name}", allow_paste=False)
        self._wanted = name

    def problem(self, text: str) -> str | None:
        """Accept only the name, and not from a terminal that sends a paste as keys."""
        if self.longest_burst >= _PASTE_LENGTH:
            self.longest_burst = 0
            self.query_one(Input).value = ""
            return "Looked like a paste; type it letter by letter."
        if " ".join(text.split()) == self._wanted:
            return None
        return f"The {'names are' if ' ' in self._wanted else 'name is'} {self._wanted}."
