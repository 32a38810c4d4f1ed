"""The state of the hive as the console last loaded it, and the message that announces a new one to the screens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from textual.message import Message

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.names import agent_of
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.warnings import HiveWarning


@dataclass(frozen=True, slots=True)
class HiveState:
    """Every agent, the pending proposals, the running operations and the warnings, loaded together.

    `problem` says why the last load failed, in which case the rest is older; `loaded` is False before the first load.
    """

    description: HiveDescription
    agents: tuple[Agent, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    operations: tuple[Operation, ...] = ()
    warnings: tuple[HiveWarning, ...] = ()
    problem: str | None = None
    loaded: bool = False

    @property
    def own_agents(self) -> tuple[Agent, ...]:
        """The agents that the engine manages; a container made by hand has no log to show."""
        return tuple(agent for agent in self.agents if not is_foreign(agent))


def is_foreign(agent: Agent) -> bool:
    """Whether this is a container whose name the engine would not give: it is shown, and never changed."""
    return agent_of(agent.container) is None


class StateChanged(Message):
    """A new state of the hive, posted to every screen of the stack."""

    def __init__(self, state: HiveState) -> None:
        self.state = state
        super().__init__()


async def load_state(hive: Hive, previous: HiveState) -> HiveState:
    """The current state; if the hive does not answer, the previous one with the reason in `problem`."""
    try:
        agents, proposals, operations, warnings = await asyncio.gather(
            hive.agents(), hive.proposals(), hive.operations(), hive.warnings()
        )
    except HiveError as error:
        return replace(previous, problem=error.what)
    return HiveState(previous.description, agents, proposals, operations, warnings, problem=None, loaded=True)
