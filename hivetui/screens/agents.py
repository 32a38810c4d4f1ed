"""Home: every agent, what it does, what it waits for; the selected one in detail beside or below the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from .. import keys
from ..engine.errors import HiveError
from ..engine.interface import Hive
from ..engine.models import (
    Agent,
    AgentDetail,
    AgentState,
    LogLine,
    LogQuery,
    Operation,
    OperationKind,
    WarningCode,
)
from ..engine.text import safe
from ..widgets import wording
from ..widgets.agent_detail import LOG_LINES, AgentDetailView
from ..widgets.table import Cell, Column, LineTable, Row
from .base import OpenRequested
from .dialogs.question import Question
from .dialogs.spawn import Spawn
from .dialogs.typed import TypeName
from .listing import ListScreen, TypedLine
from .state import HiveState

WIDE = 130
"""From so many columns on the detail stands beside the table."""
SETTLE_SECONDS = 0.15
"""How long the cursor rests on a row before its detail is asked for: moving through a long list asks for nothing."""


class AgentsScreen(ListScreen):
    """The home screen."""

    WORD = "agents"
    GROUPS = ("agents", "list")
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("agents", "list")
    FOLD_TITLE = "gone but kept"
    EMPTY = "No agents yet. Press c to spawn one."
    COLUMNS = (
        Column("name", "NAME", 9, 11, priority=10),
        Column("state", "STATE", 10, 10, priority=9),
        Column("port", "PORT", 5, 7, priority=6, align="right"),
        Column("deployed", "DEPLOYED", 12, 14, priority=7),
        Column("update", "UPDATE", 6, 6, priority=3),
        Column("pending", "WAITS", 6, 9, priority=8),
        Column("memory", "MEM", 5, 6, priority=4, align="right"),
        Column("cpu", "CPU", 5, 5, priority=5, align="right"),
        Column("uptime", "UP", 4, 7, priority=2, align="right"),
        Column("operation", "OPERATION", 8, 24, priority=7),
    )
    CSS = """
    AgentsScreen #main { layout: vertical; height: 1fr; }
    AgentsScreen #main LineTable { height: 1fr; min-height: 5; }
    AgentsScreen #main AgentDetailView { height: 45%; border-top: solid $panel; }
    AgentsScreen.wide #main { layout: horizontal; }
    AgentsScreen.wide #main LineTable { width: 1fr; height: 100%; }
    AgentsScreen.wide #main AgentDetailView { width: 42%; height: 100%; border-top: none; border-left: solid $panel; }
    AgentsScreen #collision { height: auto; max-height: 3; padding: 0 1; color: $warning; display: none; }
    AgentsScreen #collision.some { display: block; }
    """

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self._known: tuple[str, AgentDetail | None, tuple[LogLine, ...] | None] = ("", None, None)

    def body(self) -> Iterable[Widget]:
        """The collisions, the table and the detail, the filter's line."""
        yield Static("", id="collision", markup=False)
        yield Container(
            LineTable(self.COLUMNS, fold_title=self.FOLD_TITLE, empty=self.EMPTY),
            AgentDetailView(),
            id="main",
        )
        yield TypedLine()

    def on_resize(self) -> None:
        """Beside from a certain width on, else below."""
        self.set_class(self.size.width >= WIDE, "wide")
        super().on_resize()

    def show(self, state: HiveState) -> None:
        """Rows, detail, collisions."""
        now = datetime.now(UTC)
        steps = {one.id: one for one in state.operations}
        self.table.set_rows([row_of(agent, steps, now) for agent in state.agents])
        self._show_collisions(state)
        self._show_detail()

    def _show_collisions(self, state: HiveState) -> None:
        rows = [one for one in state.warnings if one.code is WarningCode.PORT_COLLISION]
        line = self.query_one("#collision", Static)
        line.update("\n".join(f"▲ {safe(one.text)} {safe(one.fix)}" for one in rows))
        line.set_class(bool(rows), "some")

    # -- which agents -----------------------------------------------------------------------------------------------

    def agent(self) -> Agent | None:
        """The agent under the cursor."""
        return next((one for one in self.state.agents if one.name == self.table.current), None)

    def chosen(self) -> tuple[Agent, ...]:
        """The marked agents, or else the one under the cursor."""
        names = self.table.marked or ((self.table.current,) if self.table.current else ())
        return tuple(one for one in self.state.agents if one.name in names)

    def on_line_table_row_highlighted(self) -> None:
        """Another agent's detail."""
        self._show_detail()
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review of what waits, else the log."""
        agent = self.agent()
        if agent is not None and agent.pending:
            self.post_message(OpenRequested("review", (agent.name,), agent.pending[0]))
        else:
            self.post_message(OpenRequested("logs", (message.key,)))

    def _show_detail(self) -> None:
        """Show what is known at once, then what has to be asked for."""
        agent = self.agent()
        name, detail, log = self._known
        same = agent is not None and agent.name == name
        self.query_one(AgentDetailView).show(agent, detail if same else None, log if same else None)
        if agent is not None:
            self.run_worker(self._load_detail(agent), group="detail", exclusive=True)

    async def _load_detail(self, agent: Agent) -> None:
        await asyncio.sleep(0 if agent.name == self._known[0] else SETTLE_SECONDS)
        try:
            detail = await self.hive.agent(agent.name)
            log = await self._last_lines(agent.name)
        except HiveError as error:
            detail, log = None, (LogLine(datetime.now(UTC), agent.name, "engine", error.what),)
        self._known = (agent.name, detail, log)
        self.query_one(AgentDetailView).show(self.agent(), detail, log)

    async def _last_lines(self, name: str) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        async for batch in self.hive.logs(LogQuery(agents=(name,), lines=LOG_LINES)):
            lines += batch
        return tuple(lines[-LOG_LINES:])

    # -- actions ----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense for the agent under the cursor is grey."""
        agent = self.agent() if self.is_mounted else None
        if action in _NEEDS_AGENT and agent is None:
            return None
        if action == "review" and agent is not None and not agent.pending:
            return None
        if action in _NEEDS_CONTAINER and agent is not None and agent.state is AgentState.KEPT:
            return None
        return True

    def action_mark(self) -> None:
        """Mark or unmark."""
        self.table.action_toggle_mark()

    def action_fold(self) -> None:
        """Show or fold kept agents."""
        self.table.action_toggle_fold()

    def action_start(self) -> None:
        """Start at once."""
        self._begin(OperationKind.START, self.chosen())

    def action_stop(self) -> None:
        """Stop, after a question."""
        self._ask(OperationKind.STOP, "Their work in progress ends; notes and credentials stay.")

    def action_restart(self) -> None:
        """Restart, after a question."""
        self._ask(OperationKind.RESTART, "Their work in progress ends.")

    def action_rebuild(self) -> None:
        """Rebuild, after a question."""
        self._ask(OperationKind.REBUILD, "What is deployed is built again; then each is stopped and started.")

    def action_destroy(self) -> None:
        """Destroy, after a question."""
        self._ask(OperationKind.DESTROY, "The container goes; repos, credentials and notes stay.")

    def action_purge(self) -> None:
        """Purge one agent, its name typed."""
        agent = self.agent()
        if agent is None:
            return
        details = ("The container, both repos with all history, credentials and notes go. There is no way back.",)
        question = f"Purge {agent.name} for ever?"

        def answered(name: str | None) -> None:
            if name == agent.name:
                self._begin(OperationKind.PURGE, (agent,))

        self.app.push_screen(TypeName(agent.name, question, details), answered)

    def action_spawn(self) -> None:
        """Ask for a name, then make the agent."""

        def answered(name: str | None) -> None:
            if name:
                self.act(self.hive.begin(OperationKind.SPAWN, name), self.open_operation)

        self.app.push_screen(Spawn(self.hive), answered)

    def action_logs(self) -> None:
        """Logs of the chosen agents."""
        self.post_message(OpenRequested("logs", tuple(one.name for one in self.chosen())))

    def action_review(self) -> None:
        """The oldest proposal that waits."""
        if (agent := self.agent()) is not None and agent.pending:
            self.post_message(OpenRequested("review", (agent.name,), agent.pending[0]))

    def action_history(self) -> None:
        """The deploys of this agent."""
        if (agent := self.agent()) is not None:
            self.post_message(OpenRequested("history", (agent.name,)))

    def action_operation(self) -> None:
        """What runs on it, or ran last."""
        if (agent := self.agent()) is not None:
            self.act(self.hive.operations(ended=True), partial(self._open_newest, agent.name))

    def _open_newest(self, name: str, operations: tuple[Operation, ...]) -> None:
        rows = [one for one in operations if one.agent == name]
        if rows:
            self.open_operation(max(rows, key=lambda one: one.id))
        else:
            self.notify(f"nothing ran on {name} yet", markup=False)

    def _ask(self, kind: OperationKind, consequence: str) -> None:
        agents = self.chosen()
        if not agents:
            return
        names = ", ".join(one.name for one in agents)

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(kind, agents)

        self.app.push_screen(Question(f"{kind.capitalize()} {names}?", (consequence,), str(kind)), answered)

    def _begin(self, kind: OperationKind, agents: tuple[Agent, ...]) -> None:
        if len(agents) == 1:
            self.act(self.hive.begin(kind, agents[0].name), self.open_operation)
            return
        for one in agents:
            self.act(self.hive.begin(kind, one.name))
        self.table.unmark_all()
        if agents:
            self.post_message(OpenRequested("operations"))


