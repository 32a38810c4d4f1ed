"""One proposal, to be read and decided: its message, its files, the whole diff; then approve or deny."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from textual.binding import ActiveBinding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.error_place import ErrorPlace
from hivetui.engine.model.findings import Finding
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.text import safe
from hivetui.screens.asking import ask_when_known
from hivetui.screens.base import OpenRequested
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.dialogs.pages import Page, PagesDialog
from hivetui.screens.listing import MOVEMENT
from hivetui.screens.obstacles import approval_blocker
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.proposal_rows import describe_place
from hivetui.screens.retry import retry, retry_obstacle
from hivetui.screens.review import notes_text, text
from hivetui.screens.review.bases import list_bases
from hivetui.screens.review.cuts import count_unread
from hivetui.screens.review.decision import (
    Decision,
    approval_obstacle,
    approval_question,
    decision_obstacle,
    make_approval,
)
from hivetui.screens.review.diff_screen import SIDES_WIDTH
from hivetui.screens.review.findings_dialog import FindingsDialog
from hivetui.screens.review.loading_screen import LoadingScreen
from hivetui.screens.review.spawn_text import describe_spawn


class ReviewScreen(LoadingScreen):
    """The review of one proposal."""

    TAB = "review"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("review", "search", "view"),
        *keymap.bindings("list", only=MOVEMENT | {"open"}),
    ]
    CSS_PATH = "review.tcss"

    def __init__(self, hive: Hive, state: HiveState, number: int, place: ErrorPlace | None = None) -> None:
        super().__init__(hive, state, number)
        self._wanted_place = place
        self._decision = Decision(self, hive, self.load)
        self._operations: tuple[Operation, ...] = ()
        self._was_lost = bool(state.problem)
        self._head = Content("")

    def body(self) -> Iterable[Widget]:
        """The head, what changed while it was read, files and diff, or what a spawn would create."""
        yield StatusText("Loading …", id="head", markup=False)
        yield StatusText("", id="moved", markup=False)
        yield self.beside
        yield StatusText("", id="spawn", markup=False)
        yield PromptLine()

    def on_resize(self) -> None:
        """Cut the lines of the head to the width."""
        self.show_head()

    # -- loading ----------------------------------------------------------------------------------------------------

    def show(self, state: HiveState) -> None:
        """Load again when the base moved, somebody decided, the approved operation has ended, or the line is back."""
        if self.contents.is_loading:
            self.has_later_state = True
        else:
            is_back, self._was_lost = self._was_lost and not state.problem, bool(state.problem)
            review = self.contents.review
            if self.contents.load_error is not None:
                is_outdated = is_back
            else:
                is_outdated = review is not None and self._is_outdated(review.proposal, state)
            if is_outdated:
                self.load()
        self.follow_preview(state)
        self._operations = state.operations

    def _is_outdated(self, known: Proposal, state: HiveState) -> bool:
        if known.state in (ProposalState.APPROVED, ProposalState.BUILDING):
            has_ended = all(operation.proposal != known.id for operation in state.operations)
            return state.operations != self._operations and has_ended
        if known.state is not ProposalState.PENDING:
            return False
        now = next((proposal for proposal in state.proposals if proposal.id == known.id), None)
        if now is None or now.obstacle != known.obstacle:
            return True
        return self.contents.options.base is None and now.base != known.base

    # -- what is shown ----------------------------------------------------------------------------------------------

    def show_changes(self, before: Proposal, now: Proposal) -> None:
        """Say that somebody decided, or that main moved, while it was being read."""
        if self._decision.was_made_here and before.base == now.base:
            return
        if self.is_ready and (notice := text.describe_update(before, now)):
            line = self.query_one("#moved", Static)
            line.update(safe(notice))
            line.add_class("some")

    def show_review(self) -> None:
        """Show the head and the files."""
        review = self.contents.review
        assert review is not None
        self.set_class(review.proposal.kind is ProposalKind.SPAWN, "spawn")
        self.show_head()
        self.panes.show_files(review)
        self.refresh_bindings()

    def show_head(self) -> None:
        """Show the head, if it has changed."""
        review = self.contents.review
        if review is None or not self.is_ready:
            return
        layout = text.HeadLayout(
            now=self.clock(),
            width=max(4, self.size.width - 2),
            rows=max(2, min(10, self.size.height // 6)),
            height=text.head_height(self.size.height),
            viewed=self.viewed.count(review),
            options=self.contents.options,
            findings=text.describe_findings(self.contents),
            effect=text.describe_effect(self.contents.effect),
            queue=tuple(describe_place(review.proposal.id, self.contents.places)),
            drafts=notes_text.describe_drafts(self.contents.notes, self.diff.hidden_notes),
        )
        head = text.build_head(self.contents.head.texts(review), layout)
        if self.contents.head.measure(review, head.fit):
            self.refresh_bindings()
        if not head.content.is_same(self._head):
            self._head = head.content
            self.query_one("#head", Static).update(head.content)

    def show_diff(self) -> None:
        """Go to the line that this review was opened for, once."""
        place, self._wanted_place = self._wanted_place, None
        if place is not None and self.is_ready:
            self.go_to_line(place.file, place.line)

    def show_time(self) -> None:
        """Go on with the ages in the head."""
        self.show_head()

    def show_spawn(self) -> None:
        """Show what a spawn request would create."""
        if self.is_ready and self.contents.advice is not None:
            states = {agent.name: agent.state for agent in self.state.agents}
            lines = describe_spawn(self.contents.advice, states)
            self.query_one("#spawn", Static).update(Content.assemble(*lines))

    # -- keys -------------------------------------------------------------------------------------------------------

    def unavailable_reason(self, action: str) -> str | None:
        """Approve only what is pending and was shown completely; deny what is pending; no diff of a spawn request."""
        contents, review = self.contents, self.contents.review
        if action in _STEPS and self._neighbour(_STEPS[action]) is None:
            return f"There is no {action.replace('_', ' ')} that is pending."
        if review is None:
            needs_review = action in _NEED_REVIEW
            return (contents.load_error or "The review is still loading.") if needs_review else None
        if action == "open" and not self.panes.is_choosing and self.diff.cursor is None:
            keys = [keymap.current_key(name) for name in ("review.files", "list.open")]
            return "Press {} to move in the list of files, then {} to open one.".format(*keys)
        if action == "approve":
            blocker = approval_blocker(review.proposal, self.state.operations)
            return decision_obstacle(review) or blocker or approval_obstacle(contents, review, self.diff)
        if action == "deny":
            return decision_obstacle(review)
        if action == "findings" and contents.assessment is None:
            return contents.findings_error or "The findings are still being looked for."
        if action == "retry":
            return retry_obstacle(contents.proposal_id, review.proposal.state)
        if action in _DIFF_ACTIONS and review.proposal.kind is ProposalKind.SPAWN:
            return "A spawn request has no diff."
        if action == "sides" and self.size.width < SIDES_WIDTH:
            return f"Side by side needs {SIDES_WIDTH} columns; this terminal has {self.size.width}."
        return super().unavailable_reason(action)

    def _keys(self, active: Mapping[str, ActiveBinding]) -> Iterable[tuple[str, str, str]]:
        """Before everything is loaded and read, the key for approving is there with what it waits for.

        It is not while a prompt is open, which takes that key as text.
        """
        rows = list(super()._keys(active))
        key = next((row.binding.key for row in active.values() if row.binding.action == "approve"), None)
        if key is not None and self.contents.pending is not None and (waits_for := self._approval_waits_for()):
            rows.insert(0, (keymap.display_key(key), f"approve ({waits_for})", "approve"))
        return rows

    def _approval_waits_for(self) -> str:
        if self.contents.is_loading:
            return "loading diff …"
        if not self.diff.is_measured:
            return "finding cut lines …"
        is_unread = count_unread(self.contents.head, self.diff) > 0
        return f"{keymap.current_key('review.next_cut')} first" if is_unread else ""

    def action_approve(self) -> None:
        """Ask, then approve what is on the screen and nothing else."""
        contents, proposal = self.contents, self.contents.pending
        if proposal is not None and contents.review is not None and self.unavailable_reason("approve") is None:
            question = approval_question(contents, contents.review, self.viewed.count(contents.review))
            approval = make_approval(contents, contents.review, self.diff)
            self._decision.ask_approval(proposal, question, approval)

    def action_findings(self) -> None:
        """List what rules found; critical ones are acknowledged there."""
        assessment = self.contents.assessment
        if assessment is None:
            return

        def on_answer(name: str | None) -> None:
            for finding in assessment.findings:
                if finding.id == name:
                    self._go_to(finding)

        def on_change() -> None:
            self.show_head()
            self.refresh_bindings()

        self.app.push_screen(FindingsDialog(assessment, self.contents.acknowledged, on_change), on_answer)

    def _go_to(self, finding: Finding) -> None:
        if finding.file is None or finding.line is None:
            self.notify("It does not stand at a line of the diff.", markup=False)
        else:
            self.go_to_line(finding.file, finding.line, finding.side == "old")

    def action_deny(self) -> None:
        """Deny, with a note."""
        if (proposal := self.contents.pending) is not None:
            self._decision.ask_denial(proposal, notes_text.denial_details(self.contents.notes))

    def action_retry(self) -> None:
        """Propose again what has ended."""
        retry(self, self.contents.proposal_id)

    def action_next_proposal(self) -> None:
        """Review the next pending proposal."""
        self._open_neighbour(1)

    def action_previous_proposal(self) -> None:
        """Review the previous pending proposal."""
        self._open_neighbour(-1)

    def _open_neighbour(self, step: int) -> None:
        if (number := self._neighbour(step)) is not None:
            self.post_message(OpenRequested(self.hive, "review", (), number))

    def _neighbour(self, step: int) -> int | None:
        """The pending proposal after this one, by number, or before it."""
        numbers = sorted((proposal.id for proposal in self.state.proposals), reverse=step < 0)
        return next((one for one in numbers if (one - self.contents.proposal_id) * step > 0), None)

    def action_viewed(self) -> None:
        """Mark the current file as viewed and go to the next, or remove its mark; extend the lines being chosen."""
        if self.diff.cursor is not None:
            self.diff.toggle_anchor()
            return
        review, change = self.contents.review, self.panes.current
        if review is None or change is None:
            return
        self.run_engine_work(self.viewed.toggle(change))
        self.panes.show_files(review)
        self.show_head()
        if change in self.viewed:
            self.panes.step(1)

    def action_commits(self) -> None:
        """Read the whole description, and the commits one by one."""
        if (review := self.contents.review) is not None:
            title = f"#{review.proposal.id} of {review.proposal.agent}"
            pages = (*text.build_pages(review), *notes_text.build_note_pages(review, self.contents.notes))
            self.app.push_screen(PagesDialog(title, pages, text.describe_unlisted(review), self._note_page))

    def _note_page(self, page: Page) -> None:
        self.contents.head.mark_read(page.text)
        self.refresh_bindings()

    def action_base(self) -> None:
        """Choose what it is compared with."""
        review = self.contents.review
        if review is not None and review.proposal.commit is not None:
            ask_when_known(self, list_bases(self.hive, review.proposal), self._ask_base)

    def _ask_base(self, bases: list[tuple[str, str]]) -> None:
        def on_answer(base: str | None) -> None:
            if base is not None and (base or None) != self.contents.options.base:
                self.change_options(replace(self.contents.options, base=base or None))

        self.app.push_screen(ChoiceDialog("Compare with what?", bases), on_answer)


_NEED_REVIEW = ("approve", "deny", "retry", "commits", "base", "findings", "next_cut")
_STEPS = {"next_proposal": 1, "previous_proposal": -1}
_DIFF_ACTIONS = frozenset(
    {
        *("next_hunk", "previous_hunk", "next_file", "previous_file", "viewed", "more_context", "less_context"),
        *("whitespace", "sides", "wrap", "left", "right", "files", "base", "find", "next", "previous"),
    }
)
