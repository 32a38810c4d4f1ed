"""The pending proposals, by severity and then by age, then the decided ones; each opens its review."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.queue import QueuePlace
from hivetui.screens.base import OpenRequested
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.screens.listing import ListScreen
from hivetui.screens.proposal_rows import COLUMNS, SUMMARY_LINES, build_row, build_summary, sort_queue
from hivetui.screens.retry import retry, retry_obstacle
from hivetui.screens.state_labels import describe_denial, proposal_predicate
from hivetui.widgets.table.line_table import LineTable

ALL = "pending and decided"
FILTERS: tuple[str, ...] = (
    ProposalState.PENDING,
    ALL,
    *(ProposalState.DEPLOYED, ProposalState.FAILED, ProposalState.DENIED, ProposalState.WITHDRAWN),
)
"""What the key for filtering by state cycles through."""
_OTHER_ROWS = 6
"""Of the frame, the titles of the columns, a line above the summary, a notice and the prompt."""


class ProposalsScreen(ListScreen):
    """Proposals of one agent or of all."""

    TAB = "proposals"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("proposals", "list")
    COLUMNS = COLUMNS
    CSS_PATH = "proposals.tcss"

    def __init__(self, hive: Hive, state: HiveState, agents: tuple[str, ...] = ()) -> None:
        super().__init__(hive, state)
        self._agents = agents
        self._filter: str = ProposalState.PENDING
        self._loaded: tuple[Proposal, ...] | None = None  # with the decided ones
        self._loaded_for: tuple[object, ...] = ()
        self._places: dict[int, QueuePlace] = {}
        self._placed_for: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """The table, and below it a summary of the proposal under the cursor."""
        notice, table, line = super().body()
        yield from (notice, table, StatusText("", id="about", markup=False), line)

    def show(self, state: HiveState) -> None:
        """Pending proposals come with the state; decided ones are loaded when there may be new ones."""
        if state.lost_at is None:
            self._load_what_changed(state)
        else:
            self._loaded_for = self._placed_for = ()  # load again when the line is back
        self._paint()

    def _load_what_changed(self, state: HiveState) -> None:
        pending = tuple((one.id, one.base) for one in state.proposals)
        if self._placed_for != pending:
            self._placed_for = pending
            self.run_loading(self._load_places, "queue")
        changes = (state.proposals, state.operations)
        if self._filter != ProposalState.PENDING and self._loaded_for != changes:
            self._loaded_for = changes
            self.run_loading(self._load, "decided")

    def _listed(self) -> list[Proposal]:
        """The pending proposals by severity, then age, those of one group together; the others as they are."""
        pending = {one.id: one for one in self.state.proposals}  # with their findings
        known = [
            pending.get(one.id, one) if one.state is ProposalState.PENDING else one
            for one in self._proposals
            if self._is_wanted(one)
        ]
        return sort_queue(known, self._places)

    async def _load_places(self) -> None:
        """Which of the pending ones make the same change, and which conflict; without that the list is shown too."""
        try:
            self._places = {one.proposal: one for one in await self.hive.queue()}
        except HiveError as error:
            self.show_error(error)
        self._paint()

    async def _load(self) -> None:
        loaded = await self.load_rows(self.hive.proposals(decided=True))
        self._loaded = loaded if loaded is not None else self._loaded
        self._paint()

    @property
    def _proposals(self) -> tuple[Proposal, ...]:
        """The pending ones and, as far as they are known and wanted, the decided ones."""
        wants_decided = self._filter != ProposalState.PENDING
        return self._loaded if wants_decided and self._loaded is not None else self.state.proposals

    @property
    def is_known(self) -> bool:
        """Whether the decided ones are known, if they are listed."""
        return super().is_known and (self._filter == ProposalState.PENDING or self._loaded is not None)

    def _paint(self) -> None:
        if not self.is_ready:
            return
        now = self.clock()
        before = self.current_proposal
        self.table.set_rows([build_row(one, now, self._places.get(one.id)) for one in self._listed()])
        self.show_notices()
        self._show_summary()
        if before != self.current_proposal:
            self.refresh_bindings()

    def _is_wanted(self, proposal: Proposal) -> bool:
        is_of_agents = not self._agents or proposal.agent in self._agents
        return is_of_agents and self._filter in (ALL, proposal.state)

    def notices(self) -> Iterable[str]:
        """Which proposals are listed, unless it is all pending ones."""
        agent, state = keymap.current_key("proposals.agent"), keymap.current_key("proposals.state")
        if self._agents:
            yield f"{self._filter}, {', '.join(self._agents)} only ({agent}: all agents, {state}: other states)"
        elif self._filter != ProposalState.PENDING:
            yield f"{self._filter}, all agents ({state}: other states)"
        if not self.is_known and self._proposals:
            yield "The decided ones are not known yet."

    def on_resize(self) -> None:
        """Fit the summary to what the list leaves; Textual calls that of the base class by itself."""
        if self.is_ready:
            self._show_summary()

    def show_time(self) -> None:
        """Go on with the ages."""
        self._paint()

    def empty(self) -> str:
        """Why there is no row."""
        agents = f" of {', '.join(self._agents)}" if self._agents else ""
        if self._filter == ProposalState.PENDING:
            return f"No pending proposals{agents}. Press {keymap.current_key('proposals.state')} to see decided ones."
        return f"No proposals{agents} yet." if self._filter == ALL else f"No {self._filter} proposals{agents}."

    def label_of(self, key: str) -> str:
        """A proposal by its number."""
        return f"#{key}"

    def _show_summary(self) -> None:
        proposal = self.current_proposal
        width = max(20, self.size.width - 2)
        rows = max(SUMMARY_LINES, self.size.height - _OTHER_ROWS - self.table.line_count())
        summary = build_summary(proposal, width, self._places, rows) if proposal is not None else Content("")
        about = self.query_one("#about", Static)
        if not (isinstance(about.content, Content) and summary.is_same(about.content)):
            about.update(summary)

    @property
    def current_proposal(self) -> Proposal | None:
        """The proposal under the cursor."""
        return next((one for one in self._proposals if str(one.id) == self.table.current), None)

    @property
    def selected_proposals(self) -> tuple[Proposal, ...]:
        """The marked proposals, or else the one under the cursor."""
        keys = self.table.marked or ((self.table.current,) if self.table.current else ())
        return tuple(one for one in self._proposals if str(one.id) in keys)

    def unavailable_reason(self, action: str) -> str | None:
        """Only a pending proposal can be denied or withdrawn, and only one that has ended is proposed again."""
        proposal = self.current_proposal
        if action in ("deny", "withdraw"):
            refusals = [_refusal(one) for one in self.selected_proposals]
            return (refusals[0] if refusals else "No proposal is selected.") if all(refusals) else None
        if action not in ("retry", "mark", "agent", "open") or (action == "agent" and self._agents):
            return None
        if proposal is None:
            return "No proposal is selected."
        return self._retry_obstacle() if action == "retry" else None

    def _retry_obstacle(self) -> str | None:
        """Proposing again opens a review, so it is done with one at a time."""
        selected = self.selected_proposals
        if len(selected) > 1:
            back = keymap.current_key("everywhere.back")
            return f"{len(selected)} are marked; only one at a time is proposed again. {back} unmarks them."
        return retry_obstacle(selected[0].id, selected[0].state) if selected else "No proposal is selected."

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """Show its summary, and refresh the keys: which are legal depends on the row."""
        self._show_summary()
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: open the review."""
        self.post_message(OpenRequested(self.hive, "review", (), int(message.key)))

    def action_state(self) -> None:
        """Filter by the next state."""
        self._filter = FILTERS[(FILTERS.index(self._filter) + 1) % len(FILTERS)]
        self._loaded_for = ()
        self.table.forget_widths()
        self.show(self.state)

    def action_agent(self) -> None:
        """List only the proposals of the agent under the cursor, or those of all agents."""
        proposal = self.current_proposal
        self._agents = () if self._agents else (proposal.agent,) if proposal is not None else ()
        self.table.forget_widths()
        self._paint()

    def action_retry(self) -> None:
        """Propose again what has ended."""
        if len(proposals := self.selected_proposals) == 1:
            retry(self, proposals[0].id)

    def action_deny(self) -> None:
        """Deny this proposal, or the marked ones, with one note."""

        async def deny(number: int, note: str) -> Proposal:
            denied = await self.hive.deny(number, note)
            self.reasons.forget(("deny", number))
            return denied

        def on_answer(note: str | None) -> None:
            if note:
                self._decide(proposals, lambda number: deny(number, note), "denied")

        proposals, subject, details = self._question()
        if proposals:
            subjects = tuple(("deny", one.id) for one in proposals)
            self.app.push_screen(NoteDialog(f"Deny {subject}: why?", details, self.reasons, subjects), on_answer)

    def action_withdraw(self) -> None:
        """Withdraw this proposal, or the marked ones, if the operator confirms."""

        def on_answer(yes: bool | None) -> None:
            if yes:
                self._decide(proposals, self.hive.withdraw, "withdrawn")

        proposals, subject, details = self._question()
        if proposals:
            answer = "withdraw it" if len(proposals) == 1 else "withdraw them"
            self.app.push_screen(ConfirmDialog(f"Withdraw {subject}?", details, answer), on_answer)

    def _question(self) -> tuple[list[Proposal], str, tuple[str, ...]]:
        """The selected proposals that are pending, and how a question names them, each by itself."""
        selected = self.selected_proposals
        pending = [one for one in selected if _refusal(one) is None]
        refused = tuple(why for one in selected if (why := _refusal(one)))
        if len(pending) == 1:
            denied = tuple(filter(None, (describe_denial(pending[0]),)))
            return pending, f"#{pending[0].id} of {pending[0].agent}", (pending[0].title, *denied, *refused)
        named = tuple(_name(one) for one in pending)
        return pending, f"{len(pending)} marked proposals", (*named, *refused)

    def _decide(
        self, proposals: Iterable[Proposal], decide: Callable[[int], Coroutine[Any, Any, Proposal]], outcome: str
    ) -> None:
        """Decide each; one that is refused is reported, and the others are decided all the same."""

        async def decide_all() -> list[str]:
            decided = []
            for proposal in proposals:
                try:
                    decided.append(f"#{(await decide(proposal.id)).id}")
                except HiveError as error:
                    self.show_error(error)
            return decided

        def on_decided(decided: list[str]) -> None:
            self.table.mark(())
            if decided:
                self.notify(f"{', '.join(decided)} {outcome}", markup=False)

        self.run_engine_work(decide_all(), on_decided)


def _name(proposal: Proposal) -> str:
    """A proposal in a question about several."""
    denied = f" (denied before as #{proposal.denied_before.id})" if proposal.denied_before is not None else ""
    return f"#{proposal.id} of {proposal.agent}: {proposal.title}{denied}"


def _refusal(proposal: Proposal) -> str | None:
    """Why a proposal can be neither denied nor withdrawn, or None."""
    if proposal.state is ProposalState.PENDING:
        return None
    return f"#{proposal.id} {proposal_predicate(proposal.state)}; it is no longer pending."
