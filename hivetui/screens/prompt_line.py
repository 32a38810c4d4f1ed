"""The line at the bottom of a screen that appears while a filter, a search or a number is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet

Refusal = Callable[[str], str]
"""Says why a text cannot be accepted; "" if it can."""


def accept_any(text: str) -> str:
    """Accept every text."""
    return ""


def editing_bindings() -> Iterator[Binding]:
    """The bindings of Textual's input that edit text; the one that submits it is in our table of actions."""
    for binding in Input.BINDINGS:
        if isinstance(binding, Binding) and binding.action != "submit":
            yield binding


class PromptLine(Input, inherit_bindings=False):
    """An input that is open or closed; the text stays when it is closed, and it stays open on one that is refused."""

    BINDINGS: ClassVar[list[BindingType]] = [*editing_bindings(), *keymap.bindings("prompt")]
    DEFAULT_CSS = read_stylesheet(__file__)
    _refusal: Refusal = staticmethod(accept_any)

    class Refused(Message):
        """A text was submitted that cannot be accepted; it goes on being edited."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    def ask(self, placeholder: str, value: str = "", refusal: Refusal = accept_any) -> None:
        """Open it with a text to edit."""
        self._refusal = refusal
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.screen.set_focus(self)  # not later: the next key may have been typed already, and is part of the text

    @property
    def problem(self) -> str:
        """Why its text cannot be accepted; "" if it can."""
        return self._refusal(self.value)

    async def action_submit(self) -> None:
        """Give up the focus and pass the text on, unless it is refused: what is typed next is to correct it."""
        if problem := self.problem:
            self.post_message(self.Refused(problem))
            return
        self.screen.set_focus(None)
        await super().action_submit()

    async def _on_key(self, event: events.Key) -> None:
        """Give up the focus at once on submit and back, because a key after them in the same packet is not text."""
        if self.screen.focused is not self:
            event.stop()
            event.prevent_default()
            self.app.post_message(events.Key(event.key, event.character))
            return
        active = self.screen.active_bindings.get(event.key)
        action = active.binding.id if active is not None else None
        if action == "prompt.submit":
            event.stop()
            event.prevent_default()
            await self.action_submit()
        elif action == "everywhere.back":
            self.screen.set_focus(None)

    def leave(self) -> None:
        """Close it."""
        self.remove_class("open")
        self.screen.set_focus(None)
