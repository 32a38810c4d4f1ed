"""What waits for a decision, oldest first, then what was decided; one of them is a review away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from textual.binding import BindingType

from .. import keys
from ..engine.errors import HiveError
from ..engine.interface import Hive
from ..engine.models import Proposal, ProposalKind, ProposalState
from ..widgets import wording
from ..widgets.table import Cell, Column, LineTable, Row
from .base import OpenRequested
from .dialogs.question import Question
from .dialogs.typed import Note
from .listing import ListScreen
from .state import HiveState


class ProposalsScreen(ListScreen):
    """Proposals of one agent or of all."""

    WORD = "proposals"
    GROUPS = ("proposals", "list")
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("proposals", "list")
    EMPTY = "Nothing waits for a decision. Press f to see what was decided."
    COLUMNS = (
        Column("id", "ID", 4, 6, priority=10, align="right"),
        Column("state", "STATE", 10, 11, priority=9),
        Column("agent", "AGENT", 5, 9, priority=8),
        Column("kind", "KIND", 6, 8, priority=4),
        Column("commit", "COMMIT", 8, 8, priority=5),
        Column("age", "AGE", 4, 5, priority=6, align="right"),
        Column("title", "TITLE", 16, 90, priority=7),
        Column("by", "DECIDED BY", 10, 14, priority=2),
        Column("note", "NOTE", 8, 40, priority=1),
    )

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agents = agents
        self._decided = False
        self._all: tuple[Proposal, ...] = ()

    def show(self, state: HiveState) -> None:
        """What waits comes with the state; what was decided is asked for."""
        if self._decided:
            self.run_worker(self._load(), group="decided", exclusive=True)
        else:
            self._all = state.proposals
            self._paint()

    async def _load(self) -> None:
        try:
            self._all = await self.hive.proposals(decided=True)
        except HiveError as error:
            self.report(error)
        self._paint()

    def _paint(self) -> None:
        now = datetime.now(UTC)
        rows = [one for one in self._all if not self._agents or one.agent in self._agents]
        self.table.set_rows([row_of(one, now) for one in rows])
        self.refresh_bindings()

    def proposal(self) -> Proposal | None:
        """The one under the cursor."""
        return next((one for one in self._all if str(one.id) == self.table.current), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what waits can be denied or withdrawn."""
        if action in ("deny", "withdraw") and self.is_mounted:
            proposal = self.proposal()
            return True if proposal is not None and proposal.state is ProposalState.PENDING else None
        return True

    def on_line_table_row_highlighted(self) -> None:
        """Which keys are legal depends on the row."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: the review."""
        self.post_message(OpenRequested("review", (), int(message.key)))

    def action_state(self) -> None:
        """What waits, or everything."""
        self._decided = not self._decided
        self.show(self.state)

    def action_deny(self) -> None:
        """Deny with a note."""
        if (proposal := self.proposal()) is None:
            return

        def answered(note: str | None) -> None:
            if note:
                self.act(self.hive.deny(proposal.id, note), lambda one: self.notify(f"#{one.id} denied", markup=False))

        self.app.push_screen(Note(f"Deny #{proposal.id} of {proposal.agent}: why?", (proposal.title,)), answered)

    def action_withdraw(self) -> None:
        """Withdraw after a question."""
        if (proposal := self.proposal()) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.act(self.hive.withdraw(proposal.id))

        question = f"Take #{proposal.id} of {proposal.agent} back?"
        self.app.push_screen(Question(question, (proposal.title,), "take it back"), answered)


def row_of(proposal: Proposal, now: datetime) -> Row:
    """One proposal as a row."""
    glyph, tone = wording.PROPOSAL_GLYPHS[proposal.state]
    stale = " base moved" if proposal.stale and proposal.state is ProposalState.PENDING else ""
    kind = "" if proposal.kind is ProposalKind.DEPLOY else str(proposal.kind)
    return Row(
        str(proposal.id),
        (
            Cell(f"#{proposal.id}", "strong", proposal.id),
            Cell(f"{glyph} {proposal.state}", tone),
            proposal.agent,
            kind or "deploy",
            wording.short(proposal.commit),
            Cell(wording.ago(proposal.submitted_at, now), "", -proposal.submitted_at.timestamp()),
            Cell(proposal.title + stale),
            proposal.decided_by or "",
            proposal.note or proposal.error or "",
        ),
    )
