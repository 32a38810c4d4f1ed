"""Operations: requests, states, and the entries of their records."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.base import Model


class OperationKind(StrEnum):
    """What lifecycle work an operation does."""

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
    """Where an operation stands; the last four are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self not in (OperationState.QUEUED, OperationState.RUNNING)


class Operator(Model):
    """Who asks. `source` is "local", or the SSH peer and key; `name` the login name (the one behind sudo)."""

    name: str
    uid: int | None
    source: str


class OperationRequest(Model):
    """What a worker is asked to do, whole: it reads nothing else of the one who asked.

    `proposal` for deploy and rollback; `note` and `acknowledged` go with the decision.
    """

    kind: OperationKind
    agent: str
    operator: Operator
    proposal: int | None = None
    note: str = ""


class Operation(Model):
    """One run of lifecycle work, as its record says.

    `error` is the message, reason and fix of its failure in one text. With `rollback_failed` undoing the failed step
    failed as well, so the host is in neither the old nor the new state until it is repaired.
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


class EntryKind(StrEnum):
    """What one entry of an operation's record tells."""

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
