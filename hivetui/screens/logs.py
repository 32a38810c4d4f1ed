"""The logs of one agent or several, merged by time: follow, freeze, search, filter, copy, save."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import CommandFailed, HiveError
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.text import TextDialog
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.log.log_view import LogView

from ..widgets import wording
from .dialogs.agents import AgentsDialog
from .listing import MOVEMENT, PromptLine, SearchScreen

LINES = 1000
"""How many of the last lines are asked for at first."""
MORE = 10
"""How many times as many lines are asked for when a person goes on up at the oldest one."""
MOST_LINES = 1_000_000
"""As many as the view keeps, unless `console.log_lines` says otherwise, and as can be asked for."""
AGAIN_SECONDS = (1.0, 2.0, 5.0, 15.0)
"""How long to wait before a stream that ended is read again; the last for every further time."""
SAVED_AT_ONCE = 2000  # lines, before other work has its turn
HUES = ("green", "blue", "magenta", "cyan", "yellow")


class LogsScreen(SearchScreen):
    """Logs, followed from the start."""

    TAB = "logs"
    GROUPS = ("logs", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("logs", "search"),
        *keymap.bindings("list", only=MOVEMENT),
    ]
    DEFAULT_CSS = "LogsScreen #whose { height: 1; padding: 0 1; background: $surface; }"

    def __init__(
        self, hive: Hive, state: HiveState, agents: tuple[str, ...] = (), most_lines: int = MOST_LINES
    ) -> None:
        super().__init__(hive, state)
        self._agents = agents or usual_agents(state)
        self._most_lines = most_lines
        self._lines: int | None = LINES
        self._since: datetime | None = None
        self._typing = "search"
        self._filtered = ""
        self._inverted = False
        self._return_to: float | None = None

    def body(self) -> Iterable[Widget]:
        """Whose log, the log, and the line for search and filter."""
        yield Static("", id="whose", markup=False)
        yield LogView(limit=self._most_lines, classes="body")
        yield PromptLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self._read()

    def show(self, state: HiveState) -> None:
        """Whose log this is, and how they are."""
        self.query_one("#whose", Static).update(self._whose(state), layout=False)

    def _whose(self, state: HiveState) -> Content:
        known = {one.name: one.state for one in state.agents}
        parts: list[Content | str | tuple[str, str]] = []
        for name in self._agents:
            glyph = wording.AGENT_GLYPHS[known[name]][0] if name in known else "?"
            parts += [(f"{glyph} {safe(name)}", f"${_THEME_COLOURS[self._hues[name]]}"), "  "]
        return Content.assemble(*parts, (f"{self._how_much()}, times in UTC", "$foreground 60%"))

    def _how_much(self) -> str:
        if self._since is not None:
            return f"since {self._since:%Y-%m-%d %H:%M:%S}"
        return "all lines" if self._lines is None else f"the last {self._lines} lines"

    @property
    def _hues(self) -> dict[str, str]:
        return {name: HUES[number % len(HUES)] for number, name in enumerate(self._agents)}

    @property
    def log_view(self) -> LogView:
        """The view of the log."""
        return self.query_one(LogView)

    @property
    def view(self) -> LineView:
        """Keys move in the log."""
        return self.log_view

    @property
    def searchable(self) -> LogView:
        """Searches go through the log."""
        return self.log_view

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(self, return_to: float | None = None) -> None:
        """Read anew, from the oldest line that is wanted; `return_to` is the time of the line to stay at."""
        view = self.log_view
        view.clear()
        view.show_sources, view.hues = len(self._agents) > 1, self._hues
        view.empty = f"asking for the log of {', '.join(self._agents)} …" if self._agents else NO_AGENTS
        self._return_to = return_to
        if return_to is not None:
            view.following, view.notice = False, "reading older lines …"
        view.repaint()
        self.show(self.state)
        for group in ("log", "why"):
            self.workers.cancel_group(self, group)
        if self._agents:
            query = LogQuery(agents=self._agents, follow=True, lines=self._lines, since=self._since)
            self.run_worker(self._follow(query), group="log")
            self.run_worker(self._find_why_empty(query), group="why")

    async def _follow(self, query: LogQuery) -> None:
        """Read until the screen goes; a stream that ends is read again from its last line on, and that is said."""
        tried = 0
        while True:
            before = self.log_view.store.end
            try:
                why = await self._feed(query)
            except HiveError as error:
                self._stop_with(error)
                return
            tried = 0 if self.log_view.store.end > before else tried + 1
            wait = AGAIN_SECONDS[min(tried, len(AGAIN_SECONDS) - 1)]
            self._tell(f"the stream ended{why}; read again in {wait:.0f} s")
            await asyncio.sleep(wait)
            query = self._rest_of(query)

    async def _feed(self, query: LogQuery) -> str:
        """Show what comes until the stream ends; why it did, if it says so."""
        try:
            async with aclosing(self.hive.logs(query)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    self.log_view.feed_lines(batch)
                    self._came()
        except CommandFailed as error:
            return f" ({error.what})"
        return ""

    def _came(self) -> None:
        """Lines came: what was said of their absence is over, and the line to stay at may be among them."""
        view = self.log_view
        if view.notice.startswith("the stream ended"):
            self._tell("")
        if self._return_to is None or view.store.end == view.store.first:
            return
        number = _first_from(view, self._return_to)
        if number is not None:
            view.notice, self._return_to = "", None
            view.go_to(number - view.page + 1)

    def _rest_of(self, query: LogQuery) -> LogQuery:
        """What comes after the last line that is here."""
        store = self.log_view.store
        time = store.line(store.end - 1).time if store.end > store.first else None
        if time is None:
            return query
        after = datetime.fromtimestamp(time, UTC) + timedelta(microseconds=1)
        return query.model_copy(update={"since": after, "lines": None})

    def _stop_with(self, error: HiveError) -> None:
        self.log_view.empty = f"The log cannot be read: {error.what}. {error.fix}"
        self._tell(f"the log cannot be read: {error.what}")
        self.show_error(error)

    def _tell(self, text: str) -> None:
        self.log_view.notice = text
        self.log_view.repaint()

    async def _find_why_empty(self, query: LogQuery) -> None:
        """Nothing may be what there is, or not be there yet: a query that ends tells which."""
        asked = query.model_copy(update={"follow": False, "lines": 1})
        try:
            async with aclosing(self.hive.logs(asked)) as batches:  # type: ignore[type-var]
                if any([batch async for batch in batches]):
                    return
        except HiveError:
            return  # the other reader says so
        self.log_view.empty = self._nothing(query)
        self.log_view.repaint()

    def _nothing(self, query: LogQuery) -> str:
        states = {one.name: str(one.state) for one in self.state.agents}
        whose = ", ".join(f"{name} ({states.get(name, 'no such agent')})" for name in query.agents)
        since = f" since {query.since:%Y-%m-%d %H:%M:%S} UTC; t asks for more" if query.since else ""
        runs = any(states.get(name) == AgentState.RUNNING for name in query.agents)
        return f"{whose}: nothing is logged{since}. " + ("Lines show as they come." if runs else "It does not run.")

    def _older(self) -> bool:
        """Read more, when a person goes up at the oldest line that is here; whether there may be more."""
        view = self.log_view
        store = view.store
        if view.top > view.first_line() or self._return_to is not None or store.end == store.first:
            return False
        if self._since is not None or self._lines is None or store.end < self._lines:
            since = "; t asks for more" if self._since is not None else ""
            self._tell(f"this is the first line{since}")
            return False
        self._lines = self._lines * MORE if self._lines * MORE < self._most_lines else None
        self._read(return_to=store.line(store.first).time)
        return True

    # -- keys -------------------------------------------------------------------------------------------------------

    def unavailable_reason(self, action: str) -> str | None:
        """What needs a filter, or agents."""
        if action == "invert" and not self._filtered:
            return "there is no filter to turn round; & sets one"
        if action == "agents" and not self.state.own_agents:
            return "there is no agent yet; press 1, then c to spawn one"
        return None

    def action_up(self) -> None:
        """A line back; at the oldest one, more of them."""
        if not self._older():
            super().action_up()

    def action_page_up(self) -> None:
        """A page back; at the oldest one, more of them."""
        if not self._older():
            super().action_page_up()

    def action_first(self) -> None:
        """To the oldest line that is here; once more, more of them."""
        if not self._older():
            super().action_first()

    def action_agents(self) -> None:
        """Choose whose logs."""

        def answered(names: tuple[str, ...] | None) -> None:
            if names and names != self._agents:
                self._agents = names
                self._read()

        self.app.push_screen(AgentsDialog("Whose logs?", self.state.own_agents, self._agents), answered)

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

    def action_find(self) -> None:
        """Type what to search for."""
        self._typing = "search"
        super().action_find()

    def action_filter(self) -> None:
        """Type what lines must match."""
        self._typing = "filter"
        self.query_one(PromptLine).ask("show only lines that match: enter; nothing shows all", self._filtered)

    def action_invert(self) -> None:
        """The lines that do not match."""
        self._filter(self._filtered, not self._inverted)

    def _filter(self, text: str, inverted: bool) -> None:
        if self.try_pattern(lambda: self.log_view.filter(text, inverted)):
            self._filtered, self._inverted = text, inverted and bool(text)
            self.refresh_bindings()

    def accept_text(self, text: str) -> None:
        """Search or filter."""
        if self._typing == "search":
            super().accept_text(text)
        else:
            self._filter(text, self._inverted)

    async def action_back(self) -> None:
        """First out of the line, the selection, the search and the filter, then back."""
        view = self.log_view
        if self.close_prompt():
            return
        if view.selecting:
            view.action_select()
        elif view.searching:
            view.search("")
        elif self._filtered:
            self._filter("", False)
        else:
            await self.app.run_action("app.back")

    def action_tail(self) -> None:
        """How many lines, or since when."""

        def answered(text: str | None) -> None:
            if text:
                self._lines, ago = parse_tail(text)
                self._since = self.clock() - ago if ago is not None else None
                self._read()

        self.app.push_screen(Tail(self._most_lines), answered)

    def action_select(self) -> None:
        """Begin to select lines, or stop."""
        self.log_view.action_select()

    def action_copy(self) -> None:
        """Copy the selected or visible lines."""
        self.log_view.action_copy()

    def action_save(self) -> None:
        """Save what the view holds to a file of the operator's."""
        name = f"hivetui-{'-'.join(self._agents[:3])}-{self.clock():%Y%m%dT%H%M%S.%fZ}.log"
        self.run_worker(self._save(Path.home() / name, self.log_view.saved()), group="save")

    async def _save(self, path: Path, lines: Iterator[bytes]) -> None:
        try:
            count = await save(path, lines)
        except OSError as error:
            why = f"{path}: {error.strerror}"
            self.notify(safe(why), title="Not saved", severity="error", markup=False)
        else:
            text = f"{count} lines, exactly as they were written: read them with less, not with cat"
            self.notify(safe(f"{path}\n{text}"), title="Saved", timeout=12, markup=False)


