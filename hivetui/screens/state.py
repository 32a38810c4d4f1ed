"""What the console knows of the hive at one moment, and the message that says it changed."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from hivetui.engine.model.agents import Agent
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.names import agent_of
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.warnings import HiveWarning


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

    @property
    def own_agents(self) -> tuple[Agent, ...]:
        """Those that are the engine's: of a container that somebody made by hand it has no log to show."""
        return tuple(one for one in self.agents if not is_foreign(one))


def is_foreign(agent: Agent) -> bool:
    """Whether it is a container whose name the engine would not give: shown, and left alone."""
    return agent_of(agent.container) is None


class StateChanged(Message):
    """A new look at the hive."""

    def __init__(self, state: HiveState) -> None:
        self.state = state
        super().__init__()
