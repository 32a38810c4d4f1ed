"""Every deploy of one agent or all, newest first, which one is active, and rolling back to an earlier one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.history import HistoryEntry, Outcome, combine, with_agent_states
from hivetui.engine.model.operations import Operation
from hivetui.screens.base import OpenRequested
from hivetui.screens.detail_list import DetailListScreen
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.history_entries import HistoryFilter, build_detail, build_row
from hivetui.screens.obstacles import busy_obstacle
from hivetui.screens.retry import retry
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column

_OUTCOMES = (None, *Outcome)
"""What the key for filtering by outcome cycles through."""
_DAYS = (None, 1, 7, 30)
"""What the key for filtering by date cycles through."""


class HistoryScreen(DetailListScreen):
    """The list of deploys."""

    TAB = "history"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("history", "list")
    COLUMNS = (
        Column("id", "ID", 3, 6, priority=10, align="right", names=True),
        Column("agent", "AGENT", 9, 9, priority=9, names=True),
        Column("outcome", "OUTCOME", 10, 10, priority=8),
        Column("when", "WHEN", 21, 21, priority=8),
        Column("by", "BY", 12, 24, priority=7),
        Column("title", "TITLE", 24, 90, priority=6),
        Column("note", "NOTE", 10, 80, priority=5),
        Column("kind", "KIND", 8, 8, priority=4),
        Column("commit", "COMMIT", 12, 12, priority=3),
    )

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._filter = HistoryFilter(agent=agents[0] if agents else None)
        self._loaded: tuple[HistoryEntry, ...] | None = None
        self._entries: tuple[HistoryEntry, ...] = ()  # with the states that the agents have now
        self._agent_states: dict[str, AgentState] = {}
        self._utc = False
        self._loaded_for: tuple[object, ...] = ()

    def show(self, state: HiveState) -> None:
        """Load again when there may be another deploy, or the line is back."""
        changes = (state.proposals, state.operations)
        if state.lost_at is not None:
            self._loaded_for = ()
        elif self._loaded_for != changes:
            self._loaded_for = changes
            self.run_loading(self._load, "history")
        states = {agent.name: agent.state for agent in state.agents}
        if states != self._agent_states:
            self._agent_states = states
            self._paint()

    async def _load(self) -> None:
        loaded = await self.load_rows(self._read())
        self._loaded = loaded if loaded is not None else self._loaded
        self._paint()

    async def _read(self) -> tuple[HistoryEntry, ...]:
        return combine(await self.hive.history(), await self.hive.proposals(decided=True))

    @property
    def is_known(self) -> bool:
        """Whether the deploys are loaded."""
        return self._loaded is not None

    def _paint(self) -> None:
        if not self.is_ready:
            return
        now = self.clock()
        self._entries = with_agent_states(self._loaded or (), self._agent_states)
        entries = self._filter.select(self._entries, now)
        self.table.set_rows([build_row(entry, now, self._utc) for entry in entries])
        self.show_notices()
        self.show_detail()
        self.refresh_bindings()

    def detail(self) -> Content:
        """All of the deploy under the cursor."""
        entry = self.current_entry
        return build_detail(entry, self.clock()) if entry is not None else Content("")

    def show_time(self) -> None:
        """Go on with the age in the detail."""
        self.show_detail()

    def notices(self) -> Iterable[str]:
        """That only some deploys are listed."""
        if limits := self._filter.describe():
            keys = [keymap.current_key(f"history.{name}") for name in ("agent", "outcome", "days")]
            yield f"{limits} only ({keys[0]}: all agents, {keys[1]}: other outcomes, {keys[2]}: other days)"

    def empty(self) -> str:
        """Why there is no row."""
        limits = self._filter.describe()
        return f"No deploys: {limits}." if limits else "No deploys yet."

    @property
    def current_entry(self) -> HistoryEntry | None:
        """The deploy under the cursor."""
        return next((entry for entry in self._entries if entry.key == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """The first system has no review; rolling back needs another deploy than the active one, and a container."""
        entry = self.current_entry
        if entry is None:
            is_needed = action in ("rollback", "retry", "open") or (action == "agent" and self._filter.agent is None)
            return "No deploy is selected." if is_needed else None
        if action == "open" and entry.id == 0:
            return "#0 is the agent's first system: it was not proposed, so it has no review."
        if action == "retry":
            is_failed = entry.outcome is Outcome.FAILED
            rollback = keymap.current_key("history.rollback")
            return None if is_failed else f"#{entry.id} did not fail; {rollback} rolls back to it."
        return self._rollback_obstacle(entry) if action == "rollback" else None

    def _rollback_obstacle(self, entry: HistoryEntry) -> str | None:
        name = entry.agent
        if entry.outcome is Outcome.ACTIVE:
            return f"#{entry.id} is already active on {name}."
        if entry.outcome is Outcome.INACTIVE:
            return f"#{entry.id} is deployed on {name}, which is not running."
        if entry.outcome is Outcome.FAILED:
            key = keymap.current_key("history.retry")
            return f"#{entry.id} was never active on {name}: its deploy failed. {key} proposes it again."
        if busy := busy_obstacle(name, self.state.operations):
            return busy
        states = {agent.name: agent.state for agent in self.state.agents}
        if states.get(name, AgentState.KEPT) is AgentState.KEPT:
            return f"{name} has no container; spawn it first."
        return None

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: open the review as it was decided."""
        entry = self.current_entry
        if entry is None:
            return
        if why := self.unavailable_reason("open"):
            self.notify(why, markup=False)
        else:
            self.post_message(OpenRequested(self.hive, "review", (entry.agent,), entry.id))

    def action_agent(self) -> None:
        """List only the deploys of the agent under the cursor, or those of all agents."""
        entry = self.current_entry
        agent = entry.agent if self._filter.agent is None and entry is not None else None
        self._limit(replace(self._filter, agent=agent))

    def action_outcome(self) -> None:
        """List only the deploys with the next outcome, or all."""
        following = _OUTCOMES[(_OUTCOMES.index(self._filter.outcome) + 1) % len(_OUTCOMES)]
        self._limit(replace(self._filter, outcome=following))

    def action_days(self) -> None:
        """List only the deploys of the next number of days, or all."""
        following = _DAYS[(_DAYS.index(self._filter.days) + 1) % len(_DAYS)]
        self._limit(replace(self._filter, days=following))

    def _limit(self, limits: HistoryFilter) -> None:
        """List the deploys within other limits."""
        self._filter = limits
        self.table.forget_widths()
        self._paint()

    def action_utc(self) -> None:
        """Show times in UTC, or in local time."""
        self._utc = not self._utc
        self._paint()

    def action_retry(self) -> None:
        """Propose a failed deploy again."""
        if (entry := self.current_entry) is not None:
            retry(self, entry.id)

    def action_rollback(self) -> None:
        """Roll back, with a note."""
        if (entry := self.current_entry) is None:
            return
        name = entry.agent

        subject = ("rollback", name, entry.id)

        async def roll_back(note: str) -> Operation:
            operation = await self.hive.rollback(name, entry.id, note)
            self.reasons.forget(subject)
            return operation

        def on_answer(note: str | None) -> None:
            if note:
                self.run_engine_work(roll_back(note), self.open_operation)

        question = f"Roll back {name} to #{entry.id} ({wording.short_hash(entry.commit)}): why?"
        details = (
            f"Its commit is built and deployed under a new id; {name} restarts only if its system differs.",
            "The current version is restored if the new one does not start.",
        )
        self.app.push_screen(NoteDialog(question, details, self.reasons, (subject,)), on_answer)
