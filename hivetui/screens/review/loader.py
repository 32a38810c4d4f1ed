"""Loads a review and streams its diff into the view; remembers what the diff on the screen was made from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.review import Review
from hivetui.screens.review import position
from hivetui.screens.review.contents import ReviewContents
from hivetui.screens.review.diff_ahead import DiffAhead
from hivetui.widgets.diff.diff_view import DiffView


class _DiffKey(NamedTuple):
    commit: str
    base: str
    context: int
    ignore_whitespace: bool


class ReadAhead(NamedTuple):
    """The diff that is read before its review is known, and what it is made from."""

    key: _DiffKey
    chunks: DiffAhead


class ReviewLoader:
    """Fills `contents` and `diff`. Methods raise HiveError; `fail` records it, so that approval stays locked."""

    def __init__(self, hive: Hive, contents: ReviewContents, diff: DiffView) -> None:
        self._hive, self._contents, self._diff = hive, contents, diff
        self._reviewed_base: str | None = None  # the `options.base` that the review was last loaded with
        self._shown: _DiffKey | None = None  # what the complete diff in the view was made from
        self.has_begun = asyncio.Event()
        """Set when the view has the first lines of the diff, or when none will come."""

    def read_ahead(self, proposal: Proposal | None) -> ReadAhead | None:
        """Begin to read the diff of a proposal, if the view does not have it."""
        wanted = None if proposal is None or self._contents.options.base else self._wanted(proposal)
        if wanted is None or wanted == self._shown:
            return None
        return ReadAhead(wanted, DiffAhead(self._difference(wanted)))

    async def load_review(self) -> Review | None:
        """Load all but the diff. Returns the review loaded before, if it was compared with the same base."""
        contents = self._contents
        contents.load_error = None
        self.has_begun.clear()
        previous, base = contents.review, contents.options.base
        contents.review = await self._hive.review(contents.proposal_id, base)
        is_comparable, self._reviewed_base = base == self._reviewed_base, base
        return previous if is_comparable else None

    async def load_body(self, review: Review, ahead: ReadAhead | None) -> None:
        """Stream the diff, unless the view already has it; for a spawn request ask what approving it would create.

        `ahead` is a diff that has been asked for, which is used if it is the right one.
        """
        try:
            await self._load_body(review, ahead)
        finally:
            self.has_begun.set()

    async def _load_body(self, review: Review, ahead: ReadAhead | None) -> None:
        wanted = self._wanted(review.proposal)
        if wanted is None:
            self._contents.advice = await self._hive.spawn_advice(review.proposal.agent)
            return
        shown = self._shown
        if shown == wanted:
            return
        is_same_change = shown is not None and shown[:2] == wanted[:2]
        before = position.current(self._diff) if is_same_change else None
        self._shown = None  # a load that is cancelled halfway leaves an incomplete diff in the view
        is_wanted = ahead is not None and ahead.key == wanted
        chunks = ahead.chunks.read() if ahead is not None and is_wanted else self._difference(wanted)
        await self._stream(review, chunks)
        self._shown = wanted
        position.restore(self._diff, before)

    def _wanted(self, proposal: Proposal) -> _DiffKey | None:
        if proposal.commit is None or proposal.base is None:
            return None
        options = self._contents.options
        return _DiffKey(proposal.commit, proposal.base, options.context, options.ignore_whitespace)

    async def load_findings(self) -> None:
        """Look for findings against what the diff is made against; that they are not known locks approval."""
        contents = self._contents
        contents.assessment, contents.findings_error = None, None
        try:
            contents.assessment = await self._hive.findings(contents.proposal_id, contents.options.base)
        except HiveError as error:
            contents.findings_error = error.what
            self._diff.show_findings(())
            raise
        contents.acknowledged.keep(contents.assessment.findings)
        self._diff.show_findings(contents.assessment.findings)

    async def _stream(self, review: Review, source: AsyncGenerator[bytes, None]) -> None:
        self._contents.missing_files = ()
        self._diff.start(review.files)
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                self._diff.feed(chunk)
                self.has_begun.set()
        self._diff.finish()
        self._contents.missing_files = self._diff.missing

    def _difference(self, wanted: _DiffKey) -> AsyncGenerator[bytes, None]:
        return self._hive.difference(
            self._contents.proposal_id,
            wanted.base,
            context=wanted.context,
            ignore_whitespace=wanted.ignore_whitespace,
        )

    def fail(self, error: HiveError) -> None:
        """Record why the review could not be loaded, and mark the diff as incomplete."""
        self._contents.load_error = error.what
        self._diff.finish(error.what)
