"""The two lines that frame every screen: where one is (above), and which keys there are and what runs (below)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from hivetui.engine.model.text import cells, safe


@dataclass(frozen=True, slots=True)
class Tab:
    """One screen in the line above: its key, its word, its word where there is no room, how much is in it (0: not
    shown), whether that is urgent, and the action that opens it."""

    key: str
    word: str
    short: str
    count: int = 0
    urgent: bool = False
    action: str = ""


class FrameClicked(Message):
    """What stands for an action was clicked in a line of the frame."""

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__()


class TitleLine(Static):
    """Which hive this is, and the screens as tmux writes its windows: `key:word*` is the current one.

    A count stands in brackets, so that no key reads as one.
    """

    DEFAULT_CSS = """
    TitleLine { height: 1; background: $panel; color: $foreground; width: 100%; }
    """

    class Clicked(FrameClicked):
        """A tab was clicked."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: tuple[object, ...] = ()
        self._ends: list[tuple[int, str]] = []

    def show(self, title: str, embedded: bool, tabs: Sequence[Tab], current: str) -> None:
        """Paint anew if anything differs."""
        wanted = (title, embedded, tuple(tabs), current, self.size.width)
        if wanted == self._shown:
            return
        self._shown = wanted
        left, name = self._fitting(("EMBEDDED " if embedded else "") + safe(title), embedded, tabs, current)
        room = max(0, self.size.width - left.cell_length - 2)
        right = Content.styled(name.rjust(room), "$warning bold" if embedded else "$foreground 70%")
        self.update(Content.assemble(left, " ", right), layout=False)

    def _fitting(self, name: str, embedded: bool, tabs: Sequence[Tab], current: str) -> tuple[Content, str]:
        """The most that fits: words before the name of the hive, the mark of an embedded one before words."""
        least = "EMBEDDED" if embedded else ""
        left = Content()
        for short in (False, True):
            left = self._left(tabs, current, short)
            for shown in (name, least):
                if left.cell_length + cells(shown) + 2 <= self.size.width:
                    return left, shown
        return left, least

    def _left(self, tabs: Sequence[Tab], current: str, short: bool) -> Content:
        parts = [Content.styled(" hivetui ", "$background on $primary bold")]
        self._ends = [(parts[0].cell_length, "")]
        for tab in tabs:
            parts.append(_tab(tab, tab.short if short else tab.word, tab.word == current))
            self._ends.append((self._ends[-1][0] + parts[-1].cell_length, tab.action))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """A click on a tab opens its screen."""
        if action := _at(self._ends, event.x):
            self.post_message(self.Clicked(action))


def _tab(tab: Tab, word: str, current: bool) -> Content:
    count = f"({tab.count})" if tab.count else ""
    name = f" {tab.key}:{word}" if tab.key else f" {word}"
    if current:
        return Content.styled(f"{name}*{count}", "$primary bold")
    style = "$warning bold" if tab.urgent else ""
    return Content.assemble((name, "$foreground 80%"), (count, style))


def _at(ends: Sequence[tuple[int, str]], x: int) -> str:
    """The action of the part in which a column is."""
    return next((action for end, action in ends if x < end), "")


class KeyLine(Static):
    """The keys of the screen, as many as fit, and at the right end what runs now."""

    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; width: 100%; }
    """

    class Clicked(FrameClicked):
        """A key of the line was clicked."""

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
        if action := _at(self._ends, event.x):
            self.post_message(self.Clicked(action))
