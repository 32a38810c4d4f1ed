"""Operations: their requests, states, and the entries of their records."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.base import Model
from hivetui.engine.model.progress import BuildProgress


class OperationKind(StrEnum):
    """What an operation does."""

    SPAWN = "spawn"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    REBUILD = "rebuild"
    DESTROY = "destroy"
    PURGE = "purge"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    PREVIEW = "preview"


class OperationState(StrEnum):
    """The state of an operation; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


class Operator(Model):
    """Who requests something. `name` is the login name (the one behind sudo), `source` "local" or the SSH peer.

    `key` is the fingerprint of the key by which a login through the SSH door was authenticated ("SHA256:…").
    """

    name: str
    uid: int | None
    source: str
    key: str | None = None


class OperationRequest(Model):
    """What a worker is asked to do; it gets nothing else from the requester.

    `proposal` is set for deploys, rollbacks, and spawns that a proposal asked for; `note` belongs to that decision.
    `operation` is the id of the operation, set by its worker.
    """

    kind: OperationKind
    agent: str
    operator: Operator
    proposal: int | None = None
    note: str = ""
    operation: int | None = None


class Operation(Model):
    """One run of lifecycle work, as its record says.

    `error` is the message, reason and fix of its failure in one text. With `rollback_failed` undoing the failed step
    failed as well, so the host is in neither the old nor the new state until it is repaired. `progress` is that of its
    build, None if it came to none.
    """

    id: int
    kind: OperationKind
    agent: str
    proposal: int | None
    state: OperationState
    step: str | None
    started_at: datetime
    ended_at: datetime | None
    operator: str
    error: str | None
    rollback_failed: bool = False
    progress: BuildProgress | None = None


class EntryKind(StrEnum):
    """What one entry of an operation's record is about."""

    STATE = "state"
    STEP = "step"
    COMMAND = "command"
    LINE = "line"


class Entry(Model):
    """One entry of an operation's record; entries are numbered from 1 in the order in which they were written.

    `state`: the state, and at the end the error as `text`, and `rollback_failed` as in `Operation`. `step`: `text` is
    the step's name. `command`: `argv`. `line`: `stream` is "stdout", "stderr" or "engine" (the engine's own messages)
    and `text` the line without its line end; `cut` counts the characters dropped from a line that was too long.
    """

    number: int
    time: datetime
    kind: EntryKind
    state: OperationState | None = None
    stream: str | None = None
    text: str = ""
    argv: tuple[str, ...] = ()
    cut: int = 0
    rollback_failed: bool = False
