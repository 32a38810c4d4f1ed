"""Every agent of a hive as a row: one sweep of the units, and the rest from files, with no process an agent.

Listing never refuses. A container that carries a name the engine would not give is shown as it is; an agent without a
container whose repo is kept is shown as kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.agents import intent
from hivetui.engine.containers.container import UnitState
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.warnings import HiveWarning
from hivetui.engine.operations import launch
from hivetui.engine.proposals import queries

_ON_THE_WAY = {
    OperationKind.START: AgentState.STARTING,
    OperationKind.SPAWN: AgentState.STARTING,
    OperationKind.STOP: AgentState.STOPPING,
}


@dataclass(frozen=True)
class _Facts:
    """What was read once for all rows."""

    units: Mapping[str, UnitState]
    running: Mapping[str, Operation]
    warnings: Mapping[str, Sequence[HiveWarning]]
    base: str | None
    now: datetime


@dataclass(frozen=True)
class _Used:
    """The time on a processor that a container has used since it came up."""

    nanoseconds: int
    since: datetime | None


def _used(unit: UnitState) -> _Used | None:
    return None if unit.cpu_nanoseconds is None else _Used(unit.cpu_nanoseconds, unit.since)


class AgentList:
    """Makes the rows. It remembers the last sweep, so that the next can tell how busy each container was between."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._swept_at: datetime | None = None
        self._cpu: dict[str, _Used] = {}

    async def rows(self, units: Mapping[str, UnitState], warnings: Sequence[HiveWarning] = ()) -> tuple[Agent, ...]:
        """The manager first, then by name; kept ones last. `units` is a sweep that was made just now."""
        host = self._host
        running = {found.agent: found for found in launch.list_operations(host.paths, ended=False)}
        facts = _Facts(units, running, _by_agent(warnings), await repository.base_revision(host), host.clock())
        found = [await self._row(name, facts) for name in (*units, *_kept(host, units))]
        self._remember(facts)
        return tuple(sorted(found, key=_order))

    async def _row(self, container_name: str, facts: _Facts) -> Agent:
        unit = facts.units.get(container_name)
        name = names.agent_of(container_name)
        if name is None:
            return self._foreign(container_name, unit or UnitState(), facts)
        own = await _of_agent(self._host, name, facts)
        if unit is None:
            return own.model_copy(update={"state": AgentState.KEPT})
        return own.model_copy(update=self._of_unit(container_name, unit, facts) | _state(unit, facts.running.get(name)))

    def _foreign(self, container_name: str, unit: UnitState, facts: _Facts) -> Agent:
        row = Agent(
            name=container_name,
            container=container_name,
            manager=False,
            port=0,
            state=unit.state,
            warnings=tuple(facts.warnings.get(container_name, ())),
        )
        return row.model_copy(update=self._of_unit(container_name, unit, facts))

    def _of_unit(self, container_name: str, unit: UnitState, facts: _Facts) -> dict[str, object]:
        return {
            "memory_bytes": unit.memory_bytes,
            "tasks": unit.tasks,
            "since": unit.since,
            "cpu_percent": self._busy(container_name, unit, facts.now),
        }

    def _busy(self, container_name: str, unit: UnitState, now: datetime) -> float | None:
        """Percent of one core since the last sweep; None without one, or when the container was started anew."""
        before, after = self._cpu.get(container_name), _used(unit)
        if before is None or after is None or self._swept_at is None or before.since != after.since:
            return None
        seconds, used = (now - self._swept_at).total_seconds(), after.nanoseconds - before.nanoseconds
        return round(used / seconds / 1e7, 1) if seconds > 0 and used >= 0 else None

    def _remember(self, facts: _Facts) -> None:
        used = {name: _used(unit) for name, unit in facts.units.items()}
        self._cpu = {name: value for name, value in used.items() if value is not None}
        self._swept_at = facts.now


def _kept(host: Host, units: Mapping[str, UnitState]) -> list[str]:
    """The containers that agents would have whose applied repo is there and whose container is not."""
    folder = host.paths.applied
    found = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    containers = [names.container_of(name) for name in found if names.problem(name) is None]
    return [name for name in containers if name not in units]


async def _of_agent(host: Host, name: str, facts: _Facts) -> Agent:
    """What files tell of an agent."""
    operation = facts.running.get(name)
    row = Agent(
        name=name,
        container=names.container_of(name),
        manager=name == names.MANAGER,
        port=names.port_of(name),
        state=AgentState.STOPPED,
        operation=operation.id if operation else None,
        warnings=tuple(facts.warnings.get(name, ())),
    )
    with suppress(HiveError):  # a damaged repo is a warning of its own, and no reason to show no row
        return row.model_copy(update=await _of_repo(host, name, facts))
    return row


async def _of_repo(host: Host, name: str, facts: _Facts) -> dict[str, object]:
    deployment, commit = queries.running_deployment(host, name), AppliedRepo(host, name).main()
    return {
        "deployed": deployment.id if deployment else None,
        "deployed_commit": commit,
        "needs_update": intent.needs_update(intent.read(host.paths, name), commit, facts.base),
        "pending": tuple(waiting.id for waiting in await queries.list_proposals(host, agent=name)),
    }


def _state(unit: UnitState, operation: Operation | None) -> dict[str, AgentState]:
    """What the unit is; a stopped one that an operation is about to start is starting, and so on."""
    kind = operation.kind if operation else None
    settled = unit.state in (AgentState.STOPPED, AgentState.RUNNING)
    expected = _ON_THE_WAY.get(kind) if kind and settled else None
    stopped = unit.state is AgentState.STOPPED
    fits = expected is not None and stopped == (expected is AgentState.STARTING)
    return {"state": expected if fits and expected else unit.state}


def _by_agent(warnings: Sequence[HiveWarning]) -> Mapping[str, Sequence[HiveWarning]]:
    found: dict[str, list[HiveWarning]] = defaultdict(list)
    for warning in warnings:
        for agent in warning.agents:
            found[agent].append(warning)
    return found


def _order(agent: Agent) -> tuple[bool, bool, str]:
    return agent.state is AgentState.KEPT, not agent.manager, agent.name
