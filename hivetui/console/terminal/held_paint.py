"""Keeps the app from painting until a screen has what it is opened for: each frame before that one delays it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from textual.screen import Screen

MAX_SECONDS = 0.1
"""After this, what there is is painted: a screen that seems not to open is worse than one that is still empty."""


class HeldPaint:
    """Of a screen that was just mounted."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen, self._held = screen, ExitStack()
        self.is_held = False

    def begin(self) -> None:
        """Paint nothing until `release`, but for `MAX_SECONDS` at most."""
        self._held.enter_context(self._screen.app.batch_update())
        self.is_held = True
        self._screen.set_timer(MAX_SECONDS, self.release)

    def release(self) -> None:
        """Paint again; nothing happens if that is so already."""
        if self.is_held:
            self.is_held = False
            self._held.close()
            self._screen.refresh(layout=True)
