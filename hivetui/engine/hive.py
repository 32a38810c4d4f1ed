"""The engine in this process: the implementation of `interface.Hive` over one host.

It reads, plants a few tags, and starts operations; the work itself is done by their workers. Nothing is kept between
two calls but the last sweep, so any number of hives can be open on one host.
"""

from __future__ import annotations

import platform
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from hivetui import __version__
from hivetui.engine.agents import preconditions, spawn_advice
from hivetui.engine.agents.agent_list import AgentList
from hivetui.engine.containers import logs
from hivetui.engine.containers.container import UnitState
from hivetui.engine.events import event_stream
from hivetui.engine.host import locks, programs, system_host
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Entry, Operation, OperationKind, OperationRequest, Operator
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind
from hivetui.engine.model.review import Review
from hivetui.engine.model.settings import Settings
from hivetui.engine.model.warnings import Check, HiveWarning, Repair, WarningCode
from hivetui.engine.operations import launch
from hivetui.engine.proposals import claims, decide, queries, submit
from hivetui.engine.proposals.claims import Claim
from hivetui.engine.recovery import autostart, doctor
from hivetui.engine.recovery import repair as repairing
from hivetui.engine.recovery.warnings import find_warnings
from hivetui.engine.review import overview

_SHOWN_DEPLOYS = 20
_PASSING = (WarningCode.DRIFT, WarningCode.HALF_MADE)


