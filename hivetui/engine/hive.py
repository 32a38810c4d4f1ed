"""The engine in this process: `LocalHive` implements the protocol `api.Hive` on one host.

It reads files, git repos and systemd, writes the tags of proposals, and starts operations, whose workers are processes
of their own. Between two calls it keeps only the CPU times of the last listing, so any number of hives, in any number
of processes, can be open on one host.
"""

# size: the protocol is one, since whoever asks a hive asks it through one object; its methods only delegate.

from __future__ import annotations

import asyncio
import copy
import platform
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui import __version__
from hivetui.engine import tool_messages
from hivetui.engine.agents import agent_list, meta_changes, preconditions, preview, spawn_advice
from hivetui.engine.agents.agent_rows import AgentRows, load_detail
from hivetui.engine.containers import logs
from hivetui.engine.containers.units import UnitState
from hivetui.engine.deploy.start import claim_and_start
from hivetui.engine.host import locks, programs, system_host
from hivetui.engine.host.host import Host
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model import names
from hivetui.engine.model.agents import Agent, AgentDetail, BaseUpdate, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.findings import Assessment, Finding, RuleInfo
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.operations import Entry, Operation, OperationKind, OperationRequest, Operator
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.records import EffectReference, GivenSignatures, RulesReference, Seen, Verification
from hivetui.engine.model.review import Review
from hivetui.engine.model.settings import ReviewSection, Settings
from hivetui.engine.model.state import Figures, StateUpdate
from hivetui.engine.model.warnings import Check, HiveWarning, Repair, WarningCode
from hivetui.engine.operations import launch, store
from hivetui.engine.proposals import decide, prepared, queries, retry, submit
from hivetui.engine.proposals.acknowledgement import require_acknowledged
from hivetui.engine.proposals.claims import Claim
from hivetui.engine.proposals.recording import Basis, Prepared
from hivetui.engine.records.signing import without_operator_key
from hivetui.engine.records.statements import Verdict
from hivetui.engine.recovery import autostart, doctor
from hivetui.engine.recovery.repair import repair as repair_host
from hivetui.engine.recovery.warnings import find_warnings, from_tool_messages, of_leftovers, sort_warnings
from hivetui.engine.review import denied_before, difference, note_drafts, overview, viewed
from hivetui.engine.review.effect.check import bind_effect
from hivetui.engine.review.findings.assess import Assessor, sort_by_severity
from hivetui.engine.review.queue import Queue, add_places
from hivetui.engine.verification.verify import verify

if TYPE_CHECKING:
    from hivetui.engine.state.live_state import LiveState

_TRANSIENT = (WarningCode.DRIFT, WarningCode.HALF_MADE, WarningCode.AGENT_FAILED)
"""Warnings that an operation on the agent causes while it runs."""