_NEEDS_AGENT = frozenset({"mark", "stop", "start", "restart", "rebuild", "destroy", "purge", "logs", "operation"})
_NEEDS_CONTAINER = frozenset({"start", "stop", "restart", "rebuild", "destroy"})


def row_of(agent: Agent, operations: dict[int, Operation], now: datetime) -> Row:
    """One agent as a row."""
    glyph, tone = wording.AGENT_GLYPHS[agent.state]
    operation = operations.get(agent.operation) if agent.operation is not None else None
    clash = any(one.code in (WarningCode.PORT_COLLISION, WarningCode.PORT_IN_USE) for one in agent.warnings)
    deployed = "–" if agent.deployed is None else f"#{agent.deployed} {wording.short(agent.deployed_commit)}"
    pending = f"{len(agent.pending)} #{agent.pending[0]}" if agent.pending else ""
    up = agent.since if agent.state is AgentState.RUNNING else None
    return Row(
        agent.name,
        (
            Cell(agent.name, "strong"),
            Cell(f"{glyph} {agent.state}", tone),
            Cell(f"{agent.port}{' ▲' if clash else ''}", "warn" if clash else "", agent.port),
            Cell(deployed, "", agent.deployed if agent.deployed is not None else -1),
            Cell("update" if agent.needs_update else "", "warn"),
            Cell(pending, "warn", len(agent.pending)),
            Cell(wording.size(agent.memory_bytes), "", agent.memory_bytes or 0),
            Cell("–" if agent.cpu_percent is None else f"{agent.cpu_percent:.0f}%", "", agent.cpu_percent or 0.0),
            Cell(wording.ago(up, now), "", (now - up).total_seconds() if up else 0.0),
            Cell(f"▶ {operation.kind} {operation.step or ''}" if operation else "", "busy"),
        ),
        folded=agent.state is AgentState.KEPT,
    )
