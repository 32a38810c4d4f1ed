"""The live state of a hive: one snapshot of everything that lists show, and the numbered changes that follow it. Pure.

A reader gets a snapshot first and then changes, without gaps: applying each to the one before gives the snapshot that
the engine has. `instance` names one run of an engine; the numbers of two instances have nothing to do with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.base import Model
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.warnings import HiveWarning, WarningCode

T = TypeVar("T", bound=Model)


class HiveSnapshot(Model):
    """Every agent, the pending proposals, the running operations and the warnings.

    The figures of an agent (memory, CPU, tasks) are None: they move all the time, and are a stream of their own.
    `problem` says what could not be read, in which case that part is older; "" when all is well. `waits_for` says for
    which program the engine waits and how long already, in a list or in what somebody asked for; "" for none.
    """

    agents: tuple[Agent, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    operations: tuple[Operation, ...] = ()
    warnings: tuple[HiveWarning, ...] = ()
    problem: str = ""
    waits_for: str = ""


class HiveChange(Model):
    """What differs between two snapshots: values that are new or different, and the keys of those that are gone.

    Agents are identified by their container. `warnings`, `problem` and `waits_for` are None when they have not changed.
    """

    agents: tuple[Agent, ...] = ()
    agents_gone: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    proposals_gone: tuple[int, ...] = ()
    operations: tuple[Operation, ...] = ()
    operations_gone: tuple[int, ...] = ()
    warnings: tuple[HiveWarning, ...] | None = None
    problem: str | None = None
    waits_for: str | None = None


class Figures(Model):
    """What the container of an agent uses now, which moves all the time; what is not known is None.

    `cpu_percent` is the share of one core since the last sample.
    """

    container: str
    memory_bytes: int | None = None
    cpu_percent: float | None = None
    tasks: int | None = None


class StateUpdate(Model):
    """One message of the stream: either a snapshot or the change that leads to number `seq`."""

    instance: str
    seq: int
    snapshot: HiveSnapshot | None = None
    change: HiveChange | None = None


def agent_order(agent: Agent) -> tuple[bool, bool, bool, str]:
    """The sort key of agents: failed ones first, then the manager, then by name, destroyed ones last."""
    failed = agent.state is AgentState.FAILED or WarningCode.AGENT_FAILED in {found.code for found in agent.warnings}
    return agent.state is AgentState.KEPT, not failed, not agent.manager, agent.name


def find_change(before: HiveSnapshot, after: HiveSnapshot) -> HiveChange | None:
    """What leads from one snapshot to another; None when they are equal."""
    agents, agents_gone = _compare(before.agents, after.agents, _container)
    proposals, proposals_gone = _compare(before.proposals, after.proposals, _proposal_id)
    operations, operations_gone = _compare(before.operations, after.operations, _operation_id)
    change = HiveChange(
        agents=agents,
        agents_gone=agents_gone,
        proposals=proposals,
        proposals_gone=proposals_gone,
        operations=operations,
        operations_gone=operations_gone,
        warnings=after.warnings if before.warnings != after.warnings else None,
        problem=after.problem if before.problem != after.problem else None,
        waits_for=after.waits_for if before.waits_for != after.waits_for else None,
    )
    return None if change == HiveChange() else change


def apply_change(before: HiveSnapshot, change: HiveChange) -> HiveSnapshot:
    """The snapshot after a change."""
    return HiveSnapshot(
        agents=_merge(before.agents, change.agents, change.agents_gone, _container, agent_order),
        proposals=_merge(before.proposals, change.proposals, change.proposals_gone, _proposal_id, _proposal_id),
        operations=_merge(
            before.operations, change.operations, change.operations_gone, _operation_id, lambda found: -found.id
        ),
        warnings=before.warnings if change.warnings is None else change.warnings,
        problem=before.problem if change.problem is None else change.problem,
        waits_for=before.waits_for if change.waits_for is None else change.waits_for,
    )


def _container(agent: Agent) -> str:
    return agent.container


def _proposal_id(proposal: Proposal) -> int:
    return proposal.id


def _operation_id(operation: Operation) -> int:
    return operation.id


Key = TypeVar("Key", bound=Hashable)


def _compare(before: Sequence[T], after: Sequence[T], key: Callable[[T], Key]) -> tuple[tuple[T, ...], tuple[Key, ...]]:
    old, new = {key(value): value for value in before}, {key(value): value for value in after}
    changed = tuple(value for name, value in new.items() if old.get(name) is not value and old.get(name) != value)
    return changed, tuple(name for name in old if name not in new)


def _merge(
    before: Sequence[T],
    changed: Iterable[T],
    gone: Iterable[Key],
    key: Callable[[T], Key],
    order: Callable[[T], Any],
) -> tuple[T, ...]:
    """The values that stay, and the changed ones, in order. What did not change keeps its identity."""
    changed, gone = tuple(changed), set(gone)
    if not changed and not gone:
        return tuple(before)
    merged = {name: value for value in before if (name := key(value)) not in gone}
    merged |= {key(value): value for value in changed}
    return tuple(sorted(merged.values(), key=order))
