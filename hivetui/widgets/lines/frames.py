"""Limits how often a view that changes by itself is repainted."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable
from time import monotonic

from textual.widget import Widget

from hivetui.console.terminal.drain import is_drained
from hivetui.widgets.lines.timers import call_after

FRAMES = 30  # a second; 60 made keys slower, as measured under a stream of 50 000 lines/s
_FRAME = 1 / FRAMES


class FrameLimiter:
    """Calls `repaint` at most `FRAMES` times a second, and only when the terminal has drained the frames before."""

    def __init__(self, widget: Widget, repaint: Callable[[], None]) -> None:
        self._widget = widget
        self._repaint = repaint
        self._timer: TimerHandle | None = None
        self._is_unpainted = False  # stays True while the widget is hidden, so that it costs nothing then
        self._painted_at = 0.0

    def request(self) -> None:
        """Ask for a repaint; any number of requests until the next frame are one."""
        if self._timer is None and not self._is_unpainted and self._widget.is_mounted:
            wait = max(0.0, self._painted_at + _FRAME - monotonic())
            self._timer = call_after(self._widget, wait, self._flush)

    def painted(self) -> None:
        """Note that the widget was painted just now."""
        self._is_unpainted = False
        self._painted_at = monotonic()

    def _flush(self) -> None:
        self._timer = None
        if is_drained(self._widget.app):
            self._is_unpainted = True
            self._repaint()
        else:
            self._timer = call_after(self._widget, _FRAME, self._flush)
