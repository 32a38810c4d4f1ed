"""The pending proposals, oldest first, then the decided ones; each opens its review."""

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
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.text import safe
from hivetui.screens.base import OpenRequested
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.listing import ListScreen
from hivetui.screens.state_labels import proposal_predicate
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row

ALL = "pending and decided"
FILTERS: tuple[str, ...] = (
    ProposalState.PENDING,
    ALL,
    *(ProposalState.DEPLOYED, ProposalState.FAILED, ProposalState.DENIED, ProposalState.WITHDRAWN),
)
"""What the key for filtering by state cycles through."""
SUMMARY_LINES = 4


class ProposalsScreen(ListScreen):
    """Proposals of one agent or of all."""

    TAB = "proposals"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("proposals", "list")
    COLUMNS = (
        Column("id", "ID", 3, 6, priority=10, align="right"),
        Column("state", "STATE", 11, 11, priority=9),
        Column("agent", "AGENT", 9, 9, priority=8),
        Column("kind", "KIND", 6, 8, priority=4),
        Column("commit", "COMMIT", 12, 12, priority=5),
        Column("age", "AGE", 4, 4, priority=6, align="right"),
        Column("base", "BASE", 5, 5, priority=3),
        Column("title", "TITLE", 24, 90, priority=7),
        Column("by", "DECIDED BY", 10, 14, priority=2),
        Column("note", "NOTE", 8, 40, priority=1),
    )
    CSS_PATH = "proposals.tcss"

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agents = agents
        self._filter: str = ProposalState.PENDING
        self._proposals: tuple[Proposal, ...] = state.proposals
        self._loaded_for: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """The table, and below it a summary of the proposal under the cursor."""
        notice, table, line = super().body()
        yield from (notice, table, Static("", id="about", markup=False), line)

    def show(self, state: HiveState) -> None:
        """Pending proposals come with the state; decided ones are loaded when there may be new ones."""
        changes = (state.proposals, state.operations)
        if self._filter == ProposalState.PENDING:
            self._proposals = state.proposals
        elif self._loaded_for != changes:
            self._loaded_for = changes
            self.run_worker(self._load(), group="decided", exclusive=True)
        self._paint()

    async def _load(self) -> None:
        try:
            self._proposals = await self.hive.proposals(decided=True)
        except HiveError as error:
            self.show_error(error)
        self._paint()

    def _paint(self) -> None:
        if not self.is_ready:
            return
        now = self.clock()
        before = self.current_proposal
        self.table.set_rows([build_row(proposal, now) for proposal in self._proposals if self._is_wanted(proposal)])
        self.show_notices()
        self._show_summary()
        if before != self.current_proposal:
            self.refresh_bindings()

    def _is_wanted(self, proposal: Proposal) -> bool:
        is_of_agents = not self._agents or proposal.agent in self._agents
        return is_of_agents and self._filter in (ALL, proposal.state)

    def notices(self) -> Iterable[str]:
        """Which proposals are listed, unless it is all pending ones."""
        if self._agents:
            yield f"{self._filter}, {', '.join(self._agents)} only (o: all agents, f: other states)"
        elif self._filter != ProposalState.PENDING:
            yield f"{self._filter}, all agents (f: other states)"

    def empty(self) -> str:
        """Why there is no row."""
        agents = f" of {', '.join(self._agents)}" if self._agents else ""
        if self._filter == ProposalState.PENDING:
            return f"No pending proposals{agents}. Press f to see decided ones."
        return f"No proposals{agents} yet." if self._filter == ALL else f"No {self._filter} proposals{agents}."

    def _show_summary(self) -> None:
        proposal = self.current_proposal
        width = max(20, self.size.width - 2)
        summary = build_summary(proposal, width) if proposal is not None else Content("")
        self.query_one("#about", Static).update(summary)

    @property
    def current_proposal(self) -> Proposal | None:
        """The proposal under the cursor."""
        return next((one for one in self._proposals if str(one.id) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """Only a pending proposal can be denied or withdrawn."""
        if action not in ("deny", "withdraw", "agent", "open") or (action == "agent" and self._agents):
            return None
        proposal = self.current_proposal
        if proposal is None:
            return "No proposal is selected."
        if action in ("deny", "withdraw") and proposal.state is not ProposalState.PENDING:
            return f"#{proposal.id} {proposal_predicate(proposal.state)}; it is no longer pending."
        return None

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show its summary, and refresh the keys: which are legal depends on the row."""
        self._show_summary()
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: open the review."""
        self.post_message(OpenRequested("review", (), int(message.key)))

    def action_state(self) -> None:
        """Filter by the next state."""
        self._filter = FILTERS[(FILTERS.index(self._filter) + 1) % len(FILTERS)]
        self._loaded_for = ()
        self.show(self.state)

    def action_agent(self) -> None:
        """List only the proposals of the agent under the cursor, or those of all agents."""
        proposal = self.current_proposal
        self._agents = () if self._agents else (proposal.agent,) if proposal is not None else ()
        self._paint()

    def action_deny(self) -> None:
        """Deny with a note."""
        if (proposal := self.current_proposal) is None:
            return

        def on_answer(note: str | None) -> None:
            if note:
                self.run_engine_work(self.hive.deny(proposal.id, note), on_denied)

        def on_denied(denied: Proposal) -> None:
            self.notify(f"#{denied.id} denied", markup=False)

        question = f"Deny #{proposal.id} of {proposal.agent}: why?"
        self.app.push_screen(NoteDialog(question, (proposal.title,)), on_answer)

    def action_withdraw(self) -> None:
        """Withdraw, if the operator confirms."""
        if (proposal := self.current_proposal) is None:
            return

        def on_answer(yes: bool | None) -> None:
            if yes:
                self.run_engine_work(self.hive.withdraw(proposal.id), on_withdrawn)

        def on_withdrawn(withdrawn: Proposal) -> None:
            self.notify(f"#{withdrawn.id} withdrawn", markup=False)

        question = f"Withdraw #{proposal.id} of {proposal.agent}?"
        self.app.push_screen(ConfirmDialog(question, (proposal.title,), "withdraw it"), on_answer)


def build_summary(proposal: Proposal, width: int) -> Content:
    """Title, proposer, decision, description and error in at most `SUMMARY_LINES` rows; lines left out are counted."""
    lines: list[tuple[str, str]] = [
        (f"#{proposal.id} {proposal.agent}: {proposal.title}", "bold"),
        (f"proposed by {proposal.submitted_by}", "$foreground 70%"),
    ]
    if is_stale(proposal):
        lines.append(("▲ base moved since: the review shows the diff against what runs now", "$warning"))
    if proposal.decided_by:
        note = f": {proposal.note}" if proposal.note else ""
        lines.append((f"{proposal.state}, decided by {proposal.decided_by}{note}", ""))
    lines += [(line, "") for line in proposal.body.splitlines() if line.strip()]
    lines += [(line, "$error") for line in (proposal.error or "").splitlines() if line.strip()]
    if len(lines) > SUMMARY_LINES:
        left_out = len(lines) - SUMMARY_LINES + 1
        lines[SUMMARY_LINES - 1 :] = [(f"… {left_out} more lines: enter, then m", "$warning")]
    return Content("\n").join(Content.styled(safe(line, width), style) for line, style in lines)


def is_stale(proposal: Proposal) -> bool:
    """Whether main moved while it was pending."""
    return proposal.stale and proposal.state is ProposalState.PENDING


def build_row(proposal: Proposal, now: datetime) -> Row:
    """One proposal as a row."""
    glyph, tone = wording.PROPOSAL_GLYPHS[proposal.state]
    submitted = proposal.submitted_at
    return Row(
        str(proposal.id),
        (
            Cell(f"#{proposal.id}", "strong", proposal.id),
            Cell(f"{glyph} {proposal.state}", tone),
            proposal.agent,
            str(proposal.kind),
            wording.short_hash(proposal.commit),
            Cell(wording.format_age(submitted, now), "", -submitted.timestamp()),
            Cell("moved" if is_stale(proposal) else "", "warn"),
            proposal.title,
            proposal.decided_by or "",
            proposal.note or _last_line(proposal.error),
        ),
    )


def _last_line(error: str | None) -> str:
    """The last line of an error, which names its cause."""
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else ""
