"""Keeps the app from painting until a screen has what it is opened for: each frame before that one delays it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from textual.screen import Screen

MAX_SECONDS = 0.1
"""After this, whatever is there is painted: a screen that seems not to open is worse than one that is still empty."""


class HeldPaint:
    """Keeps the app from painting for a screen that was just mounted."""

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
            if stack := self._screen.app.screen_stack:  # in front may be a dialog, or a screen below that was closed
                stack[-1].refresh(layout=True)


class HoldsPaint:
    """A screen whose `paint` is held while it opens; a class to derive from, before that of the screen."""

    paint: HeldPaint

    def _compositor_refresh(self) -> None:
        """Compose no frame that would not be painted: Textual does, when a screen gets its size."""
        if not self.paint.is_held:
            super()._compositor_refresh()  # type: ignore[misc]
