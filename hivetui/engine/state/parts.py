"""The parts of a hive's state as they were last read, and the snapshot that they make.

A part is read by itself: what is read for a change of one agent does not depend on how many others there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping

from hivetui.engine.agents import agent_list, agent_rows
from hivetui.engine.agents.agent_rows import RepoFacts
from hivetui.engine.containers import units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.applied import applied_names
from hivetui.engine.host.host import Host
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.state import HiveSnapshot, agent_order
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from hivetui.engine.operations import store
from hivetui.engine.operations.directory import directory_of
from hivetui.engine.proposals import queries
from hivetui.engine.recovery import warnings
from hivetui.engine.recovery.warnings import Survey
from hivetui.engine.state.dirty import Dirty

_TRANSIENT = (WarningCode.DRIFT, WarningCode.HALF_MADE, WarningCode.AGENT_FAILED)
"""Warnings that an operation on the agent causes while it runs."""


class HiveParts:
    """What was last read of one hive."""

    def __init__(self, host: Host, unit_source: UnitSource) -> None:
        self._host, self._unit_source = host, unit_source
        self.units: dict[str, UnitState] = {}
        """The units of containers that exist, by container."""
        self._applied: set[str] = set()
        self._repos: dict[str, RepoFacts] = {}
        self._operations: dict[int, Operation] = {}
        self._busy: dict[str, Operation] = {}
        self._spawn_requests: tuple[Proposal, ...] = ()
        self._assessed: dict[int, tuple[Proposal, Proposal]] = {}
        """Pending proposals without and with their findings, which are looked for once for each."""
        self._base: str | None = None
        self._pinned: dict[str, str] = {}
        self._agent_warnings: dict[str, tuple[HiveWarning, ...]] = {}
        self._hive_warnings: tuple[HiveWarning, ...] = ()
        self.leftovers: tuple[HiveWarning, ...] = ()
        """What crashes left and nothing repairs here; shown from the next time that the warnings are read."""
        self._rows: dict[str, Agent] = {}
        """The rows of agents and other containers, by container."""
        self._reads: dict[str, int] = {}
        """How often each agent was read."""
        self.meta_reads = 0

    @property
    def agents(self) -> frozenset[str]:
        """The agents that have a container or an applied repo."""
        return frozenset(filter(None, map(names.agent_of, self.units))) | self._applied

    @property
    def running_operations(self) -> frozenset[int]:
        """The ids of operations that have not ended."""
        return frozenset(self._operations)

    def failed_agents(self) -> set[str]:
        """Those with a warning that they failed, which ends with time where an agent restarted often."""
        return {
            name
            for name, found in self._agent_warnings.items()
            if any(one.code is WarningCode.AGENT_FAILED for one in found)
        }

    def list_agents(self) -> frozenset[str]:
        """Every agent of which there is a trace on disk now."""
        return frozenset(agent_list.known_agents(self._host))

    def list_running_operations(self) -> frozenset[int]:
        """The ids of the operations that run by what is on disk now."""
        return frozenset(one.id for one in store.list_operations(self._host.paths, ended=False))

    def reads_of(self, name: str) -> int:
        """How often an agent was read."""
        return self._reads.get(name, 0)

    async def read(self, dirty: Dirty) -> None:
        """Read again what is dirty; what needs no program comes first.

        HiveError when systemd or meta cannot be read; what was read before that is kept.
        """
        agents, containers = set(dirty.agents), set(dirty.units)
        if dirty.everything:
            agents |= self._list_files()
        agents |= self._read_operations(self._list_operations() if dirty.everything else dirty.operations)
        if dirty.meta or dirty.everything:
            agents |= await self._read_meta()
        await self._read_repos(agents)
        if dirty.everything:
            containers |= {*self.units, *(found := await units.unit_states(self._host, self._unit_source))}
            await self._read_repos(self._take_units(containers, found) - agents)
            agents |= self.agents
        elif containers:
            changed = self._take_units(containers, await units.read_states(self._host, self._unit_source, containers))
            await self._read_repos(changed - agents)
            agents |= changed
        if agents or containers or dirty.hive:
            containers |= self._containers_of(self._read_warnings(agents))
            self._make_rows({*map(names.container_of, agents), *containers})

    def snapshot(self) -> HiveSnapshot:
        """All parts together, in the order in which they are shown."""
        found = (*self._hive_warnings, *(one for some in self._agent_warnings.values() for one in some))
        return HiveSnapshot(
            agents=tuple(sorted(self._rows.values(), key=agent_order)),
            proposals=tuple(self._with_findings(one) or one for one in self._pending()),
            operations=tuple(sorted(self._operations.values(), key=lambda one: -one.id)),
            warnings=warnings.sort_warnings(found),
        )

    def unassessed(self) -> list[Proposal]:
        """The pending proposals whose findings have not been looked for."""
        return [one for one in self._pending() if self._with_findings(one) is None]

    def take_findings(self, proposal: Proposal, assessed: Proposal) -> None:
        """Store a pending proposal with its findings, and forget those of decided ones."""
        known = {one.id for one in self._pending()}
        self._assessed = {number: both for number, both in self._assessed.items() if number in known}
        self._assessed[proposal.id] = (proposal, assessed)

    def _pending(self) -> list[Proposal]:
        pending = (proposal for repo in self._repos.values() for proposal in repo.pending)
        return sorted((*pending, *self._spawn_requests), key=lambda one: one.id)

    def _with_findings(self, proposal: Proposal) -> Proposal | None:
        """The same with findings; None where these were looked for in an earlier version of it, or not yet."""
        before, assessed = self._assessed.get(proposal.id, (None, None))
        return assessed if before == proposal else None

    def _list_files(self) -> set[str]:
        """Forget agents of which nothing is left; the agents that there are."""
        self._applied = set(applied_names(self._host))
        agents = {*self.agents, *self.list_agents()}
        for name in {*self._repos, *self._agent_warnings} - agents:
            self._repos.pop(name, None)
            self._agent_warnings.pop(name, None)
        return agents

    async def _read_meta(self) -> set[str]:
        """The agents for which something in meta has changed."""
        self.meta_reads += 1
        base, pinned = await repository.base_revision(self._host), await repository.pinned_commits(self._host)
        requests = await queries.list_spawn_requests(self._host)
        moved = {name for name in {*pinned, *self._pinned} if pinned.get(name) != self._pinned.get(name)}
        changed = self.agents if base != self._base else moved & self.agents
        self._base, self._pinned, self._spawn_requests = base, pinned, requests
        return set(changed)

    def _take_units(self, containers: Collection[str], found: Mapping[str, UnitState]) -> set[str]:
        """Store the units of these containers as they were found; the agents whose unit is another now."""
        changed = set()
        for container in containers:
            unit = found.get(container)
            unit = unit.without_usage().after(self.units.get(container)) if unit is not None else None
            if unit != self.units.get(container):
                changed.add(container)
            if unit is not None:
                self.units[container] = unit
            else:
                self.units.pop(container, None)
        return set(filter(None, map(names.agent_of, changed)))

    def _list_operations(self) -> set[int]:
        """The ids of the operations that run, and of those that ran when we last looked."""
        return {*self._operations, *self.list_running_operations()}

    def _read_operations(self, ids: Iterable[int]) -> set[str]:
        """The agents of operations that have changed."""
        agents = set()
        for number in ids:
            before = self._operations.pop(number, None)
            operation = store.load_state(directory_of(self._host.paths, number))
            if operation is not None and not operation.state.ended:
                self._operations[number] = operation
            if _without_progress(before) != _without_progress(operation):
                agents |= {one.agent for one in (before, operation) if one is not None}
        holding = (one for one in self._operations.values() if one.kind is not OperationKind.PREVIEW)
        self._busy = {one.agent: one for one in holding}
        return {name for name in agents if names.problem(name) is None}

    async def _read_repos(self, agents: Iterable[str]) -> None:
        for name in agents:
            self._reads[name] = self.reads_of(name) + 1
            if self._host.paths.applied_of(name).is_dir():
                self._applied.add(name)
                self._repos[name] = await agent_rows.read_repo(self._host, name, self._base)
            else:
                self._applied.discard(name)
                self._repos.pop(name, None)
            await asyncio.sleep(0)  # other clients of this process are served between two agents

    def _read_warnings(self, agents: Collection[str]) -> set[str]:
        """Read those of these agents and those that are shared; whose shared warnings have changed."""
        survey = Survey(
            host=self._host,
            containers=tuple(sorted(self.units)),
            agents=tuple(sorted(filter(None, map(names.agent_of, self.units)))),
            states=self.units,
            pinned=self._pinned,
        )
        before = self._hive_warnings
        self._hive_warnings = (*warnings.warnings_of_hive(survey), *self.leftovers)
        for name in agents:
            found = warnings.warnings_of_agent(survey, name)
            self._agent_warnings[name] = self._lasting(name, found)
        return {name for one in {*before} ^ {*self._hive_warnings} for name in one.agents}

    def _lasting(self, name: str, found: tuple[HiveWarning, ...]) -> tuple[HiveWarning, ...]:
        """Without those that the operation at work on the agent causes."""
        return tuple(one for one in found if one.code not in _TRANSIENT) if name in self._busy else found

    def _make_rows(self, containers: Iterable[str]) -> None:
        """The rows of these containers, also of agents that have none any more."""
        for container in containers:
            row = self._row(container)
            if row is None:
                self._rows.pop(container, None)
            elif row != self._rows.get(container):
                self._rows[container] = row

    def _containers_of(self, found: Iterable[str]) -> set[str]:
        """Warnings name agents, and containers that are not agents."""
        return {one if one in self.units else names.container_of(one) for one in found}

    def _row(self, container: str) -> Agent | None:
        name, unit = names.agent_of(container), self.units.get(container)
        warned = self._warnings_about(name or container)
        if name is None:
            return None if unit is None else _with_unit(agent_rows.foreign_row(container, warned), unit, None)
        operation = self._busy.get(name)
        row = agent_rows.base_row(name, operation, self._repos.get(name, RepoFacts()), warned)
        if unit is not None:
            return _with_unit(row, unit, operation)
        if name not in self._applied:
            return None
        return row.model_copy(update={"state": agent_rows.state_without_container(operation)})

    def _warnings_about(self, name: str) -> tuple[HiveWarning, ...]:
        shared = (one for one in self._hive_warnings if name in one.agents)
        return warnings.sort_warnings((*shared, *self._agent_warnings.get(name, ())))


def _without_progress(operation: Operation | None) -> Operation | None:
    """What of an operation its agent depends on: not how far a build has come, which changes all the time."""
    return operation and operation.model_copy(update={"progress": None})


def _with_unit(row: Agent, unit: UnitState, operation: Operation | None) -> Agent:
    """Without figures, which differ each time they are read."""
    return row.model_copy(update={"state": agent_rows.state_with_container(unit, operation), "since": unit.since})
