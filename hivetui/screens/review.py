"""One proposal, to be read and decided: who says what, which files, the whole difference; then approve or deny.

The decision carries exactly the commit and the base of the difference on the screen. Approve is not there until the
whole difference is; if the base moves meanwhile, the screen says so and reads anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from .. import keys
from ..engine.errors import HiveError, Stale
from ..engine.interface import Hive
from ..engine.models import FileChange, FileStatus, Operation, Proposal, ProposalKind, ProposalState, Review
from ..engine.text import safe
from ..widgets import wording
from ..widgets.diff_view import DiffView
from ..widgets.line_view import LineView
from ..widgets.pattern import BadPattern
from ..widgets.table import Cell, Column, LineTable, Row, Tone
from .base import OpenRequested
from .dialogs.question import Question
from .dialogs.typed import Note
from .listing import MOVING, TypedLine, ViewScreen
from .state import HiveState

WIDE = 110
"""From so many columns on the files stand beside the difference."""


class ReviewScreen(ViewScreen):
    """The review of one proposal."""

    WORD = "review"
    GROUPS = ("review", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings("review", "search"), *keys.bindings("list", only=MOVING)]
    CSS = """
    ReviewScreen #head { height: auto; max-height: 9; padding: 0 1; background: $surface; }
    ReviewScreen #moved { height: auto; padding: 0 1; color: $background; background: $warning; display: none; }
    ReviewScreen #moved.some { display: block; }
    ReviewScreen #main { height: 1fr; layout: vertical; }
    ReviewScreen #main LineTable { height: auto; max-height: 4; }
    ReviewScreen #main DiffView { height: 1fr; width: 1fr; }
    ReviewScreen.wide #main { layout: horizontal; }
    ReviewScreen.wide #main LineTable { width: 34; height: 100%; max-height: 100%; border-right: solid $panel; }
    """
    COLUMNS = (
        Column("viewed", "", 1, 1, priority=9),
        Column("path", "FILE", 14, 60, priority=8),
        Column("lines", "+/-", 7, 11, priority=7, align="right"),
    )

    def __init__(self, hive: Hive, state: HiveState, number: int) -> None:
        super().__init__(hive, state)
        self._number = number
        self._review: Review | None = None
        self._viewed: set[tuple[str, str]] = set()  # the two blobs of each file that was marked
        self._lines_around = 3
        self._ignore_whitespace = False
        self._loading = True

    def body(self) -> Iterable[Widget]:
        """What it says, whether its base moved, files and difference."""
        yield Static("reading …", id="head", markup=False)
        yield Static("", id="moved", markup=False)
        files = LineTable(self.COLUMNS, empty="no file differs")
        files.can_focus = False
        yield Horizontal(files, DiffView(), id="main")
        yield TypedLine()

    def on_mount(self) -> None:
        """Read it."""
        super().on_mount()
        self._read()

    def on_resize(self) -> None:
        """Files beside the difference from a certain width on."""
        self.set_class(self.size.width >= WIDE, "wide")
        super().on_resize()

    @property
    def diff(self) -> DiffView:
        """The view of the difference."""
        return self.query_one(DiffView)

    @property
    def view(self) -> LineView:
        """Keys move in the difference."""
        return self.diff

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._loading = True
        self.refresh_bindings()
        self.run_worker(self._load(), group="review", exclusive=True)

    async def _load(self) -> None:
        try:
            review = await self.hive.review(self._number)
            self._review = review
            self._show_review(review)
            proposal = review.proposal
            self.diff.start(review.files)
            if proposal.commit and proposal.base:
                difference = self.hive.difference(
                    proposal.id, proposal.base, context=self._lines_around, ignore_whitespace=self._ignore_whitespace
                )
                async for chunk in difference:
                    self.diff.feed(chunk)
            self.diff.finish()
        except HiveError as error:
            self.report(error)
            return
        self._loading = False
        self.refresh_bindings()

    def _show_review(self, review: Review) -> None:
        self.query_one("#head", Static).update(_head(review))
        self.query_one(LineTable).set_rows([self._file_row(change) for change in review.files])

    def _file_row(self, change: FileChange) -> Row:
        viewed = (change.old_blob, change.new_blob) in self._viewed
        lines = "binary" if change.additions is None else f"+{change.additions} -{change.deletions}"
        name = f"{change.old_path} → {change.path}" if change.old_path else change.path
        mark = {FileStatus.ADDED: "new ", FileStatus.DELETED: "gone "}.get(change.status, "")
        tone: Tone = "dim" if viewed else ""
        return Row(change.path, (Cell("✓" if viewed else "·", tone), Cell(mark + name, tone), Cell(lines, tone)))

    def show(self, state: HiveState) -> None:
        """Whether the base moved, or somebody else decided, while it was being read."""
        review = self._review
        if review is None or review.proposal.state is not ProposalState.PENDING or self._loading:
            return
        now = next((one for one in state.proposals if one.id == self._number), None)
        if now is None or now.state is not ProposalState.PENDING:
            self._tell("This proposal was decided meanwhile; read anew.")
        elif now.base != review.proposal.base:
            old, new = wording.short(review.proposal.base), wording.short(now.base)
            self._tell(f"▲ main moved from {old} to {new} while you read; this is the new difference. Read it again.")

    def _tell(self, text: str) -> None:
        line = self.query_one("#moved", Static)
        line.update(text)
        line.add_class("some")
        self._read()

    # -- deciding ---------------------------------------------------------------------------------------------------

    @property
    def _pending(self) -> Proposal | None:
        review = self._review
        return review.proposal if review is not None and review.proposal.state is ProposalState.PENDING else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Approve and deny only what waits; approve only once the whole difference is on the screen."""
        if action == "approve":
            return True if self._pending is not None and not self._loading and self.diff.complete else None
        if action == "deny":
            return True if self._pending is not None else None
        return True

    def action_approve(self) -> None:
        """Ask, then approve what is on the screen and nothing else."""
        proposal = self._pending
        if proposal is None or self._loading:
            return
        question, details = f"Approve #{proposal.id} of {proposal.agent}?", self._details(proposal)
        if proposal.kind is ProposalKind.SPAWN:
            question, details = f"Spawn {proposal.agent}?", ("A container is made, built and started.",)

        def answered(yes: bool | None) -> None:
            if yes:
                self.act(self._approve(proposal), self.open_operation)

        self.app.push_screen(Question(question, details, "build and deploy it"), answered)

    def _details(self, proposal: Proposal) -> tuple[str, ...]:
        review = self._review
        assert review is not None
        viewed = sum((one.old_blob, one.new_blob) in self._viewed for one in review.files)
        lines = [
            f"commit {wording.short(proposal.commit)} against {wording.short(proposal.base)}",
            f"{len(review.files)} files, {viewed} marked as viewed",
        ]
        if review.taken_back:
            lines.append(f"▲ it takes back {len(review.taken_back)} deployed commits")
        lines.append("It is built first; the agent restarts only if that succeeds.")
        return tuple(lines)

    async def _approve(self, proposal: Proposal) -> Operation:
        try:
            return await self.hive.approve(proposal.id, proposal.commit, proposal.base)
        except Stale:
            self._read()
            raise

    def action_deny(self) -> None:
        """Deny, with a note."""
        proposal = self._pending
        if proposal is None:
            return

        def answered(note: str | None) -> None:
            if note:
                self.act(self.hive.deny(proposal.id, note), self._denied)

        self.app.push_screen(Note(f"Deny #{proposal.id} of {proposal.agent}: why?", (proposal.title,)), answered)

    def _denied(self, proposal: Proposal) -> None:
        self.notify(f"#{proposal.id} denied", markup=False)
        self.post_message(OpenRequested("proposals"))

    # -- reading keys -----------------------------------------------------------------------------------------------

    def action_next_hunk(self) -> None:
        """Next change."""
        self.diff.action_next_hunk()

    def action_previous_hunk(self) -> None:
        """Previous change."""
        self.diff.action_previous_hunk()

    def action_next_file(self) -> None:
        """Next file."""
        self.diff.action_next_file()

    def action_previous_file(self) -> None:
        """Previous file."""
        self.diff.action_previous_file()

    def action_viewed(self) -> None:
        """Mark the file that is read now, and go on."""
        review, path = self._review, self.diff.current_path
        change = next((one for one in review.files if one.path == path), None) if review else None
        if review is None or change is None:
            return
        self._viewed ^= {(change.old_blob, change.new_blob)}
        self.query_one(LineTable).set_rows([self._file_row(one) for one in review.files])
        self.diff.action_next_file()

    def action_more_context(self) -> None:
        """More lines around each change."""
        self._lines_around = min(self._lines_around * 2, 10_000)
        self._read()

    def action_less_context(self) -> None:
        """Fewer lines around each change."""
        self._lines_around = max(self._lines_around // 2, 1)
        self._read()

    def action_whitespace(self) -> None:
        """Ignore or show changes of blanks; the head says which."""
        self._ignore_whitespace = not self._ignore_whitespace
        said = "changes of blanks are HIDDEN" if self._ignore_whitespace else "changes of blanks are shown"
        self.notify(said, severity="warning" if self._ignore_whitespace else "information", markup=False)
        self._read()

    def action_sides(self) -> None:
        """Unified or side by side."""
        self.diff.action_toggle_sides()

    def action_commits(self) -> None:
        """The commits between base and proposal."""
        if self._review is None:
            return
        rows = [
            f"{one.id[:8]} {one.authored_at:%m-%d %H:%M} {safe(one.author, 20)}: {_first(one.message)}"
            for one in self._review.commits
        ]
        self.notify(
            "\n".join(rows[:15]) or "no commits of its own", title=f"{len(rows)} commits", timeout=20, markup=False
        )

    def action_find(self) -> None:
        """Type what to search for."""
        self.query_one(TypedLine).ask("search (regular expression): enter finds, n and N go on, esc leaves")

    def action_next(self) -> None:
        """Next match."""
        self.diff.action_next_match()

    def action_previous(self) -> None:
        """Previous match."""
        self.diff.action_previous_match()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search."""
        self.query_one(TypedLine).leave()
        try:
            self.diff.search(message.value)
        except BadPattern as error:
            self.notify(safe(str(error)), title="That is no regular expression", severity="error", markup=False)

    async def action_back(self) -> None:
        """First out of the line, then back."""
        line = self.query_one(TypedLine)
        if line.has_class("open"):
            line.leave()
        else:
            await self.app.run_action("app.back")


def _first(text: str) -> str:
    return safe(text.partition("\n")[0], 80)


def _head(review: Review) -> Content:
    proposal = review.proposal
    glyph, _ = wording.PROPOSAL_GLYPHS[proposal.state]
    now = datetime.now(UTC)
    parts: list[Content | str | tuple[str, str]] = [
        (f"#{proposal.id} {safe(proposal.agent)} ", "bold $primary"),
        (f"{glyph} {proposal.state}  ", "bold"),
        f"{proposal.kind} {wording.short(proposal.commit)} against {wording.short(proposal.base)}, ",
        f"{len(review.commits)} commits, {len(review.files)} files, by {safe(review.author, 40)}, ",
        f"{wording.ago(proposal.submitted_at, now)} ago\n",
    ]
    for line in (proposal.title, *review.message.strip().splitlines()[:3]):
        parts.append(f"  {safe(line, 200)}\n")
    if review.taken_back:
        ids = ", ".join(f"#{one.id}" for one in review.taken_back[:8])
        parts.append((f"▲ does not contain deployed {ids}: approving it takes them back\n", "bold $error"))
    if proposal.state is not ProposalState.PENDING:
        note = f": {safe(proposal.note)}" if proposal.note else ""
        parts.append(f"decided by {safe(proposal.decided_by or '?')}{note}\n")
    if proposal.error:
        parts.append(("\n".join(safe(line) for line in proposal.error.splitlines()[:3]) + "\n", "$error"))
    return Content.assemble(*parts)
