"""Proposals, their findings and files, and the deployments they led to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.base import Model
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.findings import Finding
from hivetui.engine.model.notes import LineNote


class ProposalKind(StrEnum):
    """What a proposal asks for."""

    DEPLOY = "deploy"
    SPAWN = "spawn"
    ROLLBACK = "rollback"


class ProposalState(StrEnum):
    """How far a proposal has come, derived from its tags and from nothing else (engine/proposals/tags.py)."""

    PENDING = "pending"
    APPROVED = "approved"
    BUILDING = "building"
    DEPLOYED = "deployed"
    FAILED = "failed"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"

    @property
    def is_final(self) -> bool:
        """Whether a proposal in this state never changes again."""
        return self in FINAL_STATES


FINAL_STATES = (ProposalState.DEPLOYED, ProposalState.FAILED, ProposalState.DENIED, ProposalState.WITHDRAWN)
"""The states that end a proposal: it is given exactly one of them."""
STATE_PHRASES = {
    ProposalState.APPROVED: "is approved",
    ProposalState.BUILDING: "is being built",
    ProposalState.DEPLOYED: "is deployed",
    ProposalState.FAILED: "has failed",
    ProposalState.DENIED: "was denied",
    ProposalState.WITHDRAWN: "was withdrawn",
}
"""What follows "Proposal 7" in an error that says that it is no longer pending."""
PROPOSAL_TAGS = ("proposal", *(state.value for state in ProposalState if state is not ProposalState.PENDING))
"""The tags of the engine are `<one of these>/<id>`. `proposal/<id>` alone means pending; see ProposalTags.state."""


class FileStatus(StrEnum):
    """What happened to a path between two trees."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    TYPE_CHANGED = "type-changed"


class FileChange(Model):
    """One changed path.

    `additions` and `deletions` are lines, None for a binary file. Sizes are bytes, None where the file does not exist
    on that side. Modes are those of git. Bytes of a path that are
    not UTF-8 are lone surrogates, of which `text.exact_bytes` makes bytes again.
    """

    path: str
    old_path: str | None
    status: FileStatus
    additions: int | None
    deletions: int | None
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    old_size: int | None = None
    new_size: int | None = None


class Denial(Model):
    """The denial of a proposal; `decided_at` is None for a tag made by hand that has no time."""

    id: int
    decided_by: str
    decided_at: datetime | None
    note: str


class Proposal(Model):
    """A request for a decision.

    `commit` is None for a spawn. `base` is the commit of applied `main` that it is compared with; `stale` says that
    `main` has moved since it was submitted. `retry_of` is the id of the proposal that it repeats. `uncommitted` are
    files that its agent has changed but not committed on main, None except in the answer to a submit.
    `proof` says whose keys signed the record of the decision, as that says itself: "signed" by the operator and the
    host, "witnessed" by the host, "unsigned"; None for a decision from before records.
    `obstacle` says why a pending proposal cannot be approved now, None if it can. `denied_before` is the last denial
    of this very commit, None if it was never denied.
    `files` is None unless the hive was asked for them (`Hive.proposals`, `Hive.review`), and `findings` unless it was
    asked for these (`Hive.proposals`, `Hive.findings`); a decided proposal has those it was decided with. `effect` is
    what it would do, None unless files were asked for. `lines` are the notes on lines that it was denied with.
    `group`, `stales` and `conflicts` are as in `QueuePlace`, None unless the hive was asked for findings.
    """

    id: int
    kind: ProposalKind
    agent: str
    state: ProposalState
    commit: str | None
    base: str | None
    stale: bool
    title: str
    description: str
    submitted_by: str
    submitted_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    proof: str | None = None
    note: str | None = None
    lines: tuple[LineNote, ...] = ()
    error: str | None = None
    uncommitted: tuple[str, ...] | None = None
    retry_of: int | None = None
    obstacle: str | None = None
    denied_before: Denial | None = None
    findings: tuple[Finding, ...] | None = None
    files: tuple[FileChange, ...] | None = None
    effect: Effect | None = None
    group: int | None = None
    stales: tuple[int, ...] | None = None
    conflicts: tuple[int, ...] | None = None

    @property
    def decider(self) -> str | None:
        """Who decided, with the proof of it: "ada (witnessed)"; None while it is pending."""
        return f"{self.decided_by} ({self.proof})" if self.decided_by and self.proof else self.decided_by

    @property
    def body(self) -> str:
        """The description without a first line that repeats the title."""
        description = self.description.strip()
        first, _, rest = description.partition("\n")
        return rest.strip() if first.strip() == self.title.strip() else description


class Deployment(Model):
    """One deploy; lists are newest first. `running` marks the one that the agent runs now.

    `unchanged` says that it did not change the agent's system.
    """

    id: int
    agent: str
    commit: str
    kind: ProposalKind
    deployed_at: datetime
    operator: str
    note: str
    running: bool
    unchanged: bool = False
