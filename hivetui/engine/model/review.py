"""What an operator reads of a proposal besides the difference itself."""

from __future__ import annotations

from datetime import datetime

from hivetui.engine.model.base import Model
from hivetui.engine.model.proposals import FileChange, Proposal


class Commit(Model):
    """One commit between base and proposal."""

    id: str
    author: str
    authored_at: datetime
    message: str


class DeployedCommit(Model):
    """A deployed commit by the id of its proposal."""

    id: int
    commit: str
    title: str


class Review(Model):
    """All of a review but the difference itself, which is streamed.

    `taken_back` are deployed commits that the proposal does not contain: approving it takes them back. `commits` are
    newest first and at most 200, of `commit_count`.
    """

    proposal: Proposal
    author: str
    authored_at: datetime
    message: str
    commits: tuple[Commit, ...]
    taken_back: tuple[DeployedCommit, ...]
    files: tuple[FileChange, ...]
    commit_count: int = 0
