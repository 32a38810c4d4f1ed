"""A screen that loads a review: the engine is asked before there are widgets, and nothing is painted before it answers.

What is read first comes first: head and diff; findings, effect and queue are found out when these are painted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hivetui.console.state import HiveState
from hivetui.console.terminal.held_paint import HeldPaint, HoldsPaint
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.review import Review
from hivetui.screens.review.contents import ReviewContents, ViewedFiles
from hivetui.screens.review.cut_screen import CutScreen
from hivetui.screens.review.loader import ReadAhead, ReviewLoader


@dataclass(frozen=True)
class BegunLoad:
    """What the engine has been asked for; `head` has the review that was loaded before."""

    head: asyncio.Future[Review | None]
    ahead: ReadAhead | None

    def close(self) -> None:
        """Stop what has not come yet."""
        self.head.cancel()
        if self.ahead is not None:
            self.ahead.chunks.close()


class LoadingScreen(HoldsPaint, CutScreen):
    """Subclasses show what was loaded, in the `show_` methods."""

    def __init__(self, hive: Hive, state: HiveState, number: int) -> None:
        super().__init__(hive, state, ReviewContents(number), ViewedFiles(hive))
        self._loader = ReviewLoader(hive, self.contents, self.diff)
        self.paint = HeldPaint(self)
        self.has_later_state = False  # one came during a load, and has to be compared with its result
        self._begun: BegunLoad | None = self._begin()

    def on_mount(self) -> None:
        """Load it, and paint it when the first lines of the diff are there."""
        self.paint.begin()
        self.load()

    def on_unmount(self) -> None:
        """Let other screens paint."""
        self.paint.release()
        if self._begun is not None:
            self._begun.close()

    def show_head(self) -> None:
        """Show the lines above files and diff."""
        raise NotImplementedError

    def show_review(self) -> None:
        """Show all but the diff."""
        raise NotImplementedError

    def show_diff(self) -> None:
        """The whole diff is in its view."""
        raise NotImplementedError

    def show_changes(self, before: Proposal, now: Proposal) -> None:
        """Say what happened to the proposal between two loads."""
        raise NotImplementedError

    def show_spawn(self) -> None:
        """Show what approving a spawn request would create."""
        raise NotImplementedError

    def load(self) -> None:
        """Load the review, and its diff if that is another one."""
        self.contents.is_loading, self.has_later_state = True, False
        self.refresh_bindings()
        self.run_loading(self._load_all, "review")

    def _begin(self) -> BegunLoad:
        """Ask for the review, and for its diff as it will be wanted unless the base has moved."""
        known = next((one for one in self.state.proposals if one.id == self.contents.proposal_id), None)
        head = asyncio.ensure_future(self._load_head(known))
        head.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # the screen may never be mounted
        return BegunLoad(head, self._loader.read_ahead(known))

    async def _load_head(self, known: Proposal | None) -> Review | None:
        """Load all but the diff; `known` is the proposal as the state has it."""
        previous, *_ = await asyncio.gather(self._loader.load_review(), self.load_notes(), self._load_viewed(known))
        if self.compare_with_denied():
            previous = await self._loader.load_review()
        if known is None and self.contents.review is not None:
            await self._load_viewed(self.contents.review.proposal)
        return previous

    async def _load_viewed(self, proposal: Proposal | None) -> None:
        if proposal is not None:
            await self.viewed.load(proposal.agent)

    async def _load_all(self) -> None:
        contents = self.contents
        begun, self._begun = self._begun or self._begin(), None
        try:
            await self._load(begun)
        except HiveError as error:
            self._loader.fail(error)
            self.show_error(error)
        finally:
            begun.close()
            self.paint.release()
        contents.is_loading = False
        self.refresh_bindings()
        if self.has_later_state:
            self.show(self.state)

    async def _load(self, begun: BegunLoad) -> None:
        contents, previous = self.contents, await begun.head
        assert contents.review is not None
        if previous is not None:
            self.show_changes(previous.proposal, contents.review.proposal)
        self.show_review()
        self.show_notes()
        beside = asyncio.ensure_future(self._load_beside())
        try:
            await self._loader.load_body(contents.review, begun.ahead)
            self.show_diff()
        except asyncio.CancelledError:
            beside.cancel()
            raise
        finally:
            await beside
        self.show_spawn()

    async def _load_beside(self) -> None:
        """Find out the rest when the first lines of the diff are painted, which it would delay."""
        await self._loader.has_begun.wait()
        self.paint.release()
        painted = asyncio.Event()
        self.call_after_refresh(painted.set)
        await painted.wait()
        await asyncio.gather(self._load_findings(), self.load_effect(), self._load_queue())

    async def _load_queue(self) -> None:
        """Load what else is pending: files that were viewed in the same change for another agent are viewed here."""
        contents = self.contents
        if contents.pending is None:
            contents.places = {}
            return
        try:
            contents.places = {one.proposal: one for one in await self.hive.queue()}
            mine = contents.places.get(contents.proposal_id)
            if mine is not None and mine.group is not None:
                same = [one.agent for one in contents.places.values() if one.group == mine.group]
                await self.viewed.load(mine.agent, *same)
                self.show_review()
        except HiveError as error:
            self.show_error(error)
        self.show_head()

    async def _load_findings(self) -> None:
        """Look for findings beside the diff, which does not wait for them."""
        try:
            await self._loader.load_findings()
        except HiveError as error:
            self.show_error(error)
        self.show_head()
        self.refresh_bindings()