class LocalHive:
    """The hive on a host, asked by one operator.

    `repairs` is what was settled when it was opened, `trouble` why not all of that could be done.
    """

    def __init__(self, host: Host, operator: Operator) -> None:
        self.host, self.operator = host, operator
        self.repairs: tuple[Repair, ...] = ()
        self.trouble: HiveError | None = None
        self._roster = AgentList(host)

    @property
    def description(self) -> HiveDescription:
        """Which hive this is."""
        root = str(self.host.paths.root)
        title = f"embedded hive in {root}" if self.host.embedded else platform.node()
        return HiveDescription(title=title, root=root, embedded=self.host.embedded, version=__version__)

    async def agents(self) -> tuple[Agent, ...]:
        """Every agent and its state, by one sweep; the manager first, then by name; kept ones last."""
        return await self._rows(self._roster)

    async def _rows(self, roster: AgentList) -> tuple[Agent, ...]:
        units = await preconditions.units(self.host)
        return await roster.rows(units, await self._warnings(units))

    async def agent(self, name: str) -> AgentDetail:
        """One agent with its places, mounts, limits and last deploys; NotFound."""
        row = next((row for row in await self.agents() if row.name == name), None)
        if row is None:
            names.check(name)
            raise preconditions.no_agent(name)
        return self._detail(row)

    def _detail(self, row: Agent) -> AgentDetail:
        ours = names.problem(row.name) is None and names.container_of(row.name) == row.container
        limits = self.host.settings.limits_of(row.name)
        return AgentDetail(
            agent=row,
            paths=preconditions.places_of(self.host.paths, row.name) if ours else {},
            mounts=self.host.paths.mounts(row.name) if ours else (),
            memory_max=limits.memory_max,
            cpu_quota=limits.cpu_quota,
            deployments=queries.list_deployments(self.host, row.name)[:_SHOWN_DEPLOYS] if ours else (),
        )

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        """What spawning `name` would mean; never raises for a bad name."""
        return spawn_advice.on(self.host, name)

    async def proposals(self, decided: bool = False, agent: str | None = None) -> tuple[Proposal, ...]:
        """What waits, oldest first; with `decided`, then what was decided, newest first."""
        return await queries.list_proposals(self.host, decided=decided, agent=agent)

    async def review(self, proposal: int, base: str | None = None) -> Review:
        """All of a review but the difference; against applied main unless another base is named."""
        return await overview.load_review(self.host, proposal, base)

    async def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The difference from commit `base` to the proposal, as git's unified diff, in chunks."""
        async with aclosing(
            overview.stream_difference(self.host, proposal, base, context, ignore_whitespace)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        """Pin a commit of the proposed repo (its main when None) as a proposal."""
        names.check(agent)
        programs.require(self.host, [self.host.tools.git])
        return await submit.submit(self.host, agent, commit, description, self.operator)

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        """A proposal of kind spawn."""
        return await submit.request_spawn(self.host, agent, description, self.operator)

    async def approve(
        self, proposal: int, commit: str | None, base: str | None, note: str = "", acknowledged: tuple[str, ...] = ()
    ) -> Operation:
        """Claim and start its deploy, or its spawn."""
        found = await queries.find_proposal(self.host, proposal)
        await preconditions.check_decision(self.host, found)

        async def claim() -> Claim:
            return await decide.approve(self.host, proposal, commit, base, self.operator, note, acknowledged)

        return await self._decided(found.agent, f"approve {proposal}", claim)

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        """Start a deploy of the commit of an earlier deployed proposal, under a new id."""
        await preconditions.check_deploy(self.host, names.check(agent))

        async def claim() -> Claim:
            return await decide.plan_rollback(self.host, agent, to, note, self.operator)

        return await self._decided(agent, f"roll back to {to}", claim)

    async def _decided(self, agent: str, holder: str, claim: Callable[[], Awaitable[Claim]]) -> Operation:
        """Claim under the agent's lock and hand both to an operation, which has its place before anything is claimed.

        A claim that cannot begin all the same is failed at once, or when the hive is opened the next time.
        """
        holder = f"{holder} by {self.operator.name}"
        lock = locks.acquire(locks.agent_lock(self.host.paths, agent), holder)
        claimed: Claim | None = None
        try:
            with launch.reserve(self.host.paths, holder) as place:
                claimed = await claim()
                return launch.start(self.host, self._request_of(claimed), lock, place)
        except HiveError as error:
            if claimed is not None:
                with suppress(HiveError):
                    await claims.mark_failed(self.host, agent, claimed.proposal, str(error))
            raise
        finally:
            lock.release()

    def _request_of(self, claim: Claim) -> OperationRequest:
        rolls_back = claim.kind is ProposalKind.ROLLBACK
        return OperationRequest(
            kind=OperationKind.ROLLBACK if rolls_back else OperationKind.DEPLOY,
            agent=claim.agent,
            operator=self.operator,
            proposal=claim.proposal,
            note=claim.note,
        )

    async def deny(self, proposal: int, note: str) -> Proposal:
        """Refuse a pending proposal, with a note."""
        return await decide.deny(self.host, proposal, note, self.operator)

    async def withdraw(self, proposal: int) -> Proposal:
        """Take a pending proposal back."""
        return await decide.withdraw(self.host, proposal, self.operator)

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        """Start spawn, start, stop, restart, rebuild, destroy or purge; Busy at once unless `wait`.

        What can be told cheaply is refused before an operation is made of it.
        """
        await preconditions.check(self.host, kind, agent)
        request = OperationRequest(kind=kind, agent=agent, operator=self.operator)
        if not wait:
            return launch.start(self.host, request)
        holder = f"{kind.value} of {agent} by {self.operator.name}"
        with await locks.wait_for(locks.agent_lock(self.host.paths, agent), holder) as lock:
            return launch.start(self.host, request, lock)

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        """What runs, newest first; with `ended`, also what ran."""
        return launch.list_operations(self.host.paths, ended)

    async def operation(self, operation: int) -> Operation:
        """One operation as it stands."""
        return launch.read(self.host.paths, operation)

    async def follow(self, operation: int, after: int = 0) -> AsyncGenerator[tuple[Entry, ...], None]:
        """The entries of an operation's record with a number above `after`, from the beginning until its end."""
        async for entries in launch.follow(self.host.paths, operation, after):
            yield entries

    async def cancel(self, operation: int) -> None:
        """End a running operation and its children."""
        launch.cancel(self.host.paths, operation)

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        """Every deploy, newest first, of one agent or all."""
        if agent is not None:
            preconditions.require_trace(self.host.paths, names.check(agent))
        return queries.list_deployments(self.host, agent)

    async def warnings(self) -> tuple[HiveWarning, ...]:
        """The standing warnings."""
        return await self._warnings(await preconditions.units(self.host))

    async def _warnings(self, units: Mapping[str, UnitState]) -> tuple[HiveWarning, ...]:
        """Without those about an agent that an operation is at work on: it is not as it will be."""
        busy = {found.agent for found in launch.list_operations(self.host.paths, ended=False)}
        found = await find_warnings(self.host, units)
        return tuple(row for row in found if row.code not in _PASSING or not busy.intersection(row.agents))

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        """Settle what earlier crashes left, and tell what was done."""
        if agent is not None:
            preconditions.require_trace(self.host.paths, names.check(agent))
        return await repairing.repair(self.host, agent, dry_run)

    async def doctor(self) -> tuple[Check, ...]:
        """Whether this host is fit."""
        return await doctor.run_checks(self.host)

    async def logs(self, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
        """Lines of the agents' logs merged by time, in batches."""
        for name in query.agents:
            preconditions.require_trace(self.host.paths, names.check(name))
        async with aclosing(logs.lines(self.host, query)) as lines:
            async for batch in lines:
                yield batch

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens from now on, by whichever process."""
        roster = AgentList(self.host)
        async with aclosing(event_stream.events(self.host, lambda: self._rows(roster))) as found:
            async for event in found:
                yield event

    async def close(self) -> None:
        """Nothing is held open; operations go on."""

    async def mend(self) -> None:
        """Settle what earlier engines left, and start what is meant to run after a reboot of the host.

        A failure is kept as `trouble`: a hive that cannot be repaired can still be looked at.
        """
        try:
            self.repairs = await repairing.repair(self.host)
            await autostart.start_after_reboot(self.host, self.operator)
        except HiveError as error:
            self.trouble = error


async def open_real(
    root: Path, settings: Settings, environment: Mapping[str, str], operator: Operator, mend: bool = True
) -> LocalHive:
    """The hive of this machine, every place of it under `root`; unless `mend`, nothing is changed by opening it."""
    return await open_hive(system_host.real_host(root, settings, environment), operator, mend)


async def open_hive(host: Host, operator: Operator, mend: bool = True) -> LocalHive:
    """The hive on this host; unless `mend`, nothing is changed by opening it."""
    hive = LocalHive(host, operator)
    if mend:
        await hive.mend()
    return hive
