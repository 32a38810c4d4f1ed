"""Events: what happened in a hive."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from hivetui.engine.model.base import Model


class EventKind(StrEnum):
    """What happened, in the past tense."""

    PROPOSAL_PINNED = "ProposalPinned"
    PROPOSAL_DECIDED = "ProposalDecided"
    PROPOSAL_ENDED = "ProposalEnded"
    OPERATION_STARTED = "OperationStarted"
    OPERATION_CHANGED = "OperationChanged"
    OPERATION_ENDED = "OperationEnded"
    REPAIRED = "Repaired"
    HOOK_FAILED = "HookFailed"


class Event(Model):
    """One entry of the event log. Informative only: no decision depends on it."""

    time: datetime
    kind: EventKind
    agent: str | None = None
    proposal: int | None = None
    operation: int | None = None
    operator: str | None = None
    source: str | None = None
    text: str = ""
    data: dict[str, str] = Field(default_factory=dict)
