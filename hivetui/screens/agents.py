"""Home: every agent, what it does, what it waits for; the selected one in detail beside or below the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState, is_foreign
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.text import safe
from hivetui.engine.model.warnings import WarningCode
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NameDialog
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row

from ..widgets import wording
from ..widgets.agent_detail import LOG_LINES, AgentDetailView, Log
from .base import OpenRequested
from .dialogs.spawn import SpawnDialog
from .listing import ListScreen, PromptLine

WIDE = 130
"""From so many columns on the detail stands beside the table."""
SETTLE_SECONDS = 0.15
"""How long the cursor rests on a row before its detail is asked for: moving through a long list asks for nothing."""
LOG_SECONDS = 3.0
"""How often the last lines of the selected agent's log are read again: each time is a process."""


class AgentsScreen(ListScreen):
    """The home screen."""

    TAB = "agents"
    GROUPS = ("agents", "list")
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("agents", "list")
    FOLD_TITLE = "gone but kept"
    EMPTY = "No agents yet. Press c to spawn one."
    COLUMNS = (
        Column("name", "NAME", 9, 12, priority=10),
        Column("state", "STATE", 10, 10, priority=9),
        Column("port", "PORT", 5, 7, priority=6, align="right"),
        Column("deployed", "DEPLOYED", 12, 14, priority=7),
        Column("update", "UPDATE", 6, 6, priority=3),
        Column("pending", "WAITS", 6, 9, priority=8),
        Column("memory", "MEM", 5, 6, priority=4, align="right"),
        Column("cpu", "CPU", 5, 5, priority=5, align="right"),
        Column("uptime", "UP", 4, 7, priority=2, align="right"),
        Column("operation", "OPERATION", 9, 24, priority=7),
    )
    CSS = """
    AgentsScreen #main { layout: vertical; height: 1fr; }
    AgentsScreen #main LineTable { height: 1fr; min-height: 5; }
    AgentsScreen #main AgentDetailView { height: 45%; border-top: solid $panel; }
    AgentsScreen.wide #main { layout: horizontal; }
    AgentsScreen.wide #main LineTable { width: 1fr; height: 100%; }
    AgentsScreen.wide #main AgentDetailView { width: 42%; height: 100%; border-top: none; border-left: solid $panel; }
    """

    def __init__(self, hive: Hive, state: HiveState, columns: Sequence[str] = ()) -> None:
        super().__init__(hive, state)
        self._picked = picked([column.id for column in self.COLUMNS], columns)
        self._detail: AgentDetail | None = None
        self._log: Log = None
        self._asked: tuple[object, ...] = ()  # of which agent, as it stood, the detail was asked for
        self._legal: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """What is said at the top, the table and the detail, the filter's line."""
        yield Static("", classes="notice", markup=False)
        yield Container(
            LineTable([self.COLUMNS[at] for at in self._picked], fold_title=self.FOLD_TITLE, empty=self.EMPTY),
            AgentDetailView(),
            id="main",
        )
        yield PromptLine()

    def on_mount(self) -> None:
        """The log is read again at a humane pace."""
        self.set_interval(LOG_SECONDS, self._read_log_again)

    def on_resize(self) -> None:
        """Beside from a certain width on, else below."""
        self.set_class(self.size.width >= WIDE, "wide")

    def notices(self) -> Iterable[str]:
        """The collisions: which agents, which port, and the fix."""
        for one in self.state.warnings:
            if one.code in _ABOUT_PORTS:
                yield f"▲ {one.text}. Fix: {one.fix}"

    def show(self, state: HiveState) -> None:
        """Rows and detail; which keys are legal, when that may differ."""
        now = self.clock()
        steps = {one.id: one for one in state.operations}
        rows = [row_of(agent, steps, now) for agent in state.agents]
        self.table.set_rows([row._replace(cells=tuple(row.cells[at] for at in self._picked)) for row in rows])
        self._show_detail()
        agent = self.agent()
        legal = (agent.name, agent.state, agent.pending, is_foreign(agent)) if agent else ()
        if legal != self._legal:
            self._legal = legal
            self.refresh_bindings()

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

    def on_line_table_selection_changed(self) -> None:
        """What is legal depends on what is marked."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review of what waits, else the log."""
        agent = self.agent()
        if agent is None:
            return
        if agent.pending:
            self.post_message(OpenRequested("review", (agent.name,), agent.pending[0]))
        elif why := self.unavailable_reason("logs"):
            self.notify(safe(why), severity="warning", markup=False)
        else:
            self.post_message(OpenRequested("logs", (message.key,)))

    # -- detail -----------------------------------------------------------------------------------------------------

    def _show_detail(self) -> None:
        """Show what is known at once; ask only when another agent is selected, or this one stands otherwise."""
        agent = self.agent()
        wanted = _standing(agent)
        if wanted != self._asked:
            settle = 0.0
            if wanted[:1] != self._asked[:1]:
                self._detail, self._log, settle = None, None, SETTLE_SECONDS
            self._asked = wanted
            if agent is not None:
                self.run_worker(self._load(agent, settle), group="detail", exclusive=True)
        self._paint_detail()

    def _paint_detail(self) -> None:
        if self.is_ready:
            root = self.state.description.root
            self.query_one(AgentDetailView).show(self.agent(), self._detail, self._log, root, self.clock())

    async def _load(self, agent: Agent, settle: float) -> None:
        await asyncio.sleep(settle)
        try:
            self._detail = await self.hive.agent(agent.name)
        except HiveError as error:
            self._log = error.what
        self._paint_detail()
        await self._load_log(agent)

    def _read_log_again(self) -> None:
        """Only of a running agent that is looked at now."""
        agent = self.agent() if self.is_current and self.is_ready else None
        if agent is not None and agent.state is AgentState.RUNNING and self._log is not None:
            self.run_worker(self._load_log(agent), group="detail", exclusive=True)

    async def _load_log(self, agent: Agent) -> None:
        if is_foreign(agent):
            self._log = "its log is not the engine's to show"
        else:
            try:
                self._log = await self._last_lines(agent.name)
            except HiveError as error:
                self._log = f"the log cannot be read: {error.what}"
        self._paint_detail()

    async def _last_lines(self, name: str) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        async for batch in self.hive.logs(LogQuery(agents=(name,), lines=LOG_LINES)):
            lines += batch
        return tuple(lines[-LOG_LINES:])

    def action_detail_down(self) -> None:
        """Scroll the detail."""
        self.query_one(AgentDetailView).scroll_relative(y=4, animate=False)

    def action_detail_up(self) -> None:
        """Scroll the detail back."""
        self.query_one(AgentDetailView).scroll_relative(y=-4, animate=False)

    # -- actions ----------------------------------------------------------------------------------------------------

    def unavailable_reason(self, action: str) -> str | None:
        """An agent that is there, has a container, and is ours to touch."""
        agents = self.chosen() if action in _ON_MARKED else tuple(filter(None, (self.agent(),)))
        if action not in _NEEDS:
            return None
        if not agents:
            return "No agent is selected."
        if action == "review" and not agents[0].pending:
            return f"Nothing of {agents[0].name} waits for a decision."
        return self._refusals(action, agents)

    def _refusals(self, action: str, agents: tuple[Agent, ...]) -> str | None:
        """Why none of these can be acted on, told of the first; None if at least one can."""
        refusals = [refusal(action, one) for one in agents]
        return refusals[0] if all(refusals) else None

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

        self.app.push_screen(NameDialog(agent.name, question, details), answered)

    def action_spawn(self) -> None:
        """Ask for a name, then make the agent."""

        def answered(name: str | None) -> None:
            if name:
                self.run_engine_work(self.hive.begin(OperationKind.SPAWN, name), self.open_operation)

        self.app.push_screen(SpawnDialog(self.hive, self.state.agents), answered)

    def action_logs(self) -> None:
        """Logs of the chosen agents."""
        names = tuple(one.name for one in self.chosen() if not is_foreign(one))
        self.post_message(OpenRequested("logs", names))

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
            self.run_engine_work(self.hive.operations(ended=True), partial(self._open_newest, agent.name))

    def _open_newest(self, name: str, operations: tuple[Operation, ...]) -> None:
        rows = [one for one in operations if one.agent == name]
        if rows:
            self.open_operation(max(rows, key=lambda one: one.id))
        else:
            self.notify(f"nothing ran on {name} yet", markup=False)

    def _ask(self, kind: OperationKind, consequence: str) -> None:
        """One question for all that can be acted on, every one of them named; those that cannot, with the reason."""
        agents = tuple(one for one in self.chosen() if refusal(str(kind), one) is None)
        left = tuple(why for one in self.chosen() if (why := refusal(str(kind), one)))
        if not agents:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(kind, agents)

        names = ", ".join(one.name for one in agents)
        count = f"{len(agents)} agents" if len(agents) > 1 else names
        details = ((names,) if len(agents) > 1 else ()) + (consequence,) + left
        self.app.push_screen(ConfirmDialog(f"{kind.capitalize()} {count}?", details, str(kind)), answered)

    def _begin(self, kind: OperationKind, agents: tuple[Agent, ...]) -> None:
        """One: its operation opens. Several: each by itself; who is refused is named, and keeps no other from it."""
        fit = [one for one in agents if refusal(str(kind), one) is None]
        if len(fit) == 1:
            self.run_engine_work(self.hive.begin(kind, fit[0].name), self.open_operation)
        elif fit:
            self.run_engine_work(self._begin_all(kind, [one.name for one in fit]), self._begun)
        self.table.unmark_all()

    async def _begin_all(self, kind: OperationKind, names: list[str]) -> bool:
        """Begin one after the other; whether all could."""
        refused = False
        for name in names:
            try:
                await self.hive.begin(kind, name)
            except HiveError as error:
                refused = True
                self.show_error(type(error)(f"{name}: {error.what}", error.why, error.fix))
        return not refused

    def _begun(self, all_of_them: bool) -> None:
        """What runs, unless somebody was refused: that is to be read, and the rows show what runs too."""
        if all_of_them:
            self.post_message(OpenRequested("operations"))