NO_AGENTS = "There is no agent whose log could be shown. Press 1, then c to spawn one."
_THEME_COLOURS = {"green": "success", "blue": "primary", "magenta": "secondary", "cyan": "accent", "yellow": "warning"}


def usual_agents(state: HiveState) -> tuple[str, ...]:
    """Those with a container; where there is none, those that are kept, whose logs can still be read."""
    rows = [one.name for one in state.own_agents if one.state is not AgentState.KEPT]
    return tuple(rows or [one.name for one in state.own_agents])


def _first_from(view: LogView, time: float) -> int | None:
    """The number of the first line at or after a time, None while all are older."""
    store = view.store
    low, high = store.first, store.end
    while low < high:
        middle = (low + high) // 2
        if (store.line(middle).time or 0.0) < time:
            low = middle + 1
        else:
            high = middle
    return low if low < store.end else None


async def save(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a new file that only its owner can read; how many. OSError, also when there is such a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    count = 0
    with os.fdopen(descriptor, "wb") as file:
        for count, line in enumerate(lines, 1):
            file.write(line)
            if count % SAVED_AT_ONCE == 0:
                await asyncio.sleep(0)
    return count


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_tail(text: str) -> tuple[int | None, timedelta | None]:
    """`500` is the last so many lines; `10m`, `2h`, `1d` is since so long ago; `all` is all.

    ValueError for anything else.
    """
    if text == "all":
        return None, None
    if text.isascii() and text.isdecimal() and 0 < int(text[:8]) <= MOST_LINES and len(text) < 8:
        return int(text), None
    if text[:-1].isascii() and text[:-1].isdecimal() and text[-1] in _SPANS and len(text) < 8:
        return None, timedelta(seconds=min(int(text[:-1]) * _SPANS[text[-1]], 10**9))
    raise ValueError(text)


class Tail(TextDialog):
    """Asks how much of the log."""

    def __init__(self, most_lines: int) -> None:
        text = "A number of lines, such as 500, or a time, such as 10m, 2h, 1d, or all"
        super().__init__("How much of the log?", (f"{text} (the last {most_lines:,} lines).",), "500")

    def problem(self, text: str) -> str | None:
        """Only what can be understood."""
        try:
            parse_tail(text.strip())
        except ValueError:
            return "That is neither a number of lines nor a time."
        return None
