"""The agents of a hive as rows, and one agent in detail.

All units are read with one call by the caller, everything else from files, so a listing of any number of agents starts
no process of its own. Listing never refuses: a container whose name the engine would not give gets a row too, and so
does an agent that was destroyed and whose data is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.agents import agent_list, intent
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.state import agent_order
from hivetui.engine.model.warnings import HiveWarning
from hivetui.engine.operations import store
from hivetui.engine.proposals import queries

_EXPECTED = {
    OperationKind.START: AgentState.STARTING,
    OperationKind.SPAWN: AgentState.STARTING,
    OperationKind.STOP: AgentState.STOPPING,
}
"""The state that a running operation is about to bring an agent to."""
_SHOWN_DEPLOYMENTS = 20


@dataclass(frozen=True)
class _Inputs:
    """What is read once for all rows. `base` is the revision of the base flake in meta's lock."""

    units: Mapping[str, UnitState]
    running: Mapping[str, Operation]
    warnings: Mapping[str, Sequence[HiveWarning]]
    base: str | None
    now: datetime


class AgentRows:
    """Builds the rows of the agent list. It remembers the CPU times of the last call, to compute each CPU share."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._built_at: datetime | None = None
        self._last_units: Mapping[str, UnitState] = {}

    async def build(self, units: Mapping[str, UnitState], warnings: Sequence[HiveWarning] = ()) -> tuple[Agent, ...]:
        """A row for each container in `units` (read just now) and each destroyed agent whose data is kept.

        Agents that failed come first, then the manager, then the others by name, destroyed agents last.
        """
        host = self.host
        operations = store.list_operations(host.paths, ended=False)
        running = {one.agent: one for one in operations if one.kind is not OperationKind.PREVIEW}
        base = await repository.base_revision(host)
        inputs = _Inputs(units, running, _by_agent(warnings), base, host.clock())
        rows = [await self._container_row(container, unit, inputs) for container, unit in units.items()]
        rows += [await self._destroyed_row(name, inputs) for name in agent_list.destroyed_agents(host, units)]
        self._built_at, self._last_units = inputs.now, units
        return tuple(sorted(rows, key=agent_order))

    async def _container_row(self, container: str, unit: UnitState, inputs: _Inputs) -> Agent:
        name = names.agent_of(container)
        if name is None:
            row = foreign_row(container, inputs.warnings.get(container, ()))
        else:
            row = await _agent_row(self.host, name, inputs)
        measured = {
            "state": state_with_container(unit, inputs.running.get(name) if name else None),
            "memory_bytes": unit.memory_bytes,
            "tasks": unit.tasks,
            "since": unit.since,
            "cpu_percent": self._cpu_percent(container, unit, inputs.now),
        }
        return row.model_copy(update=measured)

    async def _destroyed_row(self, name: str, inputs: _Inputs) -> Agent:
        row, operation = await _agent_row(self.host, name, inputs), inputs.running.get(name)
        return row.model_copy(update={"state": state_without_container(operation)})

    def _cpu_percent(self, container: str, unit: UnitState, now: datetime) -> float | None:
        """Percent of one core since the last call; None on the first, and when the container was started since."""
        last = self._last_units.get(container)
        if self._built_at is None or last is None or last.since != unit.since:
            return None
        if last.cpu_nanoseconds is None or unit.cpu_nanoseconds is None:
            return None
        seconds, used = (now - self._built_at).total_seconds(), unit.cpu_nanoseconds - last.cpu_nanoseconds
        return round(used / seconds / 1e7, 1) if seconds > 0 and used >= 0 else None


def load_detail(host: Host, row: Agent) -> AgentDetail:
    """A row with its paths, mounts, limits and newest deployments; a foreign container has only its limits."""
    is_agent = names.agent_of(row.container) == row.name
    limits = host.settings.limits_of(row.name)
    return AgentDetail(
        agent=row,
        paths=_paths_of(host.paths, row.name) if is_agent else {},
        mounts=host.paths.mounts(row.name) if is_agent else (),
        memory_max=limits.memory_max,
        cpu_quota=limits.cpu_quota,
        deployments=queries.list_deployments(host, row.name)[:_SHOWN_DEPLOYMENTS] if is_agent else (),
    )


def _paths_of(paths: Paths, name: str) -> dict[str, str]:
    """The paths of an agent by purpose; the keys are public, as part of the JSON output."""
    paths_by_purpose = {
        "proposed": paths.proposed(name),
        "applied": paths.applied_git(name),
        "credentials": paths.claude(name),
        "notes": paths.state(name),
        "runtime": paths.runtime_of(name),
        "configuration": paths.conf(name),
        "limits": paths.limits(name),
        "profile": paths.profile(name),
    }
    return {key: str(path) for key, path in paths_by_purpose.items()}


def foreign_row(container: str, warnings: Sequence[HiveWarning]) -> Agent:
    """The row of a container whose name the engine would not give, without what its unit says."""
    return Agent(
        name=container,
        container=container,
        manager=False,
        port=0,
        state=AgentState.STOPPED,
        warnings=tuple(warnings),
    )


async def _agent_row(host: Host, name: str, inputs: _Inputs) -> Agent:
    """The row of an agent without what its unit says."""
    repo = await read_repo(host, name, inputs.base)
    return base_row(name, inputs.running.get(name), repo, inputs.warnings.get(name, ()))


@dataclass(frozen=True)
class RepoFacts:
    """What the applied repo and the intent of an agent say: fields of its row, and its pending proposals."""

    deployed: int | None = None
    commit: str | None = None
    needs_update: bool = False
    pending: tuple[Proposal, ...] = ()


async def read_repo(host: Host, name: str, base: str | None) -> RepoFacts:
    """Read them; a damaged repo must not hide the agent, which then has a warning of its own."""
    with suppress(HiveError):
        deployment, commit = queries.running_deployment(host, name), AppliedRepo(host, name).main()
        return RepoFacts(
            deployed=deployment.id if deployment else None,
            commit=commit,
            needs_update=intent.needs_update(intent.read(host.paths, name), commit, base),
            pending=await queries.list_proposals(host, agent=name),
        )
    return RepoFacts()


def base_row(name: str, operation: Operation | None, repo: RepoFacts, warnings: Sequence[HiveWarning]) -> Agent:
    """The row of an agent without what its unit says."""
    return Agent(
        name=name,
        container=names.container_of(name),
        manager=name == names.MANAGER,
        port=names.port_of(name),
        state=AgentState.STOPPED,
        deployed=repo.deployed,
        deployed_commit=repo.commit,
        needs_update=repo.needs_update,
        pending=tuple(proposal.id for proposal in repo.pending),
        operation=operation.id if operation else None,
        warnings=tuple(warnings),
    )


def state_without_container(operation: Operation | None) -> AgentState:
    """The state of an agent without a container: it was destroyed, or is being spawned."""
    is_spawning = operation is not None and operation.kind is OperationKind.SPAWN
    return AgentState.STARTING if is_spawning else AgentState.KEPT


def state_with_container(unit: UnitState, operation: Operation | None) -> AgentState:
    """The state of the unit, or the one that a running operation is about to bring it to.

    An operation starts its container only after a build, which can take minutes: until then the unit is stopped.
    """
    expected = _EXPECTED.get(operation.kind) if operation else None
    if expected is AgentState.STARTING and unit.state is AgentState.STOPPED:
        return expected
    if expected is AgentState.STOPPING and unit.state is AgentState.RUNNING:
        return expected
    return unit.state


def _by_agent(warnings: Sequence[HiveWarning]) -> Mapping[str, Sequence[HiveWarning]]:
    grouped: dict[str, list[HiveWarning]] = defaultdict(list)
    for warning in warnings:
        for agent in warning.agents:
            grouped[agent].append(warning)
    return grouped