class LocalHive:
    """The hive on `host`, asked by `operator`. See `api.Hive` for what each method does, returns and raises."""

    def __init__(self, host: Host, operator: Operator, role: str = "decide") -> None:
        """With the role "look", opening and watching the hive changes nothing in it."""
        self.host, self.operator, self.role = host, operator, role
        self.repairs: tuple[Repair, ...] = ()
        self.repair_error: HiveError | None = None
        self._given: GivenSignatures | None = None
        self._agent_rows = AgentRows(host)
        self._assessor = Assessor(host, lambda proposal: preview.effect_of(host, proposal, ()))
        self._queue = Queue(host)
        self._marking = asyncio.Lock()  # marks are written in the order in which they were set

    def acting_for(self, operator: Operator) -> LocalHive:
        """This hive, with what it watches and remembers, asked by another operator, for whom no key here signs."""
        _ = self._live_state  # made before the copy, so that there is one
        other = copy.copy(self)
        other.operator, other.host = operator, without_operator_key(self.host)
        return other

    def with_signatures(self, given: GivenSignatures) -> LocalHive:
        """This hive for one decision, which its operator has signed as it was prepared."""
        other = copy.copy(self)
        other._given = given
        return other

    @property
    def instance(self) -> str:
        """What the numbers of `watch` belong to."""
        return self._live_state.instance

    @property
    def description(self) -> HiveDescription:
        """Which hive this is."""
        root = str(self.host.paths.root)
        title = f"embedded hive in {root}" if self.host.embedded else platform.node()
        return HiveDescription(title=title, root=root, embedded=self.host.embedded, version=__version__)

    async def agents(self) -> tuple[Agent, ...]:
        """Every agent and every other container of the host."""
        units = await self._unit_states()
        return await self._agent_rows.build(units, await _list_warnings(self.host, units))

    async def agent(self, name: str) -> AgentDetail:
        """One agent with its paths, mounts, limits and newest deployments."""
        row = next((row for row in await self.agents() if row.name == name), None)
        if row is None:
            raise agent_list.unknown_agent(names.check(name))
        return load_detail(self.host, row)

    async def page_url(self, agent: str) -> str:
        """Where the web page of an agent is seen."""
        return names.page_url(names.port_of(names.check(agent)))

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        """What spawning `name` would lead to."""
        return spawn_advice.advise(self.host, name)

    async def update_base(self, revision: str | None = None) -> BaseUpdate:
        """Lock the base flake at its newest revision, or at this one."""
        old, new = await meta_changes.update_base(self.host, revision, self.operator)
        outdated = tuple(agent.name for agent in await self.agents() if agent.needs_update)
        return BaseUpdate(old=old, new=new, outdated=outdated)

    async def proposals(
        self, decided: bool = False, agent: str | None = None, files: bool = False, findings: bool = False
    ) -> tuple[Proposal, ...]:
        """Pending proposals; with `decided`, then all others; with `files` and `findings`, what each changes."""
        found = await queries.list_proposals(self.host, decided=decided, agent=agent)
        if findings:
            found = sort_by_severity(await self._assessor.add_findings(found))
            found = add_places(found, await self.queue())
        if not files:
            return found
        running = store.list_operations(self.host.paths, ended=False)
        found = tuple(one.model_copy(update={"effect": preview.effect_of(self.host, one, running)}) for one in found)
        return await overview.add_files(self.host, found)

    async def queue(self) -> tuple[QueuePlace, ...]:
        """How the pending proposals stand to each other."""
        return await self._queue.places(await queries.list_proposals(self.host))

    async def review(self, proposal: int, base: str | None = None) -> Review:
        """What an operator reads before deciding, except for the difference."""
        review = await overview.load_review(self.host, proposal, base)
        return await denied_before.add_previous(self.host, review)

    async def notes(self, proposal: int) -> tuple[LineNote, ...]:
        """The notes on lines that this operator keeps for a denial."""
        return await note_drafts.load_notes(self.host, self.operator.name, proposal)

    async def keep_notes(self, proposal: int, notes: Sequence[GivenNote]) -> tuple[LineNote, ...]:
        """Keep these notes on lines until the proposal is decided."""
        arguments = (self.host, self.operator.name, proposal, notes, self.host.clock())
        async with self._marking:
            return await note_drafts.keep_notes(*arguments)

    async def findings(self, proposal: int, base: str | None = None) -> Assessment:
        """What the rules find in a proposal."""
        return await self._assessor.assess(await queries.find_proposal(self.host, proposal), base)

    async def effect(self, proposal: int) -> Effect:
        """What a proposal would do, as far as it is known."""
        found = await queries.find_proposal(self.host, proposal)
        running = store.list_operations(self.host.paths, ended=False)
        return await asyncio.to_thread(preview.effect_of, self.host, found, running)

    async def preview(self, proposal: int) -> Operation:
        """Start the operation that finds out what a pending proposal would do."""
        found = await queries.find_proposal(self.host, proposal)
        preconditions.require_tools(self.host, OperationKind.PREVIEW)
        return preview.start(self.host, found, self.operator)

    async def rules(self) -> tuple[RuleInfo, ...]:
        """The rules in force."""
        return self._assessor.rules.infos()

    async def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Stream git's unified diff from `base` to the proposal."""
        async with aclosing(
            difference.stream_difference(self.host, proposal, base, context, ignore_whitespace)
        ) as chunks:
            async for chunk in chunks:
                yield chunk

    async def viewed_marks(self, agent: str) -> frozenset[str]:
        """The marks that this operator has set on files of an agent's proposals."""
        arguments = (self.host.paths, self.operator.name, names.check(agent), self.host.clock())
        return await asyncio.to_thread(viewed.load_marks, *arguments)

    async def mark_viewed(self, agent: str, mark: str, is_viewed: bool) -> None:
        """Set a mark or remove it."""
        arguments = (self.host.paths, self.operator.name, names.check(agent), mark, is_viewed, self.host.clock())
        async with self._marking:
            await asyncio.to_thread(viewed.set_mark, *arguments)

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        """Pin a commit of the agent's proposed repo as a new pending proposal."""
        names.check(agent)
        programs.require(self.host, [self.host.tools.git])
        return self._preview_if_wanted(await submit.submit(self.host, agent, commit, description, self.operator))

    async def repropose(self, proposal: int) -> Proposal:
        """Make a new pending proposal of the commit of one that has ended."""
        return self._preview_if_wanted(await retry.repropose(self.host, proposal, self.operator))

    def _preview_if_wanted(self, proposal: Proposal) -> Proposal:
        """The same, after its preview has been started if the settings say so; without one it can be decided too."""
        if self.host.settings.review.preview == "always" and proposal.kind is ProposalKind.DEPLOY:
            with suppress(HiveError):
                preview.start(self.host, proposal, self.operator)
        return proposal

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        """Make a proposal to spawn a new agent."""
        return await submit.request_spawn(self.host, agent, description, self.operator)

    async def approve(
        self,
        proposal: int,
        commit: str | None,
        base: str | None,
        note: str = "",
        acknowledged: tuple[str, ...] = (),
        effect: str | None = None,
        seen: Seen | None = None,
        restart: bool = False,
    ) -> Operation:
        """Claim a pending proposal and start the operation that deploys it, or spawns the agent it asks for."""
        pending = await queries.find_proposal(self.host, proposal)
        await preconditions.check_decision(self.host, pending)
        basis = await self._approval_basis(pending, commit, base, acknowledged, effect)

        async def claim() -> Claim:
            reviewed = (proposal, commit, base, self.operator, note, acknowledged)
            return await decide.approve(self.host, *reviewed, *basis, seen, restart, self._given)

        return await claim_and_start(self.host, self.operator, pending.agent, f"approve {proposal}", claim)

    async def _approval_basis(
        self,
        pending: Proposal,
        commit: str | None,
        base: str | None,
        acknowledged: tuple[str, ...],
        effect: str | None,
        is_decided: bool = True,
    ) -> tuple[tuple[Finding, ...] | None, RulesReference | None, EffectReference | None, str | None]:
        """Findings, rules, effect, and the commit of meta that it was evaluated with."""
        found, rules = None, None
        if pending.kind is ProposalKind.DEPLOY:  # what a spawn or a rollback brings was reviewed before
            base = decide.require_reviewed(self.host, pending.id, commit, base)
            found, rules = (await self._assessor.assess(pending, base, effect)).findings, self._assessor.reference
            require_acknowledged(pending.id, found, acknowledged)  # before an evaluation, which takes longer
        shown, meta = await bind_effect(self.host, pending, base or "", effect, is_decided) or (None, None)
        return found, rules, shown, meta

    async def prepare_approval(
        self,
        proposal: int,
        commit: str | None,
        base: str | None,
        note: str,
        acknowledged: tuple[str, ...],
        effect: str | None,
        seen: Seen | None,
        restart: bool,
    ) -> Prepared:
        """What the operator is to sign of an approval; errors as for `approve`."""
        pending = await queries.find_proposal(self.host, proposal)
        reviewed = (pending, commit, base, acknowledged, effect)
        found, rules, shown, meta = await self._approval_basis(*reviewed, is_decided=False)
        basis = Basis(found, acknowledged, rules, shown, meta, seen=seen, restart=restart)
        return await prepared.prepare_approval(self.host, proposal, commit, base, self.operator, note, basis)

    async def prepare_rollback(self, agent: str, to: int, note: str) -> Prepared:
        """What the operator is to sign of a rollback; errors as for `rollback`."""
        return await prepared.prepare_rollback(self.host, names.check(agent), to, note, self.operator)

    async def prepare_refusal(self, verdict: Verdict, proposal: int, note: str, lines: Sequence[GivenNote]) -> Prepared:
        """What the operator is to sign of a denial or a withdrawal; errors as for these."""
        (pending,) = await self._assessor.add_findings([await queries.find_proposal(self.host, proposal)])
        basis = Basis(pending.findings, rules=self._assessor.reference)
        if verdict is Verdict.DENY:
            lines = (*lines, *await note_drafts.load_for_denial(self.host, self.operator.name, proposal))
        return await prepared.prepare_refusal(self.host, proposal, verdict, note, self.operator, basis, lines)

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        """Start a deploy, under a new proposal id, of the commit that was deployed as proposal `to`."""
        await preconditions.check_deploy(self.host, names.check(agent))

        async def claim() -> Claim:
            return await decide.approve_rollback(self.host, agent, to, note, self.operator, self._given)

        return await claim_and_start(self.host, self.operator, agent, f"roll back to {to}", claim)

    async def deny(self, proposal: int, note: str, lines: Sequence[GivenNote] = ()) -> Proposal:
        """Deny a pending proposal."""
        (pending,) = await self._assessor.add_findings([await queries.find_proposal(self.host, proposal)])
        kept = await note_drafts.load_for_denial(self.host, self.operator.name, proposal)
        basis = (pending.findings, self._assessor.reference, (*lines, *kept))
        denied = await decide.deny(self.host, proposal, note, self.operator, *basis, self._given)
        note_drafts.forget_draft(self.host.paths, self.operator.name, proposal, self.host.clock())
        return denied

    async def withdraw(self, proposal: int) -> Proposal:
        """Close a pending proposal without a decision."""
        (pending,) = await self._assessor.add_findings([await queries.find_proposal(self.host, proposal)])
        basis = (pending.findings, self._assessor.reference)
        return await decide.withdraw(self.host, proposal, self.operator, *basis, self._given)

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        """Start a spawn, start, stop, restart, rebuild, destroy or purge."""
        await preconditions.check(self.host, kind, agent)
        autostart.mark_new_hive(self.host.paths)
        request = OperationRequest(kind=kind, agent=agent, operator=self.operator)
        if not wait:
            return launch.start(self.host, request)
        holder = f"{kind.value} of {agent} by {self.operator.name}"
        with await locks.wait_for(locks.agent_lock(self.host.paths, agent), holder) as lock:
            return launch.start(self.host, request, lock)

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        """Running operations, newest first; with `ended`, also those that ended."""
        return store.list_operations(self.host.paths, ended)

    async def operation(self, operation: int) -> Operation:
        """The current state of one operation."""
        return store.read(self.host.paths, operation)

    async def follow(
        self, operation: int, after: int = 0, wait: bool = True
    ) -> AsyncGenerator[tuple[Entry, ...], None]:
        """Stream the entries of an operation's record whose number is above `after`."""
        async for entries in store.follow(self.host.paths, operation, after, wait):
            yield entries

    async def cancel(self, operation: int) -> None:
        """Ask a running operation to end itself and its child processes."""
        launch.cancel(self.host.paths, operation)

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        """Every deployment of one agent or of all, newest first."""
        if agent is not None:
            agent_list.require_agent(self.host.paths, names.check(agent))
        return queries.list_deployments(self.host, agent)

    async def warnings(self) -> tuple[HiveWarning, ...]:
        """Problems that the hive has now."""
        with tool_messages.collected() as messages:
            found = await _list_warnings(self.host, await self._unit_states())
            left = await self._find_leftovers() if self.role == "look" else ()
        return sort_warnings((*found, *left, *from_tool_messages(messages)))

    async def _find_leftovers(self) -> tuple[HiveWarning, ...]:
        return of_leftovers(await repair_host(self.host, dry_run=True))

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        """Repair what earlier crashes left behind, of one agent or of all."""
        if agent is not None:
            agent_list.require_agent(self.host.paths, names.check(agent))
        return await repair_host(self.host, agent, dry_run)

    async def wait_for_repair(self) -> None:
        """Who opens a hive in this process has waited for its repair."""

    async def repair_at_start(self) -> None:
        """Repair what earlier crashes left, and after a reboot start the agents that are meant to run.

        The outcome is in `repairs` and `repair_error`. With the role "look" nothing is done; the warnings say what is
        to be repaired.
        """
        if self.role == "look":
            return
        try:
            self.repairs = await repair_host(self.host)
            await autostart.start_after_reboot(self.host, self.operator)
        except HiveError as error:
            self.repair_error = error

    async def doctor(self) -> tuple[Check, ...]:
        """Check the host."""
        return await doctor.run_checks(self.host)

    async def verify(self, agent: str | None = None, signers: str | None = None) -> Verification:
        """Compare the history with the records of its decisions."""
        if agent is not None:
            agent_list.require_agent(self.host.paths, names.check(agent))
        return await verify(self.host, agent, signers, remember=self.role != "look")

    async def logs(
        self, query: LogQuery, begin_new: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[list[LogLine], None]:
        """Stream the log lines of some agents, merged by time. `begin_new` is called between old lines and new ones."""
        for name in query.agents:
            agent_list.require_agent(self.host.paths, names.check(name))
        async with aclosing(logs.stream_lines(self.host, query, begin_new)) as lines:
            async for batch in lines:
                yield batch

    async def watch(self, after: int | None = None, instance: str | None = None) -> AsyncGenerator[StateUpdate, None]:
        """Stream the state of the hive, and from then on its changes."""
        async with aclosing(self._live_state.watch(after, instance)) as updates:
            async for update in updates:
                yield update

    async def figures(self) -> AsyncGenerator[tuple[Figures, ...], None]:
        """Stream what the containers use."""
        async with aclosing(self._live_state.figures()) as samples:
            async for figures in samples:
                yield figures

    async def close(self) -> None:
        """Stop watching the hive; running operations go on."""
        if "_live_state" in self.__dict__:
            await self._live_state.close()

    async def _unit_states(self) -> Mapping[str, UnitState]:
        """The units; without a process for them where the hive is served, and its units may be followed already."""
        is_served = "_live_state" in self.__dict__
        return await preconditions.unit_states(self.host, self._unit_source if is_served else None)

    @cached_property
    def _unit_source(self) -> UnitSource:
        make = self.host.unit_source
        return make() if make is not None else _systemd_units()

    @cached_property
    def _live_state(self) -> LiveState:
        from hivetui.engine.state.live_state import LiveState  # most verbs watch nothing

        find_leftovers = self._find_leftovers if self.role == "look" else None
        return LiveState(self.host, self._unit_source, self._assessor, find_leftovers=find_leftovers)


def _systemd_units() -> UnitSource:
    from hivetui.engine.containers.systemd_bus import SystemdUnits  # D-Bus is loaded by those who watch

    return SystemdUnits()


async def _list_warnings(host: Host, units: Mapping[str, UnitState]) -> tuple[HiveWarning, ...]:
    """The warnings, without the transient ones about an agent on which an operation runs."""
    running = store.list_operations(host.paths, ended=False)
    busy = {operation.agent for operation in running if operation.kind is not OperationKind.PREVIEW}
    warnings = await find_warnings(host, units)
    return tuple(warning for warning in warnings if warning.code not in _TRANSIENT or busy.isdisjoint(warning.agents))


async def open_system_hive(
    root: Path,
    settings: Settings,
    environment: Mapping[str, str],
    operator: Operator,
    repair: bool = True,
    role: str = "decide",
) -> LocalHive:
    """Open the hive of this machine, with every path of it under `root`; `repair` and `role` as in `open_hive`."""
    return await open_hive(system_host.real_host(root, settings, environment), operator, repair, role)


async def open_hive(host: Host, operator: Operator, repair: bool = True, role: str = "decide") -> LocalHive:
    """Open the hive on this host.

    With `repair`, what earlier crashes left is repaired, and after a reboot of the host the agents that are meant to
    run are started. Should that fail, the reason is in `repair_error`, and the hive can be read all the same. Without
    `repair`, or with the role "look", opening changes nothing.
    """
    hive = LocalHive(host, operator, role)
    if host.settings.review != ReviewSection():
        await hive.rules()  # wrong rules are refused here, before anything is done by them
    if repair:
        await hive.repair_at_start()
    return hive
