"""What the console knows of the hive at one moment, and the message that says it changed."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from ..engine.models import Agent, HiveDescription, HiveWarning, Operation, Proposal


@dataclass(frozen=True, slots=True)
class HiveState:
    """One consistent look: every agent, what waits, what runs, what is wrong. `problem` says why it may be old."""

    description: HiveDescription
    agents: tuple[Agent, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    operations: tuple[Operation, ...] = ()
    warnings: tuple[HiveWarning, ...] = ()
    problem: str | None = None
    loaded: bool = False


class StateChanged(Message):
    """A new look at the hive."""

    def __init__(self, state: HiveState) -> None:
        self.state = state
        super().__init__()
