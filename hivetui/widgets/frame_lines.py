"""The two lines that frame every screen: where one is (above), and which keys there are and what runs (below)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from ..engine.text import cells, safe


@dataclass(frozen=True, slots=True)
class Tab:
    """One screen in the line above: its key, its word, and how much is in it that matters (0: not shown)."""

    key: str
    word: str
    count: int = 0
    urgent: bool = False


class TitleLine(Static):
    """Which hive this is, and the screens with their keys; the current one is marked by brackets too."""

    DEFAULT_CSS = """
    TitleLine { height: 1; background: $panel; color: $foreground; width: 100%; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: tuple[object, ...] = ()

    def show(self, title: str, embedded: bool, tabs: Sequence[Tab], current: str) -> None:
        """Paint anew if anything differs."""
        wanted = (title, embedded, tuple(tabs), current, self.size.width)
        if wanted == self._shown:
            return
        self._shown = wanted
        parts: list[Content | tuple[str, str]] = [(" hivetui ", "$background on $primary bold")]
        for tab in tabs:
            parts += self._tab(tab, tab.word == current)
        left = Content.assemble(*parts)
        name = ("EMBEDDED " if embedded else "") + safe(title)
        room = max(0, self.size.width - left.cell_length - 2)
        shown = name if len(name) <= room else ("EMBEDDED" if embedded and room >= 8 else "")
        right = Content.styled(shown.rjust(room), "$warning" if embedded else "$foreground 70%")
        self.update(Content.assemble(left, " ", right), layout=False)

    @staticmethod
    def _tab(tab: Tab, current: bool) -> list[Content | tuple[str, str]]:
        count = f" {tab.count}" if tab.count else ""
        if current:
            return [(f"[{tab.key} {tab.word}{count}]", "$primary bold")]
        return [(f" {tab.key} {tab.word}", "$foreground 80%"), (f"{count} ", "$warning bold" if tab.urgent else "")]


class KeyLine(Static):
    """The keys of the screen, as many as fit, and at the right end what runs now."""

    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; width: 100%; }
    """

    class Clicked(Message):
        """A key of the line was clicked."""

        def __init__(self, action: str) -> None:
            self.action = action
            super().__init__()

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: tuple[object, ...] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, keys: Sequence[tuple[str, str, str]], running: str) -> None:
        """Paint (key, label, action) as far as they fit, and what runs."""
        wanted = (tuple(keys), running, self.size.width)
        if wanted == self._shown:
            return
        self._shown = wanted
        running = safe(running, self.size.width // 3)
        room = self.size.width - cells(running) - 1
        parts: list[Content] = []
        self._ends = []
        used = 0
        for key, label, action in keys:
            width = len(key) + len(label) + 3
            if used + width > room:
                break
            used += width
            self._ends.append((used, action))
            parts.append(Content.assemble((f" {key}", "$primary bold"), f" {label} "))
        space = " " * max(0, room - used)
        self.update(Content.assemble(*parts, space, (running, "$success bold")), layout=False)

    def on_click(self, event: events.Click) -> None:
        """A click on a key is that key."""
        for end, action in self._ends:
            if event.x < end:
                self.post_message(self.Clicked(action))
                return
