"""Home: every agent, what it runs and what is pending; the selected one in detail beside or below the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partialmethod
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from hivetui.console import keymap
from hivetui.console.state import HiveState, is_foreign
from hivetui.console.terminal.drain import is_drained
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.state import Figures
from hivetui.engine.model.text import safe
from hivetui.screens.agents.access import ShellRequested, show_page
from hivetui.screens.agents.detail import AgentDetailPane
from hivetui.screens.agents.lifecycle import MULTIPLE_ACTIONS, Lifecycle, action_obstacle
from hivetui.screens.agents.rows import COLUMNS, PORT_WARNINGS, AgentRows, select_columns, with_figures
from hivetui.screens.base import OpenRequested
from hivetui.screens.listing import ListScreen
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.state_labels import DATA_KEPT
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Row

WIDE = 130
"""The detail stands beside the table on screens of at least so many columns, else below it."""
_RETRY_SECONDS = 5.0
"""How long after the stream of figures failed it is asked for again."""


class AgentsScreen(ListScreen):
    """The home screen."""

    TAB = "agents"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("agents", "list")
    FOLD_TITLE = DATA_KEPT
    COLUMNS = COLUMNS
    CSS_PATH = "agents.tcss"

    def __init__(self, hive: Hive, state: HiveState, columns: Sequence[str] = ()) -> None:
        super().__init__(hive, state)
        self._columns = select_columns(columns)
        self._detail = AgentDetailPane(hive, lambda: self.clock())
        self._lifecycle = Lifecycle(self, hive, on_started=lambda: self.table.mark(()))
        self._selection: tuple[object, ...] = ()  # what the legal keys depend on
        self._rows = AgentRows(self._columns)
        self._shown: list[Row] = []
        self._was_lost = bool(state.problem)
        self._figures: dict[str, Figures] = {}
        """What each container uses, as long as this screen is in front."""

    def body(self) -> Iterable[Widget]:
        """The notices, the table and the detail, the filter's line."""
        yield StatusText("", classes="notice", markup=False)
        columns = [COLUMNS[index] for index in self._columns]
        yield Container(LineTable(columns, fold_title=self.FOLD_TITLE, empty=self.EMPTY), self._detail, id="main")
        yield PromptLine()

    def on_screen_resume(self) -> None:
        """Ask for figures, which are sampled only while somebody looks at them."""
        self.run_loading(self._follow_figures, "figures")

    def on_screen_suspend(self) -> None:
        """Ask for no more figures, and for no more of the log."""
        self.workers.cancel_group(self, "figures")
        self._detail.pause()

    async def _follow_figures(self) -> None:
        """Show figures as they come; why there are none is told by the problem of the state."""
        while True:
            with suppress(HiveError):
                async for batch in self.hive.figures():
                    self._figures |= {figures.container: figures for figures in batch}
                    if is_drained(self.app) and self.is_ready:
                        self.show(self.state)
            await asyncio.sleep(_RETRY_SECONDS)

    def on_resize(self) -> None:
        """The detail beside the table from a certain width on, else below it."""
        self.set_class(self.size.width >= WIDE, "wide")

    def empty(self) -> str:
        """Why there is no row."""
        return f"No agents yet. Press {keymap.current_key('agents.spawn')} to spawn one."

    def notices(self) -> Iterable[str]:
        """The other hives that are away, and the port collisions: which agents, which port, and the fix."""
        yield from self.away_notices()
        for warning in self.state.warnings:
            if warning.code in PORT_WARNINGS:
                yield f"▲ {warning.text}. Fix: {self.state.description.shorten_commands(warning.fix)}"

    def show(self, state: HiveState) -> None:
        """Show rows and detail; refresh the keys where other ones may be legal now."""
        now = state.lost_at or self.clock()
        rows = self._rows.make(state.agents, self._figures, state.operations, now)
        if rows != self._shown:
            self._shown = rows
            self.table.set_rows(rows)
        agent = self.current_agent
        self._detail.select(agent)
        is_back, self._was_lost = self._was_lost and not state.problem, bool(state.problem)
        if is_back:
            self._detail.load_again()
        selection = (agent.name, agent.state, agent.operation, agent.pending, is_foreign(agent)) if agent else ()
        if selection != self._selection:
            self._selection = selection
            self.refresh_bindings()

    def show_time(self) -> None:
        """Go on with the ages."""
        self.show(self.state)

    # -- which agents -----------------------------------------------------------------------------------------------

    @property
    def current_agent(self) -> Agent | None:
        """The agent under the cursor."""
        found = next((agent for agent in self.state.agents if agent.name == self.table.current), None)
        return None if found is None else with_figures(found, self._figures)

    @property
    def selected_agents(self) -> tuple[Agent, ...]:
        """The marked agents, or else the one under the cursor."""
        names = self.table.marked or ((self.table.current,) if self.table.current else ())
        return tuple(agent for agent in self.state.agents if agent.name in names)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show the detail of another agent."""
        self._detail.select(self.current_agent)
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review of the oldest pending proposal, else the log."""
        agent = self.current_agent
        if agent is None:
            return
        if agent.pending:
            self.action_review()
        elif why := self.unavailable_reason("logs"):
            self.notify(safe(why), severity="warning", markup=False)
        else:
            self.post_message(OpenRequested(self.hive, "logs", (message.key,)))

    # -- actions ----------------------------------------------------------------------------------------------------

    def unavailable_reason(self, action: str) -> str | None:
        """Actions need an agent that the engine manages and that is in a fitting state."""
        if action in MULTIPLE_ACTIONS:
            return action_obstacle(action, self.selected_agents)
        return action_obstacle(action, tuple(filter(None, (self.current_agent,))))

    def action_detail_down(self) -> None:
        """Scroll the detail down."""
        self._detail.scroll_relative(y=4, animate=False)

    def action_detail_up(self) -> None:
        """Scroll the detail up."""
        self._detail.scroll_relative(y=-4, animate=False)

    def action_fold(self) -> None:
        """Show or fold the destroyed agents whose data is kept."""
        self.table.action_toggle_fold()

    def action_start(self) -> None:
        """Start at once."""
        self._lifecycle.start(OperationKind.START, self.selected_agents)

    def _ask(self, kind: OperationKind) -> None:
        """Start it, if the operator confirms."""
        self._lifecycle.ask(kind, self.selected_agents)

    action_stop = partialmethod(_ask, OperationKind.STOP)
    action_restart = partialmethod(_ask, OperationKind.RESTART)
    action_rebuild = partialmethod(_ask, OperationKind.REBUILD)
    action_destroy = partialmethod(_ask, OperationKind.DESTROY)

    def action_purge(self) -> None:
        """Purge, once the name of each selected agent is typed."""
        self._lifecycle.ask_purge(self.selected_agents)

    def action_spawn(self) -> None:
        """Spawn an agent, once its name is typed."""
        self._lifecycle.ask_spawn(self.state.agents)

    def action_logs(self) -> None:
        """Open the logs of the selected agents."""
        names = tuple(agent.name for agent in self.selected_agents if not is_foreign(agent))
        self.post_message(OpenRequested(self.hive, "logs", names))

    def action_review(self) -> None:
        """Open the review of the oldest pending proposal."""
        if (agent := self.current_agent) is not None and agent.pending:
            self.post_message(OpenRequested(self.hive, "review", (agent.name,), agent.pending[0]))

    def action_web(self) -> None:
        """Show the address of the agent's web page; from a host elsewhere it is forwarded to here."""
        if (agent := self.current_agent) is not None:
            show_page(self, self.hive, agent.name)

    def action_shell(self) -> None:
        """Open a shell in the agent's container."""
        if (agent := self.current_agent) is not None:
            self.post_message(ShellRequested(self.hive, agent.name))

    def action_history(self) -> None:
        """Open the deploys of this agent."""
        if (agent := self.current_agent) is not None:
            self.post_message(OpenRequested(self.hive, "history", (agent.name,)))

    def action_operation(self) -> None:
        """Open the operation that runs on this agent, or the last one."""
        if (agent := self.current_agent) is not None:
            self._lifecycle.open_latest(agent.name)