_ABOUT_PORTS = (WarningCode.PORT_COLLISION, WarningCode.PORT_IN_USE)
_ON_MARKED = frozenset({"start", "stop", "restart", "rebuild", "destroy", "logs"})
_NEEDS_CONTAINER = frozenset({"start", "stop", "restart", "rebuild", "destroy"})
_NEEDS = _ON_MARKED | {"mark", "purge", "operation", "history", "review"}


def refusal(action: str, agent: Agent) -> str | None:
    """Why an action makes no sense for this agent, or None."""
    if is_foreign(agent) and action != "mark":
        return f"{agent.name} is not the engine's: its container was made by hand, and is left alone."
    if action in _NEEDS_CONTAINER and agent.state is AgentState.KEPT:
        return f"{agent.name} has no container, only what was kept of it. Spawn it again with c."
    if action == "start" and agent.state is AgentState.RUNNING:
        return f"{agent.name} runs already."
    if action == "stop" and agent.state is AgentState.STOPPED:
        return f"{agent.name} does not run."
    return None


def _standing(agent: Agent | None) -> tuple[object, ...]:
    """How an agent stands, beginning with its name, without the figures that change all the time."""
    if agent is None:
        return ()
    return (agent.name, agent.state, agent.deployed, agent.deployed_commit, agent.since, agent.warnings)


