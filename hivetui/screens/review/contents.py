"""What a review has loaded so far, and the options its diff was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass, field

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import SpawnAdvice
from hivetui.engine.model.proposals import FileChange, Proposal, ProposalState
from hivetui.engine.model.review import Review


@dataclass(frozen=True)
class DiffOptions:
    """How the diff is made: what the proposal is compared with, and what is left out.

    `base` is a tag to compare with instead of applied `main`; `context` counts the unchanged lines around each change.
    """

    base: str | None = None
    context: int = 3
    ignore_whitespace: bool = False


@dataclass
class ReviewContents:
    """The state of one review; the loader writes it, painting and the rules for a decision read it.

    `load_error` says why the last load failed. `missing_files` are files of the review that its diff did not contain.
    """

    proposal_id: int
    options: DiffOptions = field(default_factory=DiffOptions)
    review: Review | None = None
    advice: SpawnAdvice | None = None
    is_loading: bool = True
    load_error: str | None = None
    missing_files: tuple[str, ...] = ()

    @property
    def pending(self) -> Proposal | None:
        """The proposal, as long as it can be decided."""
        if self.review is None or self.review.proposal.state is not ProposalState.PENDING:
            return None
        return self.review.proposal


class ViewedFiles:
    """Which files the operator has marked as viewed. A mark holds as long as path, blobs and modes of the file do.

    The engine keeps the marks by operator and agent, so that they survive the review and the console.
    """

    def __init__(self, hive: Hive) -> None:
        self._hive = hive
        self._agent = ""
        self._marks: set[str] = set()

    async def load(self, agent: str) -> None:
        """Load the marks on files of an agent."""
        self._agent, self._marks = agent, set(await self._hive.viewed_marks(agent))

    def __contains__(self, change: FileChange) -> bool:
        return _mark_of(change) in self._marks

    def toggle(self, change: FileChange) -> Coroutine[None, None, None]:
        """Mark the file, or remove its mark, at once; what is returned stores that."""
        mark = _mark_of(change)
        self._marks ^= {mark}
        return self._hive.mark_viewed(self._agent, mark, mark in self._marks)

    def count(self, review: Review) -> int:
        """How many files of the review are marked."""
        return sum(change in self for change in review.files)


def _mark_of(change: FileChange) -> str:
    content = (change.path, change.old_mode, change.new_mode, change.old_blob, change.new_blob)
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogateescape")).hexdigest()
