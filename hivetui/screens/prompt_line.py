"""The line at the bottom of a screen that appears while a filter, a search or a number is typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet


def editing_bindings() -> Iterator[Binding]:
    """The bindings of Textual's input that edit text; the one that submits it is in our table of actions."""
    for binding in Input.BINDINGS:
        if isinstance(binding, Binding) and binding.action != "submit":
            yield binding


class PromptLine(Input, inherit_bindings=False):
    """An input that is open or closed; the text stays when it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [*editing_bindings(), *keymap.bindings("prompt")]
    DEFAULT_CSS = read_stylesheet(__file__)

    def ask(self, placeholder: str, value: str = "") -> None:
        """Open it with a text to edit."""
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.screen.set_focus(self)  # not later: the next key may have been typed already, and is part of the text

    async def _on_key(self, event: events.Key) -> None:
        """Give up the focus at once on submit and back, because a key after them in the same packet is not text."""
        if self.screen.focused is not self:
            event.stop()
            event.prevent_default()
            self.app.post_message(events.Key(event.key, event.character))
            return
        active = self.screen.active_bindings.get(event.key)
        action = active.binding.id if active is not None else None
        if action in ("prompt.submit", "everywhere.back"):
            self.screen.set_focus(None)
            if action == "prompt.submit":
                event.stop()
                event.prevent_default()
                await self.action_submit()

    def leave(self) -> None:
        """Close it."""
        self.remove_class("open")
        self.screen.set_focus(None)
