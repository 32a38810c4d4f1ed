"""What all dialogs share: the box, and the guard against answers that nobody meant.

A key that comes within 250 ms of the opening, or in one burst with others as a paste without brackets does, answers
nothing; what counts is when it was typed, not when there was time for it. Bracketed paste is no key at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import ClassVar, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from hivetui.console.terminal.drain import is_drained
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.later import later

T = TypeVar("T")

OPENING_SECONDS = 0.25
BURST_SECONDS = 0.02
"""No two keys of a person who answers a question are so near."""
AT_ONCE_SECONDS = 0.002
"""Keys so near were read from the terminal together."""
QUESTION_CELLS = 180
"""So much of a question is shown, three lines: what asks for an answer must leave room for it."""


def question_label(text: str) -> Static:
    """What is asked, which may have a name of anybody's making in it."""
    return Static(safe(text, QUESTION_CELLS), classes="question", markup=False)


class Details(VerticalScroll):
    """What is told with a question. However much that is, the answers below it stay on the screen."""

    DEFAULT_CSS = """
    Details { height: auto; max-height: 25vh; margin-top: 1; border-subtitle-color: $warning; }
    Details.more { border-bottom: solid $panel; }
    """

    def __init__(self, details: Iterable[str]) -> None:
        super().__init__(Static("\n".join(map(safe, details)), classes="detail", markup=False), can_focus=False)
        self.border_subtitle = "pgdn  more"

    def on_resize(self) -> None:
        """Whether there is more than can be seen."""
        self.set_class(self.max_scroll_y > 0, "more")


class Dialog(ModalScreen[T]):
    """A box over the screen that returns a value, None for "leave it"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "more", "more"),
        Binding("pageup", "less", "less"),
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .box {
        width: 72; max-width: 96%; height: auto; max-height: 96%;
        padding: 1 2; background: $surface; border: round $primary;
    }
    Dialog .question { width: 100%; height: auto; text-style: bold; }
    Dialog .detail { width: 100%; height: auto; color: $foreground 85%; }
    Dialog .problem { width: 100%; height: auto; margin-top: 1; color: $error; }
    Dialog .answers { width: 100%; height: auto; margin-top: 1; color: $foreground; }
    Dialog Input { margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._opened = inf
        self._keys: tuple[float, float] = (0.0, 0.0)  # when the last two keys were typed
        self._last: events.Key | None = None
        self.burst = 0
        """The most keys that came at once."""
        self._in_burst = 0

    def on_mount(self) -> None:
        """The guard counts from when the dialog can be seen."""
        self.call_after_refresh(self._seen)

    def _seen(self) -> None:
        if is_drained(self.app):
            self._opened = monotonic()
        else:
            later(self, BURST_SECONDS, self._seen)

    async def on_event(self, event: events.Event) -> None:
        """Note when keys come, before any binding sees them."""
        if isinstance(event, events.Key):
            self.note(event)
        await super().on_event(event)

    def note(self, key: events.Key) -> None:
        """A key came, here or in a line that keeps it to itself."""
        if key is self._last:  # it comes by again on its way up
            return
        self._last = key
        self._keys = (self._keys[1], key.time)
        self._in_burst = self._in_burst + 1 if self._keys[1] - self._keys[0] < AT_ONCE_SECONDS else 1
        self.burst = max(self.burst, self._in_burst)

    def is_deliberate(self) -> bool:
        """Whether an answer that comes now was meant."""
        before, last = self._keys
        return last - self._opened >= OPENING_SECONDS and last - before >= BURST_SECONDS

    def answer(self, result: T) -> None:
        """Dismiss with `result` if the key that says so was meant, and no other one comes with it."""
        if not self.is_deliberate():
            return
        last = self._last

        def alone() -> None:
            if self._last is last and self.is_current:
                self.dismiss(result)

        later(self, BURST_SECONDS, alone)

    def action_more(self) -> None:
        """On in the details."""
        for details in self.query(Details):
            details.scroll_page_down(animate=False)

    def action_less(self) -> None:
        """Back in the details."""
        for details in self.query(Details):
            details.scroll_page_up(animate=False)

    def action_leave(self) -> None:
        """The safe answer."""
        if self._keys[1] - self._opened >= OPENING_SECONDS:
            self.dismiss(None)
