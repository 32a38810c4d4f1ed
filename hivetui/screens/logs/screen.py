"""The logs of one agent or several, merged by time: follow, freeze, search, filter, copy, save."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.patterns import find_problem
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.agents import AgentsDialog
from hivetui.screens.listing import MOVEMENT
from hivetui.screens.log_screen import LogViewScreen
from hivetui.screens.logs.reader import LogReader
from hivetui.screens.logs.save import choose_path, save
from hivetui.screens.logs.tail import MAX_LINES, Tail, TailDialog, parse_tail
from hivetui.screens.logs.text import build_heading, choose_hues, describe_loading, how_to_spawn
from hivetui.screens.prompt_line import PromptLine
from hivetui.widgets.log.log_view import LogView


class LogsScreen(LogViewScreen):
    """Logs, followed from the start."""

    TAB = "logs"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("logs", "search", "view"),
        *keymap.bindings("list", only=MOVEMENT),
    ]
    CSS_PATH = "logs.tcss"

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = (), max_lines: int = MAX_LINES) -> None:
        super().__init__(hive, state)
        self._agents = agents or default_agents(state)
        self._max_lines = max_lines
        self._tail = Tail()
        self._view = LogView(limit=max_lines, clock=lambda: self.clock(), classes="body")
        self._reader = LogReader(hive, self._view, self.show_error, lambda: self.clock())
        self._prompt_for: Literal["search", "filter"] = "search"
        self._pattern = ""
        self._is_inverted = False
        self._was_lost = False
        self._following: Worker[None] | None = None

    def body(self) -> Iterable[Widget]:
        """Whose log, the log, and the line for search and filter."""
        yield StatusText("", id="whose", markup=False)
        yield self._view
        yield PromptLine()

    def on_mount(self) -> None:
        """Start to read."""
        self._read()

    def show(self, state: HiveState) -> None:
        """Say whose log this is, and their states."""
        heading = build_heading(self._agents, self._states, self._tail)
        self.query_one("#whose", Static).update(heading, layout=False)
        self._tell_loss()

    def _tell_loss(self) -> None:
        """Say in an empty view that the line is lost; when it is back, go on, and find out why nothing is shown."""
        is_back, self._was_lost = self._was_lost and self.state.lost_at is None, self.state.lost_at is not None
        if is_back and self._following is not None and self._following.is_finished:
            self.log_view.notice = ""
            self._following = self.run_worker(self._reader.follow(self._reader.continued(self._query)), group="log")
        if not self._agents or self.log_view.store.end:
            return
        if self._was_lost:
            self.log_view.empty = f"{describe_loading(self._agents)} Not read yet: {self.state.problem}"
            self.log_view.repaint()
        elif is_back:
            self._explain_empty()

    @property
    def _states(self) -> dict[str, AgentState]:
        return {agent.name: agent.state for agent in self.state.agents}

    @property
    def log_view(self) -> LogView:
        """The view of the log."""
        return self._view

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(self, stay: bool = False) -> None:
        """Read anew, from the oldest line that is wanted; `stay` at the line that is the oldest one now."""
        view = self.log_view
        view.prefix.show_sources, view.prefix.hues = len(self._agents) > 1, choose_hues(self._agents)
        view.empty = describe_loading(self._agents)
        self._reader.prepare(stay)
        self.show(self.state)
        for group in ("log", "why"):
            self.workers.cancel_group(self, group)
        if self._agents:
            self._following = self.run_worker(self._reader.follow(self._query), group="log")
            self._explain_empty()

    @property
    def _query(self) -> LogQuery:
        """What is wanted of the log."""
        return LogQuery(agents=self._agents, follow=True, lines=self._tail.lines, since=self._tail.since)

    def _explain_empty(self) -> None:
        self.run_worker(self._reader.explain_empty(self._query, self._states), group="why")

    def _read_older(self) -> bool:
        """Read more lines, if the view is at the oldest one and there may be older ones; whether it does."""
        view = self.log_view
        store = view.store
        if view.top > view.first_line() or self._reader.is_returning or store.end == store.first:
            return False
        if store.first or not self._tail.may_have_older(store.end):
            key = keymap.current_key("logs.tail")
            more = f" ({key}: show more)" if self._tail.since is not None else " that is kept" if store.first else ""
            view.notice = f"first line{more}"
            view.repaint()
            return False
        self._tail = self._tail.extended(self._max_lines)
        self._read(stay=True)
        return True

    def action_up(self) -> None:
        """A line back; at the oldest one, read more of them."""
        if not self._read_older():
            super().action_up()

    def action_page_up(self) -> None:
        """A page back; at the oldest line, read more of them."""
        if not self._read_older():
            super().action_page_up()

    def action_first(self) -> None:
        """Go to the oldest line; once there, read more of them."""
        if not self._read_older():
            super().action_first()

    def action_agents(self) -> None:
        """Choose whose logs."""

        def on_answer(names: tuple[str, ...] | None) -> None:
            if names and names != self._agents:
                self._agents = names
                self._read()

        self.app.push_screen(AgentsDialog("Whose logs?", self.state.own_agents, self._agents), on_answer)

    def action_tail(self) -> None:
        """Choose how many lines, or since when."""

        def on_answer(text: str | None) -> None:
            if text:
                self._tail = parse_tail(text, self.clock())
                self._read()

        self.app.push_screen(TailDialog(self._max_lines, self.clock()), on_answer)

    # -- what is shown of them --------------------------------------------------------------------------------------

    def unavailable_reason(self, action: str) -> str | None:
        """Inverting needs a filter, choosing needs agents."""
        if action == "invert" and not self._pattern:
            return f"There is no filter to invert. Press {keymap.current_key('logs.filter')} to set one."
        if action == "agents" and not self.state.own_agents:
            return f"No agents yet. {how_to_spawn()}"
        return None

    def action_freeze(self) -> None:
        """Freeze, or follow again."""
        self.log_view.action_toggle_freeze()

    def action_times(self) -> None:
        """Show or hide timestamps."""
        self.log_view.action_toggle_times()

    def action_sources(self) -> None:
        """Show or hide the column of agents."""
        self.log_view.action_toggle_sources()

    def action_select(self) -> None:
        """Start to select lines, or stop."""
        self.log_view.action_select()

    def action_find(self) -> None:
        """Ask what to search for."""
        self.close_prompt()
        self._prompt_for = "search"
        super().action_find()

    def action_filter(self) -> None:
        """Ask what lines must match."""
        self.close_prompt()
        self._prompt_for = "filter"
        self.query_one(PromptLine).ask("filter (regex); empty shows all", self._pattern, find_problem)

    @property
    def is_prompt_for_search(self) -> bool:
        """Whether what is typed is searched for, and is no filter."""
        return self._prompt_for == "search"

    def accept_text(self, text: str) -> None:
        """Search or filter."""
        if self.is_prompt_for_search:
            super().accept_text(text)
        else:
            self._filter(text, self._is_inverted)

    def action_invert(self) -> None:
        """Show the lines that do not match."""
        self._filter(self._pattern, not self._is_inverted)

    def _filter(self, pattern: str, is_inverted: bool) -> None:
        self.log_view.filter(pattern, is_inverted)
        self._pattern, self._is_inverted = pattern, is_inverted and bool(pattern)
        self.refresh_bindings()

    def end_innermost(self) -> bool:
        """Close the prompt, end the selection, the search, the filter."""
        if self.close_prompt():
            return True
        if self.log_view.selecting:
            self.log_view.action_select()
            return True
        if super().end_innermost():
            return True
        had_filter = bool(self._pattern)
        if had_filter:
            self._filter("", False)
        return had_filter

    def action_save(self) -> None:
        """Save the lines that the filter leaves to a file of the operator's."""
        path = choose_path(self._agents, self.clock())
        self.run_worker(self._save(path, self.log_view.saved()), group="save")

    async def _save(self, path: Path, lines: Iterator[bytes]) -> None:
        try:
            count = await save(path, lines)
        except OSError as error:
            why = f"{path}: {error.strerror}"
            self.notify(safe(why), title="Not saved", severity="error", markup=False)
        else:
            text = f"{count} {'line' if count == 1 else 'lines'}, raw: read the file with less, not with cat"
            self.notify(f"{safe(str(path))}\n{text}", title="Saved", timeout=12, markup=False)


def default_agents(state: HiveState) -> tuple[str, ...]:
    """The agents with a container; if there is none, those whose data is kept: their logs can still be read."""
    names = [agent.name for agent in state.own_agents if agent.state is not AgentState.KEPT]
    return tuple(names or [agent.name for agent in state.own_agents])
