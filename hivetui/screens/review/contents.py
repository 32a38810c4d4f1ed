"""What a review has loaded so far, and the options its diff was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

from hivetui.console.keymap import current_key
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import SpawnAdvice
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.findings import Assessment, Finding, Severity, format_counts
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.proposals import FileChange, Proposal, ProposalState
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.review import Review
from hivetui.screens.review.cuts import HeadReading


@dataclass(frozen=True)
class DiffOptions:
    """How the diff is made: what the proposal is compared with, and what is left out.

    `base` is a tag to compare with instead of applied `main`; `context` counts the unchanged lines around each change.
    """

    base: str | None = None
    context: int = 3
    ignore_whitespace: bool = False


class Acknowledgements:
    """The critical findings that the operator has acknowledged in this review, by their ids."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def toggle(self, name: str) -> None:
        """Acknowledge a finding, or take that back."""
        self._ids ^= {name}

    def keep(self, findings: Iterable[Finding]) -> None:
        """Forget what is not found any more: its evidence has changed."""
        self._ids &= {finding.id for finding in findings}

    def given(self, assessment: Assessment) -> tuple[str, ...]:
        """The ids in the order of the findings."""
        return tuple(finding.id for finding in assessment.findings if finding.id in self._ids)

    def missing(self, assessment: Assessment) -> list[Finding]:
        """The critical findings that are not acknowledged."""
        critical = (finding for finding in assessment.findings if finding.severity is Severity.CRITICAL)
        return [finding for finding in critical if finding.id not in self._ids]

    def describe(self, assessment: Assessment) -> str:
        """The findings in numbers, how many are not acknowledged, and which rules ran."""
        counts = format_counts(assessment.findings)
        missing = len(self.missing(assessment))
        notes = [f"{missing} to acknowledge"] if missing else []
        notes += [f"{assessment.ran} rules ran"] if assessment.ran else ["as recorded with the decision"]
        notes += [f"{one.count} silenced ({one.rule})" for one in assessment.silenced if one.count]
        return f"{counts}; {', '.join(notes)}"


def key_of_base(review: Review, base: str) -> str:
    """The key that ends a comparison with another base than what runs."""
    is_since = review.previous is not None and base == f"denied/{review.previous.id}"
    return current_key("review.since" if is_since else "review.base")


@dataclass
class ReviewContents:
    """The state of one review; the loader writes it, painting and the rules for a decision read it.

    `assessment` are the findings, None while they are looked for or if `findings_error` says why they are not known.
    `load_error` says why the last load failed. `missing_files` are files of the review that its diff did not contain.
    `notes` are those on lines that the operator has written here. `has_begun` says that it was loaded once.
    `places` are those of all pending proposals in the queue, by their ids. `head` is what of the head was read.
    """

    proposal_id: int
    options: DiffOptions = field(default_factory=DiffOptions)
    review: Review | None = None
    advice: SpawnAdvice | None = None
    is_loading: bool = True
    load_error: str | None = None
    missing_files: tuple[str, ...] = ()
    assessment: Assessment | None = None
    findings_error: str | None = None
    acknowledged: Acknowledgements = field(default_factory=Acknowledgements)
    effect: Effect = field(default_factory=Effect)
    notes: tuple[LineNote, ...] = ()
    has_begun: bool = False
    places: dict[int, QueuePlace] = field(default_factory=dict)
    head: HeadReading = field(default_factory=HeadReading)

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
        self._agents: tuple[str, ...] = ()
        self._marks: set[str] = set()

    async def load(self, *agents: str) -> None:
        """Load the marks on files of an agent, and of others that get the same change, which is read once."""
        marks = [await self._hive.viewed_marks(agent) for agent in dict.fromkeys(agents)]
        self._agents, self._marks = tuple(dict.fromkeys(agents)), set().union(*marks)

    def __contains__(self, change: FileChange) -> bool:
        return _mark_of(change) in self._marks

    def toggle(self, change: FileChange) -> Coroutine[None, None, None]:
        """Mark the file, or remove its mark, at once; what is returned stores that."""
        mark = _mark_of(change)
        self._marks ^= {mark}
        return self._store(mark, mark in self._marks)

    async def _store(self, mark: str, is_viewed: bool) -> None:
        for agent in self._agents:
            await self._hive.mark_viewed(agent, mark, is_viewed)

    def count(self, review: Review) -> int:
        """How many files of the review are marked."""
        return sum(change in self for change in review.files)


def _mark_of(change: FileChange) -> str:
    content = (change.path, change.old_mode, change.new_mode, change.old_blob, change.new_blob)
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogateescape")).hexdigest()