def picked(known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Which columns are shown, in which order: the name, and of the others those that are wanted, or all."""
    chosen = [known.index(name) for name in dict.fromkeys(wanted) if name in known]
    name = known.index("name")
    return (chosen if name in chosen else [name, *chosen]) if chosen else list(range(len(known)))


def row_of(agent: Agent, operations: dict[int, Operation], now: datetime) -> Row:
    """One agent as a row."""
    glyph, tone = wording.AGENT_GLYPHS[agent.state]
    operation = operations.get(agent.operation) if agent.operation is not None else None
    clash = any(one.code in _ABOUT_PORTS for one in agent.warnings)
    up = agent.since if agent.state is AgentState.RUNNING else None
    return Row(
        agent.name,
        (
            Cell(agent.name, "strong"),
            Cell(f"{glyph} {agent.state}", tone),
            Cell(_port(agent, clash), "warn" if clash else "", agent.port),
            _deployed(agent),
            Cell("update" if agent.needs_update else "", "warn"),
            Cell(f"{len(agent.pending)} #{agent.pending[0]}" if agent.pending else "", "warn", len(agent.pending)),
            Cell(wording.size(agent.memory_bytes), "", agent.memory_bytes or 0),
            Cell("–" if agent.cpu_percent is None else f"{agent.cpu_percent:.0f}%", "", agent.cpu_percent or 0.0),
            Cell(wording.ago(up, now), "", (now - up).total_seconds() if up else 0.0),
            Cell(f"▶ {operation.kind} {operation.step or ''}" if operation else "", "busy"),
        ),
        folded=agent.state is AgentState.KEPT and agent.operation is None,  # not one that is being spawned
    )


def _port(agent: Agent, clash: bool) -> str:
    return f"{'▲' if clash else ''}{agent.port}" if agent.port else "–"


def _deployed(agent: Agent) -> Cell:
    if is_foreign(agent):
        return Cell("foreign", "dim", -2)
    if agent.deployed is None:
        return Cell("–", "", -1)
    return Cell(f"#{agent.deployed} {wording.short(agent.deployed_commit)}", "", agent.deployed)
