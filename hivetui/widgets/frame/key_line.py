"""The line below every screen: its keys, and what runs."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widgets import Static

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import cells, safe
from hivetui.widgets.frame.clicks import FrameClicked, action_at

_TROUBLE_CELLS = 64
"""So much of a trouble is shown also where that is more than two thirds of the line, if it leaves room for a key."""
_KEY_CELLS = 20


class KeyLine(Static):
    """The keys of the screen, as many as fit, and at the right end what runs now."""

    DEFAULT_CSS = read_stylesheet(__file__)

    class Clicked(FrameClicked):
        """A key of the line was clicked."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: tuple[object, ...] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, keys: Sequence[tuple[str, str, str]], running: str, trouble: str = "") -> None:
        """Paint (key, label, action) as far as they fit, and what runs, or a trouble, which may have more room."""
        wanted = (tuple(keys), running, trouble, self.size.width)
        if wanted == self._shown:
            return
        self._shown = wanted
        width = self.size.width
        most = max(width * 2 // 3, min(width - _KEY_CELLS, _TROUBLE_CELLS))
        status = safe(trouble, most) if trouble else safe(running, width // 3)
        room = width - cells(status) - 1
        parts: list[Content] = []
        self._ends = []
        used = 0
        for key, label, action in keys:
            taken = len(key) + len(label) + 3
            if used + taken > room:
                break
            used += taken
            self._ends.append((used, action))
            parts.append(Content.assemble((f" {key}", "$primary bold"), f" {label} "))
        space, style = " " * max(0, room - used), "$warning bold" if trouble else "$success bold"
        self.update(Content.assemble(*parts, space, (status, style)), layout=False)

    def on_click(self, event: events.Click) -> None:
        """A click on a key is that key."""
        if action := action_at(self._ends, event.x):
            self.post_message(self.Clicked(action))
