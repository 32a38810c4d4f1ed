"""What waits for a decision, oldest first, then what was decided; one of them is a review away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row

from ..widgets import wording
from .base import OpenRequested
from .listing import ListScreen

WAITING = "waiting"
ALL = "waiting and decided"
CHOICES = (
    WAITING,
    ALL,
    *(ProposalState.DEPLOYED, ProposalState.FAILED, ProposalState.DENIED, ProposalState.WITHDRAWN),
)
"""What `f` goes through: what waits, all, or one state only."""
ABOUT_LINES = 4


class ProposalsScreen(ListScreen):
    """Proposals of one agent or of all."""

    TAB = "proposals"
    GROUPS = ("proposals", "list")
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("proposals", "list")
    COLUMNS = (
        Column("id", "ID", 3, 6, priority=10, align="right"),
        Column("state", "STATE", 11, 11, priority=9),
        Column("agent", "AGENT", 5, 9, priority=8),
        Column("kind", "KIND", 6, 8, priority=4),
        Column("commit", "COMMIT", 8, 8, priority=5),
        Column("age", "AGE", 4, 4, priority=6, align="right"),
        Column("base", "BASE", 5, 5, priority=3),
        Column("title", "TITLE", 16, 90, priority=7),
        Column("by", "DECIDED BY", 10, 14, priority=2),
        Column("note", "NOTE", 8, 40, priority=1),
    )
    CSS_PATH = "proposals.tcss"

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agents = agents
        self._choice: str = WAITING
        self._all: tuple[Proposal, ...] = state.proposals
        self._asked: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """The table, below it all words of the one under the cursor."""
        top, table, line = super().body()
        yield from (top, table, Static("", id="about", markup=False), line)

    def show(self, state: HiveState) -> None:
        """What waits comes with the state; what was decided is asked for when something may have been."""
        if self._choice == WAITING:
            self._all = state.proposals
        elif self._asked != (state.proposals, state.operations):
            self._asked = (state.proposals, state.operations)
            self.run_worker(self._load(), group="decided", exclusive=True)
        self._paint()

    async def _load(self) -> None:
        try:
            self._all = await self.hive.proposals(decided=True)
        except HiveError as error:
            self.show_error(error)
        self._paint()

    def _paint(self) -> None:
        if not self.is_ready:
            return
        now = self.clock()
        before = self.proposal()
        self.table.set_rows([row_of(one, now) for one in self._all if self._is_wanted(one)])
        self.show_notices()
        self._show_about()
        if before != self.proposal():
            self.refresh_bindings()

    def _is_wanted(self, proposal: Proposal) -> bool:
        if self._agents and proposal.agent not in self._agents:
            return False
        if self._choice == WAITING:
            return proposal.state is ProposalState.PENDING
        return self._choice in (ALL, proposal.state)

    def notices(self) -> Iterable[str]:
        """Which proposals are in the list, unless it is all that wait."""
        if self._agents or self._choice != WAITING:
            whose = f"of {', '.join(self._agents)}, o shows all agents" if self._agents else "of all agents"
            yield f"{self._choice}; {whose}; f shows others"

    def empty(self) -> str:
        """Why there is none."""
        whose = f" of {', '.join(self._agents)}" if self._agents else ""
        if self._choice == WAITING:
            return f"Nothing{whose} waits for a decision. Press f to see what was decided."
        return f"No proposal{whose} is {self._choice}." if self._choice != ALL else f"Nothing{whose} was proposed yet."

    def _show_about(self) -> None:
        proposal = self.proposal()
        text = about(proposal, max(20, self.size.width - 2)) if proposal is not None else Content("")
        self.query_one("#about", Static).update(text)

    def proposal(self) -> Proposal | None:
        """The one under the cursor."""
        return next((one for one in self._all if str(one.id) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """Only what waits can be denied or withdrawn."""
        if action not in ("deny", "withdraw", "agent", "open") or (action == "agent" and self._agents):
            return None
        proposal = self.proposal()
        if proposal is None:
            return "No proposal is selected."
        if action in ("deny", "withdraw") and proposal.state is not ProposalState.PENDING:
            return f"#{proposal.id} is {proposal.state}: it waits no more."
        return None

    def on_line_table_row_highlighted(self) -> None:
        """Which keys are legal depends on the row."""
        self._show_about()
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review."""
        self.post_message(OpenRequested("review", (), int(message.key)))

    def action_state(self) -> None:
        """What waits, everything, or the next state."""
        self._choice = CHOICES[(CHOICES.index(self._choice) + 1) % len(CHOICES)]
        self._asked = ()
        self.show(self.state)

    def action_agent(self) -> None:
        """Only those of the agent under the cursor, or those of all."""
        proposal = self.proposal()
        self._agents = () if self._agents else (proposal.agent,) if proposal is not None else ()
        self._paint()

    def action_deny(self) -> None:
        """Deny with a note."""
        if (proposal := self.proposal()) is None:
            return

        def answered(note: str | None) -> None:
            if note:
                self.run_engine_work(
                    self.hive.deny(proposal.id, note), lambda one: self.notify(f"#{one.id} denied", markup=False)
                )

        self.app.push_screen(NoteDialog(f"Deny #{proposal.id} of {proposal.agent}: why?", (proposal.title,)), answered)

    def action_withdraw(self) -> None:
        """Withdraw after a question."""
        if (proposal := self.proposal()) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                done = f"#{proposal.id} taken back"
                self.run_engine_work(self.hive.withdraw(proposal.id), lambda _: self.notify(done, markup=False))

        question = f"Take #{proposal.id} of {proposal.agent} back?"
        self.app.push_screen(ConfirmDialog(question, (proposal.title,), "take it back"), answered)


