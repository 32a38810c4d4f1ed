"""What an operator reviews of a proposal, except for the difference itself."""

from __future__ import annotations

from datetime import datetime

from hivetui.engine.model.base import Model
from hivetui.engine.model.notes import DeniedBefore
from hivetui.engine.model.proposals import FileChange, Proposal


class Commit(Model):
    """One commit between base and proposal."""

    id: str
    author: str
    authored_at: datetime
    message: str


class DeployedCommit(Model):
    """A deployed commit; `id` is that of its proposal."""

    id: int
    commit: str
    title: str


class Review(Model):
    """A review without the difference, which is streamed.

    `reverts` are deployed commits that the proposal does not contain: approving it reverts them. `commits` are the
    newest ones first, at most 200 of `commit_count`. `tool_messages` are warnings of git about what it compared, such
    as "git: warning: …". `previous` is the denied proposal that this one answers, None without one.
    """

    proposal: Proposal
    author: str
    authored_at: datetime
    message: str
    commits: tuple[Commit, ...]
    reverts: tuple[DeployedCommit, ...]
    files: tuple[FileChange, ...]
    commit_count: int = 0
    tool_messages: tuple[str, ...] = ()
    previous: DeniedBefore | None = None
