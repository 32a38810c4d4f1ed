"""Colours a view of a diff in a thread, after it was painted plain."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from hivetui.console.terminal.drain import wait_until_drained
from hivetui.widgets.diff.coloring import Colored, DiffColoring, Part
from hivetui.widgets.lines.line_window import LineWindow

_PAINT_SECONDS = 0.02
"""What is painted without colours gets to the terminal first, since the thread would slow that down."""


class ColoringWork:
    """Colours part by part, and lets the view be painted anew when something that is visible has got its colours."""

    def __init__(self, view: LineWindow) -> None:
        self._view = view
        self._coloring: DiffColoring | None = None
        self._is_running = False
        self._painted_at = 0.0

    def run(self, coloring: DiffColoring) -> None:
        """Colour what the view has just painted without colours, and what is near, instead of what it wanted before."""
        self._coloring, self._painted_at = coloring, monotonic()
        if not self._is_running and self._view.is_running and not coloring.is_complete:
            self._is_running = True
            work: Any = self._color  # mypy does not match it with Textual's WorkType
            self._view.run_worker(work, group="colors", exclusive=True)

    async def _color(self) -> None:
        try:
            await self._wait_for_pause()
            while (coloring := self._coloring) is not None and (part := coloring.next_part()) is not None:
                colored = await asyncio.to_thread(_color_part, part)
                if coloring.take(part, colored):
                    self._view.changed()
                await self._wait_for_pause()
        finally:
            self._is_running = False

    async def _wait_for_pause(self) -> None:
        """Return when the terminal has what was painted, and nothing is painted at the moment, as by fast scrolling."""
        while (since := monotonic() - self._painted_at) < _PAINT_SECONDS:  # noqa: ASYNC110  (nothing tells of a pause)
            await asyncio.sleep(_PAINT_SECONDS - since)
        await wait_until_drained(self._view.app)


def _color_part(part: Part) -> Colored:
    from hivetui.widgets.diff.part_colors import color_part  # here, in a thread: the parser takes a while to load

    return color_part(part)