def about(proposal: Proposal, width: int) -> Content:
    """All that is said of a proposal, in at most `ABOUT_LINES` rows; what has no room is counted."""
    lines: list[tuple[str, str]] = [(f"#{proposal.id} {proposal.agent}: {proposal.title}", "bold")]
    if is_stale(proposal):
        lines.append(("▲ main moved since it was proposed: the review shows what it would change now", "$warning"))
    if proposal.decided_by:
        note = f": {proposal.note}" if proposal.note else ""
        lines.append((f"{proposal.state}, decided by {proposal.decided_by}{note}", ""))
    described = [] if proposal.description.strip() == proposal.title else proposal.description.strip().splitlines()
    lines += [(line, "") for line in described if line.strip()]
    lines += [(line, "$error") for line in (proposal.error or "").splitlines() if line.strip()]
    lines.insert(1, (f"proposed by {proposal.submitted_by}", "$foreground 60%"))
    rest = len(lines) - ABOUT_LINES
    shown = lines if rest <= 0 else [*lines[: ABOUT_LINES - 1], (f"… {rest + 1} more lines: enter, then m", "$warning")]
    return Content("\n").join(Content.styled(safe(line, width), style) for line, style in shown)


def is_stale(proposal: Proposal) -> bool:
    """Whether main moved while it waited."""
    return proposal.stale and proposal.state is ProposalState.PENDING


def row_of(proposal: Proposal, now: datetime) -> Row:
    """One proposal as a row."""
    glyph, tone = wording.PROPOSAL_GLYPHS[proposal.state]
    asked = proposal.submitted_at
    return Row(
        str(proposal.id),
        (
            Cell(f"#{proposal.id}", "strong", proposal.id),
            Cell(f"{glyph} {proposal.state}", tone),
            proposal.agent,
            "deploy" if proposal.kind is ProposalKind.DEPLOY else str(proposal.kind),
            wording.short(proposal.commit),
            Cell(wording.ago(asked, now), "", -asked.timestamp()),
            Cell("moved" if is_stale(proposal) else "", "warn"),
            proposal.title,
            proposal.decided_by or "",
            proposal.note or _last_line(proposal.error),
        ),
    )


def _last_line(error: str | None) -> str:
    """Where an error says what it comes to."""
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else ""
