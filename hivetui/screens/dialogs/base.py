"""What all dialogs share: the box, and the guard against answers that nobody meant.

A key that comes within 250 ms of the opening, or in one burst with others as a paste without brackets does, answers
nothing. Bracketed paste is no key at all.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from textual import events
from textual.screen import ModalScreen

T = TypeVar("T")

OPENING_SECONDS = 0.25
BURST_SECONDS = 0.02


class Dialog(ModalScreen[T]):
    """A box over the screen that returns a value, None for "leave it"."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .box {
        width: 72; max-width: 96%; height: auto; max-height: 90%;
        padding: 1 2; background: $surface; border: round $primary;
    }
    Dialog .question { width: 100%; height: auto; text-style: bold; }
    Dialog .detail { width: 100%; height: auto; margin-top: 1; color: $foreground 85%; }
    Dialog .problem { width: 100%; height: auto; margin-top: 1; color: $error; }
    Dialog .answers { width: 100%; height: auto; margin-top: 1; color: $foreground; }
    Dialog Input { margin-top: 1; }
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._opened = clock()
        self._keys: tuple[float, float] = (0.0, 0.0)  # when the last two keys came

    def on_mount(self) -> None:
        """The guard counts from when the dialog can be seen."""
        self._opened = self._clock()

    async def on_event(self, event: events.Event) -> None:
        """Note when keys come, before any binding sees them."""
        if isinstance(event, events.Key):
            self._keys = (self._keys[1], self._clock())
        await super().on_event(event)

    def meant(self) -> bool:
        """Whether an answer that comes now was meant."""
        now = self._clock()
        return now - self._opened >= OPENING_SECONDS and self._keys[1] - self._keys[0] >= BURST_SECONDS

    def action_leave(self) -> None:
        """The safe answer."""
        if self._clock() - self._opened >= OPENING_SECONDS:
            self.dismiss(None)
