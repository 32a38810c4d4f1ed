"""Every deploy, newest first, of one agent or all, what of it runs, and the way back to an earlier one."""

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
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row

from ..widgets import wording
from .base import OpenRequested
from .listing import ListScreen


class HistoryScreen(ListScreen):
    """Deploys."""

    TAB = "history"
    GROUPS = ("history", "list")
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("history", "list")
    COLUMNS = (
        Column("id", "ID", 4, 6, priority=10, align="right"),
        Column("agent", "AGENT", 5, 9, priority=9),
        Column("runs", "RUNS", 6, 6, priority=8),
        Column("kind", "KIND", 8, 8, priority=6),
        Column("commit", "COMMIT", 8, 8, priority=7),
        Column("when", "WHEN (UTC)", 16, 16, priority=6),
        Column("age", "AGE", 4, 5, priority=5, align="right"),
        Column("by", "BY", 6, 14, priority=4),
        Column("note", "NOTE", 10, 80, priority=3),
    )

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agent = agents[0] if agents else None
        self._only = bool(agents)
        self._all: tuple[Deployment, ...] = ()

    def show(self, state: HiveState) -> None:
        """Ask anew."""
        self.run_worker(self._load(), group="history", exclusive=True)

    async def _load(self) -> None:
        try:
            self._all = await self.hive.history(self._agent if self._only else None)
        except HiveError as error:
            self.show_error(error)
        if not self.is_ready:
            return
        now = self.clock()
        self.table.set_rows([row_of(one, now) for one in self._all])
        self.show_notices()
        self.refresh_bindings()

    def notices(self) -> Iterable[str]:
        """That these are not all."""
        if self._only:
            yield f"only {self._agent}; f shows every agent"

    def empty(self) -> str:
        """Of whom nothing was deployed."""
        return f"Nothing was deployed to {self._agent} yet." if self._only else "Nothing was deployed yet."

    def deployment(self) -> Deployment | None:
        """The one under the cursor."""
        return next((one for one in self._all if _key(one) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """One cannot roll back to what runs, and not what has no container."""
        one = self.deployment()
        if action in ("rollback", "open", "agent") and one is None and not self._only:
            return "no deploy is selected"
        if action == "open" and one is not None and one.id == 0:
            return "#0 is the first system of an agent: nobody proposed it, so there is no review of it"
        if action == "rollback" and one is not None:
            return self._why_no_way_back(one)
        return None

    def _why_no_way_back(self, one: Deployment) -> str | None:
        if one.running:
            return f"#{one.id} is what {one.agent} runs"
        busy = next((row for row in self.state.operations if row.agent == one.agent), None)
        if busy is not None:
            return f"{busy.kind} of {one.agent} is running (operation {busy.id})"
        states = {row.name: row.state for row in self.state.agents}
        if states.get(one.agent, AgentState.KEPT) is AgentState.KEPT:
            return f"{one.agent} has no container; spawn it first"
        return None

    def on_line_table_row_highlighted(self) -> None:
        """Which keys are legal depends on the row."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review as it was decided."""
        one = self.deployment()
        if one is not None and one.id == 0:
            self.notify(str(self.unavailable_reason("open")), markup=False)
        elif one is not None:
            self.post_message(OpenRequested("review", (one.agent,), one.id))

    def action_agent(self) -> None:
        """The agent of the selected deploy, or all."""
        if not self._only and (one := self.deployment()) is not None:
            self._agent = one.agent
        self._only = not self._only
        self.show(self.state)

    def action_rollback(self) -> None:
        """Roll back, with a note."""
        if (one := self.deployment()) is None:
            return

        def answered(note: str | None) -> None:
            if note:
                self.run_engine_work(self.hive.rollback(one.agent, one.id, note), self.open_operation)

        question = f"Roll {one.agent} back to #{one.id} ({wording.short(one.commit)}): why?"
        details = (
            f"Its commit is built and deployed under a new id; {one.agent} stops, then starts with it.",
            "What ran before comes back if it does not come up.",
        )
        self.app.push_screen(NoteDialog(question, details), answered)


def _key(one: Deployment) -> str:
    return f"{one.agent} {one.id}"


def row_of(one: Deployment, now: datetime) -> Row:
    """One deploy as a row."""
    return Row(
        _key(one),
        (
            Cell(f"#{one.id}", "strong", one.id),
            one.agent,
            Cell("▶ runs" if one.running else "", "good"),
            str(one.kind),
            wording.short(one.commit),
            f"{one.deployed_at:%Y-%m-%d %H:%M}",
            Cell(wording.ago(one.deployed_at, now), "", -one.deployed_at.timestamp()),
            one.operator,
            one.note,
        ),
    )
