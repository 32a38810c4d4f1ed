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
    """One run of lifecycle work, as its record tells it. `error` is the three lines of its failure in one text."""

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


class EntryKind(StrEnum):
    """What one entry of an operation's record tells."""

    STATE = "state"
    STEP = "step"
    COMMAND = "command"
    LINE = "line"


FAILED_TOO = "Taking it back failed too"
"""In the error of an operation whose way back failed."""


class Entry(Model):
    """One entry of an operation's record, in the order of its writing.

    `state`: state (and error at an end). `step`: text is the step's name. `command`: argv. `line`: stream is
    "stdout", "stderr" or "engine" (the engine's own talk) and text the line without its end; `cut` counts the
    characters that were dropped from a line that was too long.
    """

    number: int
    time: datetime
    kind: EntryKind
    state: OperationState | None = None
    stream: str | None = None
    text: str = ""
    argv: tuple[str, ...] = ()
    cut: int = 0
