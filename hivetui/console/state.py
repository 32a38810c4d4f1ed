"""The state of the hive as the console last loaded it, and the message that announces a new one to the screens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from textual.message import Message

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.names import agent_of
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.warnings import HiveWarning

PATIENCE_SECONDS = 2.0
"""How long a load is waited for before the screens show what there is without it."""


@dataclass(frozen=True, slots=True)
class HiveState:
    """Every agent, the pending proposals, the running operations and the warnings, asked for together.

    `problem` says why a part could not be loaded, in which case it is older; `loaded` is False before the first load.
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


class StateLoader:
    """Loads the parts of the state, each by itself, so that one that hangs or fails holds back no other.

    `describe_slow_program` says which program the engine waits for, if any.
    """

    def __init__(self, hive: Hive, describe_slow_program: Callable[[], str | None]) -> None:
        self._parts: dict[str, Callable[[], Awaitable[Any]]] = {
            "agents": hive.agents,
            "proposals": hive.proposals,
            "operations": hive.operations,
            "warnings": hive.warnings,
        }
        self._describe_slow_program = describe_slow_program
        self._loading: dict[str, asyncio.Future[Any]] = {}
        """What has not been answered yet, from earlier loads too; nothing is asked twice at once."""

    async def load(self, previous: HiveState) -> HiveState:
        """The current state; a part that cannot be had in time stays as before, with the reason in `problem`."""
        new = {name: asyncio.ensure_future(ask()) for name, ask in self._parts.items() if name not in self._loading}
        self._loading |= new
        try:
            await asyncio.wait(new.values() or [*self._loading.values()], timeout=PATIENCE_SECONDS)
        except asyncio.CancelledError:
            self.cancel()
            raise
        ended = {name: self._loading.pop(name) for name, load in [*self._loading.items()] if load.done()}
        results, problem = _results(ended)
        results = _complete_advice(results, previous.description)
        if self._loading:
            problem = self._describe_slow_program() or f"{' and '.join(self._loading)} are still being read"
        is_loaded = previous.loaded or (not self._loading and problem is None)
        return replace(previous, **results, problem=problem, loaded=is_loaded)

    def cancel(self) -> None:
        """Stop waiting."""
        for load in self._loading.values():
            load.cancel()
        self._loading.clear()


def _results(ended: Mapping[str, asyncio.Future[Any]]) -> tuple[dict[str, Any], str | None]:
    """What was loaded, by part, and why a part was not."""
    results, problem = {}, None
    for name, load in ended.items():
        try:
            results[name] = load.result()
        except HiveError as error:
            problem = problem or ": ".join(filter(None, (error.what, error.why.partition("\n")[0])))
    return results, problem


def _complete_advice(results: dict[str, Any], description: HiveDescription) -> dict[str, Any]:
    """The results with fixes whose commands reach this hive, wherever a screen shows them."""
    if "warnings" in results:
        results["warnings"] = _complete(results["warnings"], description)
    if "agents" in results:
        agents = (
            agent.model_copy(update={"warnings": _complete(agent.warnings, description)}) if agent.warnings else agent
            for agent in results["agents"]
        )
        results["agents"] = tuple(agents)
    return results


def _complete(warnings: tuple[HiveWarning, ...], description: HiveDescription) -> tuple[HiveWarning, ...]:
    fixes = (description.complete_commands(warning.fix) for warning in warnings)
    return tuple(warning.model_copy(update={"fix": fix}) for warning, fix in zip(warnings, fixes, strict=True))
