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
_STREAM_FRAME = 1 / 12
"""Of a stream that goes on: nobody reads faster, and each frame costs as much as reading a thousand lines."""
_STREAM_BEGINS = 15
"""So many frames without a pause between them are a stream."""


class FrameLimiter:
    """Calls `repaint` at most `FRAMES` times a second, and only when the terminal has drained the frames before.

    It is called less often while changes come without a pause.
    """

    def __init__(self, widget: Widget, repaint: Callable[[], None]) -> None:
        self._widget = widget
        self._repaint = repaint
        self._timer: TimerHandle | None = None
        self._is_unpainted = False  # stays True while the widget is hidden, so that it costs nothing then
        self._painted_at = 0.0
        self._in_a_row = 0  # frames that were asked for as soon as the one before was painted

    def request(self) -> None:
        """Ask for a repaint; any number of requests until the next frame are one."""
        if self._timer is None and not self._is_unpainted and self._widget.is_mounted:
            since = monotonic() - self._painted_at
            self._in_a_row = self._in_a_row + 1 if since < _FRAME else 0
            frame = _FRAME if self._in_a_row < _STREAM_BEGINS else _STREAM_FRAME
            self._timer = call_after(self._widget, max(0.0, frame - since), self._flush)

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
