"""The logs of one agent or several, merged by time: follow, freeze, search, filter, copy, save."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from .. import keys
from ..engine.errors import HiveError
from ..engine.interface import Hive
from ..engine.models import LogQuery
from ..engine.text import safe
from ..widgets.line_view import LineView
from ..widgets.log_view import LogView
from ..widgets.pattern import BadPattern
from .dialogs.typed import Typed
from .listing import MOVING, TypedLine, ViewScreen
from .state import HiveState

LINES = 1000
"""How many of the last lines are asked for at first."""


class LogsScreen(ViewScreen):
    """Logs, followed from the start."""

    WORD = "logs"
    GROUPS = ("logs", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("logs", "search"),
        *keys.bindings("list", only=MOVING),
    ]

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agents = agents or tuple(one.name for one in state.agents)
        self._lines: int | None = LINES
        self._since: datetime | None = None
        self._typing = "search"
        self._filtered = ""
        self._inverted = False

    def body(self) -> Iterable[Widget]:
        """The log, and the line for search and filter."""
        view = LogView(empty="asking for the log …", classes="body")
        view.show_sources = len(self._agents) > 1
        yield view
        yield TypedLine()

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self._read()

    @property
    def log_view(self) -> LogView:
        """The view of the log."""
        return self.query_one(LogView)

    @property
    def view(self) -> LineView:
        """Keys move in the log."""
        return self.log_view

    def _read(self) -> None:
        self.log_view.clear()
        query = LogQuery(agents=self._agents, follow=True, lines=self._lines, since=self._since)
        self.run_worker(self._feed(query), group="log", exclusive=True)

    async def _feed(self, query: LogQuery) -> None:
        names = ", ".join(query.agents) or "no agent"
        self.log_view.empty = f"{names}: nothing is logged{f' since {query.since:%H:%M:%S}' if query.since else ''} yet"
        try:
            async for batch in self.hive.logs(query):
                self.log_view.feed_lines(batch)
        except HiveError as error:
            self.log_view.empty = f"the log cannot be read: {error.what}"
            self.report(error)
        self.log_view.repaint()

    # -- keys -------------------------------------------------------------------------------------------------------

    def action_freeze(self) -> None:
        """Freeze, or follow again."""
        self.log_view.action_toggle_freeze()

    def action_wrap(self) -> None:
        """Wrap or cut."""
        self.log_view.action_toggle_wrap()

    def action_times(self) -> None:
        """Timestamps on or off."""
        self.log_view.action_toggle_times()

    def action_sources(self) -> None:
        """The column of agents on or off."""
        self.log_view.action_toggle_sources()

    def action_left(self) -> None:
        """Scroll left."""
        self.log_view.action_left()

    def action_right(self) -> None:
        """Scroll right."""
        self.log_view.action_right()

    def action_next(self) -> None:
        """Next match."""
        self.log_view.action_next_match()

    def action_previous(self) -> None:
        """Previous match."""
        self.log_view.action_previous_match()

    def action_find(self) -> None:
        """Type what to search for."""
        self._typing = "search"
        self.query_one(TypedLine).ask("search (regular expression): enter finds, n and N go on, esc leaves")

    def action_filter(self) -> None:
        """Type what lines must match."""
        self._typing = "filter"
        self.query_one(TypedLine).ask("show only lines that match: enter; nothing shows all")

    def action_invert(self) -> None:
        """The lines that do not match."""
        self._inverted = not self._inverted
        self._try(lambda: self.log_view.filter(self._filtered, self._inverted))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search or filter."""
        text = message.value
        self.query_one(TypedLine).leave()
        if self._typing == "search":
            self._try(lambda: self.log_view.search(text))
        else:
            self._filtered = text
            self._try(lambda: self.log_view.filter(text, self._inverted))

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except BadPattern as error:
            self.notify(safe(str(error)), title="That is no regular expression", severity="error", markup=False)

    async def action_back(self) -> None:
        """First out of the line, then back."""
        line = self.query_one(TypedLine)
        if line.has_class("open"):
            line.leave()
        else:
            await self.app.run_action("app.back")

    def action_tail(self) -> None:
        """How many lines, or since when."""

        def answered(text: str | None) -> None:
            if text:
                self._lines, self._since = parse_tail(text)
                self._read()

        self.app.push_screen(Tail(), answered)

    def action_copy(self) -> None:
        """Copy the marked or visible lines."""
        self.log_view.action_copy()

    def action_save(self) -> None:
        """Save what the view holds to a file of the operator's."""
        path = Path.home() / f"hivetui-{'-'.join(self._agents[:3])}-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
        try:
            with path.open("xb") as file:
                file.writelines(self.log_view.saved())
        except OSError as error:
            self.notify(f"{path}: {error.strerror}", title="Not saved", severity="error", markup=False)
        else:
            self.notify(str(path), title="Saved", markup=False)


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_tail(text: str) -> tuple[int | None, datetime | None]:
    """`500` is the last so many lines; `10m`, `2h`, `1d` is since so long ago. ValueError for anything else."""
    if text.isdecimal():
        return int(text), None
    if text[:-1].isdecimal() and text[-1] in _SPANS:
        return None, datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * _SPANS[text[-1]])
    raise ValueError(text)


class Tail(Typed):
    """Asks how much of the log."""

    def __init__(self) -> None:
        super().__init__(
            "How much of the log?", ("A number of lines, such as 500, or a time, such as 10m, 2h, 1d.",), "500"
        )

    def problem(self, text: str) -> str | None:
        """Only what can be understood."""
        try:
            parse_tail(text.strip())
        except ValueError:
            return "That is neither a number of lines nor a time."
        return None
