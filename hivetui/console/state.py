"""The state of the hive as the console last heard of it, and the message that announces a new one to the screens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from textual.message import Message

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.names import agent_of
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.state import HiveChange, HiveSnapshot, StateUpdate, apply_change
from hivetui.engine.model.warnings import HiveWarning


@dataclass(frozen=True, slots=True)
class HiveState:
    """Every agent, the pending proposals, the running operations and the warnings, as of one moment.

    `problem` says why a part could not be read, in which case it is older; `loaded` is False before everything was read
    once. `lost_at` says since when the engine does not answer. `waits_for` is the program for which the engine
    waits, if it takes long. The figures of agents are None: they are a stream of their own.
    """

    description: HiveDescription
    agents: tuple[Agent, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    operations: tuple[Operation, ...] = ()
    warnings: tuple[HiveWarning, ...] = ()
    problem: str | None = None
    lost_at: datetime | None = None
    waits_for: str | None = None
    loaded: bool = False

    @property
    def own_agents(self) -> tuple[Agent, ...]:
        """The agents that the engine manages; a container made by hand has no log to show."""
        return tuple(agent for agent in self.agents if not is_foreign(agent))


def is_foreign(agent: Agent) -> bool:
    """Whether this is a container whose name the engine would not give: it is shown, and never changed."""
    return agent_of(agent.container) is None


def differ_in_progress_only(before: HiveState, after: HiveState) -> bool:
    """Whether only builds have come further: what has not changed is the same object in both."""
    if before.operations is after.operations or len(before.operations) != len(after.operations):
        return False
    if replace(before, operations=()) != replace(after, operations=()):
        return False
    pairs = zip(before.operations, after.operations, strict=True)
    return all(one is two or one == two.model_copy(update={"progress": one.progress}) for one, two in pairs)


class StateChanged(Message):
    """A new state of the hive, posted to every screen of the stack."""

    def __init__(self, state: HiveState) -> None:
        self.state = state
        super().__init__()


class FollowedState:
    """The state of one hive as its stream of changes tells it, from one stream to the next.

    Advice is completed, wherever a screen shows it, with the commands that reach this hive. `on_update` is called with
    each message of the stream.
    """

    def __init__(
        self, description: HiveDescription, on_update: Callable[[StateUpdate], None] = lambda update: None
    ) -> None:
        self._on_update = on_update
        self.state = HiveState(description)
        self._snapshot = HiveSnapshot()
        self._seq: int | None = None
        self._instance: str | None = None

    async def follow(self, hive: Hive) -> AsyncGenerator[HiveState, None]:
        """Each new state, from where the last stream ended; the end of the stream is told by the problem."""
        problem = "the hive has ended the stream of its changes"
        try:
            if self.state.lost_at is not None and self._seq is not None:
                await hive.operations()  # the stream of an engine that goes on is silent until something changes
                yield self._make_state()
            async for update in hive.watch(self._seq, self._instance):
                self._take(update)
                self._on_update(update)
                yield self.state
        except HiveError as error:
            problem = ": ".join(filter(None, (error.what, error.why.partition("\n")[0])))
        lost_at = self.state.lost_at or datetime.now(UTC)
        self.state = replace(self.state, problem=problem, lost_at=lost_at, waits_for=None)

    def _take(self, update: StateUpdate) -> None:
        """Complete only what an update brings: its cost depends on the change, not on the hive."""
        description = self.state.description
        if update.snapshot is not None:
            self._snapshot = _complete_snapshot(update.snapshot, description)
        elif update.change is not None:
            self._snapshot = apply_change(self._snapshot, _complete_change(update.change, description))
        self._seq, self._instance = update.seq, update.instance
        self._make_state()

    def _make_state(self) -> HiveState:
        """The state as the stream has told it so far."""
        now = self._snapshot
        self.state = HiveState(
            description=self.state.description,
            agents=now.agents,
            proposals=now.proposals,
            operations=now.operations,
            warnings=now.warnings,
            problem=now.problem or None,
            waits_for=now.waits_for or None,
            loaded=self.state.loaded or not now.problem,
        )
        return self.state


def _complete_snapshot(snapshot: HiveSnapshot, description: HiveDescription) -> HiveSnapshot:
    agents, warnings = _complete_agents(snapshot.agents, description), _complete(snapshot.warnings, description)
    return snapshot.model_copy(update={"agents": agents, "warnings": warnings})


def _complete_change(change: HiveChange, description: HiveDescription) -> HiveChange:
    warnings = None if change.warnings is None else _complete(change.warnings, description)
    return change.model_copy(update={"agents": _complete_agents(change.agents, description), "warnings": warnings})


def _complete_agents(agents: Iterable[Agent], description: HiveDescription) -> tuple[Agent, ...]:
    return tuple(
        agent.model_copy(update={"warnings": _complete(agent.warnings, description)}) if agent.warnings else agent
        for agent in agents
    )


def _complete(warnings: tuple[HiveWarning, ...], description: HiveDescription) -> tuple[HiveWarning, ...]:
    fixes = (description.complete_commands(warning.fix) for warning in warnings)
    return tuple(warning.model_copy(update={"fix": fix}) for warning, fix in zip(warnings, fixes, strict=True))
