"""Every deploy of one agent or all, newest first, which one is active, and rolling back to an earlier one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Deployment
from hivetui.screens.base import OpenRequested
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.listing import ListScreen
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row


class HistoryScreen(ListScreen):
    """The list of deploys."""

    TAB = "history"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("history", "list")
    COLUMNS = (
        Column("id", "ID", 4, 6, priority=10, align="right"),
        Column("agent", "AGENT", 5, 9, priority=9),
        Column("runs", "ACTIVE", 8, 8, priority=8),
        Column("kind", "KIND", 8, 8, priority=6),
        Column("commit", "COMMIT", 8, 8, priority=7),
        Column("when", "WHEN (UTC)", 16, 16, priority=6),
        Column("age", "AGE", 4, 5, priority=3, align="right"),
        Column("by", "BY", 6, 14, priority=4),
        Column("note", "NOTE", 10, 80, priority=5),
    )

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agent = agents[0] if agents else None
        """The only agent whose deploys are listed; None for all."""
        self._deployments: tuple[Deployment, ...] = ()

    def show(self, state: HiveState) -> None:
        """Load again."""
        self.run_worker(self._load(), group="history", exclusive=True)

    async def _load(self) -> None:
        try:
            self._deployments = await self.hive.history(self._agent)
        except HiveError as error:
            self.show_error(error)
        if not self.is_ready:
            return
        now = self.clock()
        self.table.set_rows([build_row(deployment, now) for deployment in self._deployments])
        self.show_notices()
        self.refresh_bindings()

    def notices(self) -> Iterable[str]:
        """That only some deploys are listed."""
        if self._agent is not None:
            yield f"{self._agent} only (o: all agents)"

    def empty(self) -> str:
        """Why there is no row."""
        return f"No deploys of {self._agent} yet." if self._agent is not None else "No deploys yet."

    @property
    def current_deployment(self) -> Deployment | None:
        """The deploy under the cursor."""
        return next((one for one in self._deployments if _key_of(one) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """The first system has no review; rolling back needs another deploy than the active one, and a container."""
        deployment = self.current_deployment
        if deployment is None:
            is_needed = action in ("rollback", "open") or (action == "agent" and self._agent is None)
            return "No deploy is selected." if is_needed else None
        if action == "open" and deployment.id == 0:
            return "#0 is the agent's first system: it was not proposed, so it has no review."
        return self._rollback_obstacle(deployment) if action == "rollback" else None

    def _rollback_obstacle(self, deployment: Deployment) -> str | None:
        name = deployment.agent
        if deployment.running:
            return f"#{deployment.id} is already active on {name}."
        running = next((operation for operation in self.state.operations if operation.agent == name), None)
        if running is not None:
            return f"{running.kind.capitalize()} of {name} is running (operation {running.id})."
        states = {agent.name: agent.state for agent in self.state.agents}
        if states.get(name, AgentState.KEPT) is AgentState.KEPT:
            return f"{name} has no container; spawn it first."
        return None

    def on_line_table_row_highlighted(self) -> None:
        """Refresh the keys: which are legal depends on the row."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: open the review as it was decided."""
        deployment = self.current_deployment
        if deployment is None:
            return
        if why := self.unavailable_reason("open"):
            self.notify(why, markup=False)
        else:
            self.post_message(OpenRequested("review", (deployment.agent,), deployment.id))

    def action_agent(self) -> None:
        """List only the deploys of the agent under the cursor, or those of all agents."""
        deployment = self.current_deployment
        self._agent = deployment.agent if self._agent is None and deployment is not None else None
        self.show(self.state)

    def action_rollback(self) -> None:
        """Roll back, with a note."""
        if (deployment := self.current_deployment) is None:
            return
        name = deployment.agent

        def on_answer(note: str | None) -> None:
            if note:
                self.run_engine_work(self.hive.rollback(name, deployment.id, note), self.open_operation)

        question = f"Roll back {name} to #{deployment.id} ({wording.short_hash(deployment.commit)}): why?"
        details = (
            f"Its commit is built and deployed under a new id; {name} stops, then starts with it.",
            "The current version is restored if the new one does not start.",
        )
        self.app.push_screen(NoteDialog(question, details), on_answer)


def _key_of(deployment: Deployment) -> str:
    return f"{deployment.agent} {deployment.id}"


def build_row(deployment: Deployment, now: datetime) -> Row:
    """One deploy as a row."""
    deployed_at = deployment.deployed_at
    return Row(
        _key_of(deployment),
        (
            Cell(f"#{deployment.id}", "strong", deployment.id),
            deployment.agent,
            Cell("▶ active" if deployment.running else "", "good"),
            str(deployment.kind),
            wording.short_hash(deployment.commit),
            f"{deployed_at:%Y-%m-%d %H:%M}",
            Cell(wording.format_age(deployed_at, now), "", -deployed_at.timestamp()),
            deployment.operator,
            deployment.note,
        ),
    )
