"""The line above every screen: which hive this is, and the screens there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.widgets import Static

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import cells, safe
from hivetui.widgets.frame.clicks import FrameClicked, action_at

_HIVE_CELLS = 48
"""The longest name of a hive that is shown whole: those of two hosts often differ at their ends."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A screen: its key, name and short name, how much is in it (0 is not shown), whether that is urgent, and the
    action that opens it.
    """

    key: str
    name: str
    short_name: str
    count: int = 0
    urgent: bool = False
    action: str = ""


class TitleLine(Static):
    """The title of the hive, and the screens as tmux lists its windows: `key:name*` is the current one.

    Counts are in brackets, so that they are not taken for keys. Among several hives the name of the one that is shown
    stands at the left end, where it is never left out: a decision is about that one.
    """

    DEFAULT_CSS = read_stylesheet(__file__)

    class Clicked(FrameClicked):
        """A tab was clicked."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: tuple[object, ...] = ()
        self._hive = ""
        self._ends: list[tuple[int, str]] = []

    def show(self, hive: str, title: str, mark: str, tabs: Sequence[Tab], current: str) -> None:
        """Show this, and repaint if it differs from what is shown.

        `hive` is its name among several, else ""; `mark` is what makes it another kind of hive or console, or "".
        """
        wanted = (hive, title, mark, tuple(tabs), current, self.size.width)
        if wanted == self._shown:
            return
        self._shown = wanted
        self._hive = safe(hive, _HIVE_CELLS)
        left, name = self._fitting(f"{mark} {safe(title)}".lstrip(), mark, tabs, current)
        padding = " " * max(0, self.size.width - left.cell_length - 2 - cells(name))
        right = Content.styled(padding + name, "$warning bold" if mark else "$foreground 70%")
        self.update(Content.assemble(left, " ", right), layout=False)

    def _fitting(self, name: str, mark: str, tabs: Sequence[Tab], current: str) -> tuple[Content, str]:
        """As much as fits: names of screens matter more than the title, and the mark more than both."""
        left = Content()
        for short in (False, True):
            left = self._left(tabs, current, short)
            for shown in (name, mark):
                if left.cell_length + cells(shown) + 2 <= self.size.width:
                    return left, shown
        return left, mark

    def _left(self, tabs: Sequence[Tab], current: str, short: bool) -> Content:
        parts = [Content.styled(f" {self._hive or 'hivetui'} ", "$background on $primary bold")]
        self._ends = [(parts[0].cell_length, "")]
        for tab in tabs:
            parts.append(_tab(tab, tab.short_name if short else tab.name, tab.name == current))
            self._ends.append((self._ends[-1][0] + parts[-1].cell_length, tab.action))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Open the screen that was clicked."""
        if action := action_at(self._ends, event.x):
            self.post_message(self.Clicked(action))


def _tab(tab: Tab, name: str, current: bool) -> Content:
    count = f"({tab.count})" if tab.count else ""
    label = f" {tab.key}:{name}" if tab.key else f" {name}"
    if current:
        return Content.styled(f"{label}*{count}", "$primary bold")
    style = "$warning bold" if tab.urgent else ""
    return Content.assemble((label, "$foreground 80%"), (count, style))
