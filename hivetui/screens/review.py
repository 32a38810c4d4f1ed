"""One proposal, to be read and decided: who says what, which files, the whole difference; then approve or deny.

The decision carries exactly the commit and the base of the difference on the screen. Approve is not there until the
whole difference is, with nothing hidden; if the base moves meanwhile, the screen says so and reads anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import SpawnAdvice
from hivetui.engine.model.errors import HiveError, TryAgain
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Deployment, FileChange, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.pages import PagesDialog
from hivetui.screens.dialogs.text import NoteDialog
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.table.line_table import Column, LineTable

from ..widgets import wording
from . import review_words as words
from .dialogs.choice import ChoiceDialog
from .listing import MOVEMENT, PromptLine, SearchScreen

WIDE = 110
"""From so many columns on the files stand beside the difference."""
SIDES_WIDTH = 140
"""From so many columns on the difference can be shown side by side."""
MOST_CONTEXT = 10_000
_UNDER_WAY = (ProposalState.APPROVED, ProposalState.BUILDING)
_SHOWN_MISSING = 3


class FileList(LineTable):
    """The list of files; a click chooses."""

    def on_click(self, event: events.Click) -> None:
        """Choose the row that the click puts the cursor on."""
        if event.get_content_offset_capture(self).y > 0:
            self.call_next(self.action_choose)


class ReviewScreen(SearchScreen):
    """The review of one proposal."""

    TAB = "review"
    GROUPS = ("review", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("review", "search"),
        *keymap.bindings("list", only=MOVEMENT | {"open"}),
    ]
    CSS = """
    ReviewScreen #head { height: auto; padding: 0 1; background: $surface; }
    ReviewScreen #moved { height: auto; padding: 0 1; color: $background; background: $warning; display: none; }
    ReviewScreen #moved.some { display: block; }
    ReviewScreen #findings { height: auto; max-height: 8; padding: 0 1; display: none; }
    ReviewScreen #findings.some { display: block; }
    ReviewScreen #main { height: 1fr; layout: vertical; }
    ReviewScreen FileList { height: 4; border-bottom: solid $panel; }
    ReviewScreen FileList.few { height: 3; }
    ReviewScreen FileList.choosing { height: 12; border-bottom: solid $primary; }
    ReviewScreen DiffView { height: 1fr; width: 1fr; }
    ReviewScreen.wide #main { layout: horizontal; }
    ReviewScreen.wide FileList { width: 40; height: 100%; border-bottom: none; border-right: solid $panel; }
    ReviewScreen.wide FileList.choosing { border-right: solid $primary; }
    ReviewScreen #spawn { height: 1fr; padding: 1 2; display: none; }
    ReviewScreen.spawn #spawn { display: block; }
    ReviewScreen.spawn #main { display: none; }
    """
    COLUMNS = (
        Column("viewed", "", 1, 1, priority=9),
        Column("what", "", 0, 10, priority=8),
        Column("path", "FILE", 10, 90, priority=7),
        Column("lines", "+/-", 7, 12, priority=6, align="right"),
    )

    def __init__(self, hive: Hive, state: HiveState, number: int, viewed: set[tuple[str, ...]] | None = None) -> None:
        super().__init__(hive, state)
        self._number = number
        self._review: Review | None = None
        self._advice: SpawnAdvice | None = None
        self._viewed = set() if viewed is None else viewed  # shared with later reviews: what is marked stays so
        self._decided_here = False
        self._lines_around = 3
        self._blanks_hidden = False
        self._base: str | None = None  # what it is compared with instead of main
        self._read_base: str | None = None  # that of the last reading
        self._loading = True
        self._trouble: str | None = None  # why the last reading broke off
        self._loaded: tuple[object, ...] = ()  # what the difference on the screen was made of
        self._missing: tuple[str, ...] = ()
        self._news = False  # a state came while reading
        self._operations: tuple[Operation, ...] = ()
        self._file: str | None = None
        self._jumped_to: int | None = None  # the top line of a jump to a file that may not be at the top
        self._choosing = False

    def body(self) -> Iterable[Widget]:
        """What it says, whether it moved, findings, files and difference, or what a spawn would make."""
        yield Static("reading …", id="head", markup=False)
        yield Static("", id="moved", markup=False)
        yield Static("", id="findings", markup=False)
        files = FileList(self.COLUMNS, empty="…")
        files.can_focus = False
        yield Container(files, DiffView(), id="main")
        yield Static("", id="spawn", markup=False)
        yield PromptLine()

    def on_mount(self) -> None:
        """Read it."""
        self.diff.side_by_side = False
        self._read()

    def on_resize(self) -> None:
        """Files beside the difference from a certain width on; the lines above are cut to the width."""
        self.set_class(self.size.width >= WIDE, "wide")
        if self.diff.sides is not None and self.size.width < SIDES_WIDTH:
            self.diff.action_toggle_sides()
        self._show_head()

    @property
    def diff(self) -> DiffView:
        """The view of the difference."""
        return self.query_one(DiffView)

    @property
    def searchable(self) -> DiffView:
        """Searches go through the difference."""
        return self.diff

    @property
    def files(self) -> FileList:
        """The list of files."""
        return self.query_one(FileList)

    @property
    def view(self) -> LineView:
        """Keys move in the difference, or in the files while one is being chosen."""
        return self.files if self._choosing else self.diff

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._loading, self._news = True, False
        self.refresh_bindings()
        self.run_worker(self._load(), group="review", exclusive=True)

    async def _load(self) -> None:
        before, self._trouble = self._review, None
        try:
            review = await self.hive.review(self._number, self._base)
            self._review, same_choice, self._read_base = review, self._base == self._read_base, self._base
            if before is not None and same_choice:
                self._tell_what_changed(before.proposal, review.proposal)
            self._show_review()
            await self._load_rest(review)
        except HiveError as error:
            self._trouble = error.what
            self.diff.finish(error.what)
            self.show_error(error)
        self._loading = False
        self.refresh_bindings()
        if self._news:
            self.show(self.state)

    async def _load_rest(self, review: Review) -> None:
        """The difference unless it is on the screen already; or what a spawn would make."""
        proposal = review.proposal
        if proposal.commit is None or proposal.base is None:
            self._advice = await self.hive.spawn_advice(proposal.agent)
            self._show_spawn(self._advice)
            return
        pair = (proposal.commit, proposal.base)
        wanted = (pair, self._lines_around, self._blanks_hidden)
        if wanted == self._loaded:
            return
        place = self._place() if self._loaded[:1] == (pair,) else None
        self._loaded = ()
        await self._stream(review, proposal.base)
        self._loaded = wanted
        self._go_back_to(place)

    async def _stream(self, review: Review, base: str) -> None:
        self._missing = ()
        self.diff.start(review.files)
        difference = self.hive.difference(
            review.proposal.id, base, context=self._lines_around, ignore_whitespace=self._blanks_hidden
        )
        async for chunk in difference:
            self.diff.feed(chunk)
        self.diff.finish()
        self._missing = self.diff.missing

    def _place(self) -> tuple[str, int] | None:
        """The file and the line of its new text at the top."""
        index, view = self.diff.index, self.diff
        path = view.current_path
        hunk = index.hunk_at(view.line) if path else None
        if path is None:
            return None
        return path, (index.numbers(view.line).new or hunk.new) if hunk else 0

    def _go_back_to(self, place: tuple[str, int] | None) -> None:
        """To the same line of the same file, as near as it is shown now."""
        if place is None or not self.diff.go_to_file(place[0]) or not place[1]:
            return
        index = self.diff.index
        part = next(one for one in index.files if one.path == place[0])
        hunk = next((one for one in part.hunks if one.new + one.new_count > place[1]), None)
        if hunk is not None:
            end = hunk.line + 1 + hunk.old_count + hunk.new_count
            lines = range(hunk.line + 1, min(end, index.count))
            self.diff.go_to_line(next((at for at in lines if (index.numbers(at).new or 0) >= place[1]), hunk.line))

    def _tell_what_changed(self, old: Proposal, new: Proposal) -> None:
        """Loudly: that somebody decided, or that main moved, while it was read."""
        if self._decided_here and old.base == new.base:
            return
        if old.state is ProposalState.PENDING and new.state is not ProposalState.PENDING:
            note = f": {new.note}" if new.note else ""
            self._tell(f"▲ It was decided while you read: {new.state}, by {new.decided_by or 'somebody'}{note}")
        elif old.base != new.base:
            moved = f"▲ main moved from {wording.short(old.base)} to {wording.short(new.base)} while you read."
            self._tell(f"{moved} This is the new difference: read it again. Files that stayed the same stay viewed.")

    def _tell(self, text: str) -> None:
        line = self.query_one("#moved", Static)
        line.update(safe(text))
        line.add_class("some")

    def show(self, state: HiveState) -> None:
        """Read again when the base moved, somebody decided, or what was approved has ended."""
        if self._loading or self._review is None:
            self._news = True
        elif self._is_old(self._review.proposal, state):
            self._read()
        self._operations = state.operations

    def _is_old(self, known: Proposal, state: HiveState) -> bool:
        if known.state in _UNDER_WAY:
            return state.operations != self._operations and all(one.proposal != known.id for one in state.operations)
        if known.state is not ProposalState.PENDING:
            return False
        now = next((one for one in state.proposals if one.id == known.id), None)
        return now is None or (self._base is None and now.base != known.base)

    # -- what is shown ----------------------------------------------------------------------------------------------

    def _show_review(self) -> None:
        review = self._review
        assert review is not None
        self.set_class(review.proposal.kind is ProposalKind.SPAWN, "spawn")
        self._show_head()
        self._show_files()
        self.refresh_bindings()

    def _show_head(self) -> None:
        if self._review is not None and self.is_ready:
            rows = max(2, min(10, self.size.height // 8))
            reader = words.Reader(
                now=self.clock(),
                width=max(20, self.size.width - 2),
                rows=rows,
                viewed=sum(map(self._is_viewed, self._review.files)),
                blanks_hidden=self._blanks_hidden,
                other_base=self._base,
            )
            self.query_one("#head", Static).update(words.head(self._review, reader))

    def _show_files(self) -> None:
        review = self._review
        assert review is not None
        self.files.empty = "no file differs"
        self.files.set_rows([words.file_row(change, self._is_viewed(change)) for change in review.files])
        self.files.set_class(len(review.files) < 2, "few")
        if self._file is None and review.files:
            self._file = review.files[0].path

    def _show_spawn(self, advice: SpawnAdvice) -> None:
        states = {one.name: one.state for one in self.state.agents}
        self.query_one("#spawn", Static).update(Content.assemble(*words.spawn_lines(advice, states)))

    def _is_viewed(self, change: FileChange) -> bool:
        return self._mark(change) in self._viewed

    def _mark(self, change: FileChange) -> tuple[str, ...]:
        return (str(self._number), *_mark(change))

    # -- which file -------------------------------------------------------------------------------------------------

    def on_diff_view_file_reached(self, message: DiffView.FileReached) -> None:
        """The list follows, unless a jump just said which file is meant: a short one at the end is never at the top."""
        if self._jumped_to != self.diff.top and not self._choosing:
            self._jumped_to = None
            self._file = message.path
            self.files.go_to_key(message.path)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """While a file is being chosen the difference follows."""
        if self._choosing and message.key is not None:
            self._jump(message.key)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """That file, and back to the difference."""
        self._jump(message.key)
        self._choose(False)

    def _jump(self, path: str) -> None:
        self._file = path
        self.diff.go_to_file(path)
        self._jumped_to = self.diff.top
        self.files.go_to_key(path)

    def _step(self, count: int) -> None:
        """To the next file or the one before, in the order of the difference."""
        paths = [one.path for one in self._review.files] if self._review else []
        if self._file in paths:
            place = paths.index(self._file) + count
            if 0 <= place < len(paths):
                self._jump(paths[place])

    def _choose(self, on: bool) -> None:
        self._choosing = on
        self.files.set_class(on, "choosing")
        self.refresh_bindings()
        if not on:
            self.files.filter("")

    # -- deciding ---------------------------------------------------------------------------------------------------

    @property
    def _pending(self) -> Proposal | None:
        review = self._review
        return review.proposal if review is not None and review.proposal.state is ProposalState.PENDING else None

    def unavailable_reason(self, action: str) -> str | None:
        """Approve only what waits and was shown whole; deny what waits; no difference where there is none."""
        review = self._review
        if action in ("approve", "deny", "commits", "base") and review is None:
            return self._trouble or "It is still being read."
        if review is None:
            return None
        if action == "open" and not self._choosing:
            return "f moves in the list of files; enter takes one there."
        if action == "approve":
            return self._why_no_decision(review) or self._why_no_approval(review)
        if action == "deny":
            return self._why_no_decision(review)
        if action in _OF_DIFFERENCE and review.proposal.kind is ProposalKind.SPAWN:
            return "A spawn request has no difference."
        if action == "sides" and self.size.width < SIDES_WIDTH:
            return f"Side by side needs {SIDES_WIDTH} columns, and here are {self.size.width}."
        return None

    def _why_no_decision(self, review: Review) -> str | None:
        if self._pending is None:
            return f"#{self._number} is {review.proposal.state}: it waits no more."
        return None

    def _why_no_approval(self, review: Review) -> str | None:
        """What keeps the whole difference from having been on the screen."""
        if self._loading:
            return f"The difference is loading: {self.diff.index.count} lines so far."
        if why := self._trouble or self.diff.problem:
            return f"It could not be read whole: {why}. Leave the review, and open it again."
        if review.proposal.kind is ProposalKind.SPAWN:
            return self._advice.problem if self._advice is not None else "It is still being read."
        if self._base is not None:
            return f"This is the difference from {self._base}, not from what runs. Press b to change that."
        if self._blanks_hidden:
            return "Changes of blanks are hidden. Press w to show them."
        if self._missing:
            names = ", ".join(self._missing[:_SHOWN_MISSING])
            return f"{len(self._missing)} files are not in the difference that was shown: {names}"
        return None if self.diff.complete else "The difference is not whole."

    def _keys(self) -> Iterable[tuple[str, str, str]]:
        """While it loads, approve is there, grey in words."""
        rows = list(super()._keys())
        if self._pending is not None and self._loading:
            key = next(
                (one.binding.key for one in self.active_bindings.values() if one.binding.action == "approve"), ""
            )
            rows.insert(0, (keymap.display_key(key), "approve (loading …)", "approve"))
        return rows

    def action_approve(self) -> None:
        """Ask, then approve what is on the screen and nothing else."""
        proposal = self._pending
        if proposal is None or self.unavailable_reason("approve"):
            return
        question, details = f"Approve #{proposal.id} of {proposal.agent}?", self._details(proposal)
        answer = "build and deploy it"
        if proposal.kind is ProposalKind.SPAWN:
            question, details, answer = f"Spawn {proposal.agent}?", self._spawn_details(), "make it"

        def answered(yes: bool | None) -> None:
            if yes:
                self._decided_here = True
                self.run_engine_work(self._approve(proposal), self.open_operation)

        self.app.push_screen(ConfirmDialog(question, details, answer), answered)

    def _details(self, proposal: Proposal) -> tuple[str, ...]:
        review = self._review
        assert review is not None
        files = "1 file" if len(review.files) == 1 else f"{len(review.files)} files"
        lines = [
            f"commit {wording.short(proposal.commit)} against {wording.short(proposal.base)}",
            f"{files}, {sum(map(self._is_viewed, review.files))} marked as viewed",
        ]
        if review.taken_back:
            commits = "commit" if len(review.taken_back) == 1 else "commits"
            lines.append(f"▲ it takes back {len(review.taken_back)} deployed {commits}")
        lines.append("It is built first; the agent restarts only if that succeeds.")
        return tuple(lines)

    def _spawn_details(self) -> tuple[str, ...]:
        advice = self._advice
        clash = f"▲ it shares its port with {', '.join(advice.shared_with)}" if advice and advice.shared_with else ""
        return tuple(filter(None, (clash, "A container is made, built and started.")))

    async def _approve(self, proposal: Proposal) -> Operation:
        try:
            return await self.hive.approve(proposal.id, proposal.commit, proposal.base)
        except TryAgain:
            self._read_if_there()
            raise

    def _read_if_there(self) -> None:
        """Read again what moved, unless the review was left meanwhile."""
        if self.is_ready:
            self._read()

    def action_deny(self) -> None:
        """Deny, with a note."""
        proposal = self._pending
        if proposal is None:
            return

        def answered(note: str | None) -> None:
            if note:
                self.run_engine_work(self._deny(proposal, note), self._denied)

        self.app.push_screen(NoteDialog(f"Deny #{proposal.id} of {proposal.agent}: why?", (proposal.title,)), answered)

    async def _deny(self, proposal: Proposal, note: str) -> Proposal:
        try:
            return await self.hive.deny(proposal.id, note)
        except TryAgain:
            self._read_if_there()
            raise

    def _denied(self, proposal: Proposal) -> None:
        self.notify(f"#{proposal.id} denied", markup=False)
        if self.is_current:
            self.app.call_later(self.app.run_action, "app.back")

    # -- reading keys -----------------------------------------------------------------------------------------------

    def action_next_hunk(self) -> None:
        """Next change."""
        self.diff.action_next_hunk()

    def action_previous_hunk(self) -> None:
        """Previous change."""
        self.diff.action_previous_hunk()

    def action_next_file(self) -> None:
        """Next file."""
        self._step(1)

    def action_previous_file(self) -> None:
        """Previous file."""
        self._step(-1)

    def action_left(self) -> None:
        """To the left in long lines."""
        self.diff.action_left()

    def action_right(self) -> None:
        """To the right in long lines."""
        self.diff.action_right()

    def action_files(self) -> None:
        """Move in the list of files, or in the difference again."""
        self._choose(not self._choosing)

    def action_open(self) -> None:
        """Enter takes the file that is being chosen."""
        if self._choosing:
            self.files.action_choose()

    def action_viewed(self) -> None:
        """Mark the file that is read now, and go on; a marked one is unmarked."""
        review = self._review
        change = next((one for one in review.files if one.path == self._file), None) if review else None
        if change is None:
            return
        self._viewed ^= {self._mark(change)}
        self._show_files()
        self._show_head()
        if self._is_viewed(change):
            self._step(1)

    def action_more_context(self) -> None:
        """More lines around each change."""
        self._set_context(min(max(self._lines_around * 2, 1), MOST_CONTEXT))

    def action_less_context(self) -> None:
        """Fewer lines around each change."""
        self._set_context(self._lines_around // 2)

    def _set_context(self, lines: int) -> None:
        if lines != self._lines_around:
            self._lines_around = lines
            self.notify(f"{lines} lines around each change", timeout=2, markup=False)
            self._read()

    def action_whitespace(self) -> None:
        """Ignore or show changes of blanks; the head says which."""
        self._blanks_hidden = not self._blanks_hidden
        self._read()

    def action_sides(self) -> None:
        """Unified or side by side."""
        self.diff.action_toggle_sides()

    def action_commits(self) -> None:
        """Everything that was said: of the proposal, and the commits one by one."""
        if (review := self._review) is not None:
            title = f"#{review.proposal.id} of {review.proposal.agent}"
            self.app.push_screen(PagesDialog(title, words.pages(review), words.more_commits(review)))

    def action_base(self) -> None:
        """Choose what it is compared with."""
        if (review := self._review) is not None and review.proposal.commit is not None:
            self.run_engine_work(self._bases(review.proposal), self._ask_base)

    async def _bases(self, proposal: Proposal) -> list[tuple[str, str]]:
        """What there is to compare with: a tag and words; what runs first."""
        asked = self.hive.proposals(decided=True, agent=proposal.agent), self.hive.history(proposal.agent)
        others, deployed = await asyncio.gather(*asked)
        return [("", "main: what runs now"), *_earlier(proposal, others), *_deployed(deployed)]

    def _ask_base(self, bases: list[tuple[str, str]]) -> None:
        def answered(base: str | None) -> None:
            if base is not None and (base or None) != self._base:
                self._base = base or None
                self._read()

        self.app.push_screen(ChoiceDialog("Compare with what?", bases), answered)

    def action_find(self) -> None:
        """Type what to search for; among the files, a filter."""
        self.query_one(PromptLine).ask("only files with … in their path" if self._choosing else self.SEARCH_HINT)

    def on_input_changed(self, message: Input.Changed) -> None:
        """The files are filtered as it is typed."""
        if self._choosing:
            self.files.filter(message.value)

    def accept_text(self, text: str) -> None:
        """Search; the files are filtered already."""
        if not self._choosing:
            super().accept_text(text)

    async def action_back(self) -> None:
        """First out of the line, then out of the files, then back."""
        if self.close_prompt():
            return
        if self._choosing:
            self._choose(False)
        else:
            await self.app.run_action("app.back")


_OF_DIFFERENCE = frozenset(
    {
        *("next_hunk", "previous_hunk", "next_file", "previous_file", "viewed", "more_context", "less_context"),
        *("whitespace", "sides", "left", "right", "files", "base", "find", "next", "previous"),
    }
)


def _mark(change: FileChange) -> tuple[str, ...]:
    """What was viewed of a file: it stays viewed as long as all of this is the same."""
    return (change.path, change.old_mode, change.new_mode, change.old_blob, change.new_blob)


def _earlier(proposal: Proposal, others: Iterable[Proposal]) -> Iterable[tuple[str, str]]:
    """The proposal before this one, and the last that was denied."""
    rows = sorted((one for one in others if one.id != proposal.id and one.commit), key=lambda one: -one.id)
    before = next((one for one in rows if one.id < proposal.id), None)
    denied = next((one for one in rows if one.state is ProposalState.DENIED), None)
    if before is not None:
        yield f"proposal/{before.id}", f"the proposal before: #{before.id} {before.state}, {before.title}"
    if denied is not None and denied is not before:
        yield f"proposal/{denied.id}", f"the last that was denied: #{denied.id}, {denied.title}"


def _deployed(rows: Iterable[Deployment]) -> Iterable[tuple[str, str]]:
    for one in rows:
        runs = " (runs now)" if one.running else ""
        yield f"deployed/{one.id}", f"deployed as #{one.id}, {wording.short(one.commit)}{runs}"
