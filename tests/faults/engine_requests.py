"""What is asked of an engine that is killed meanwhile: a request of each verb that acts, and where the engine dies.

A request is prepared on the hive of one agent, made of the engine, and looked for in the hive afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hivetui.client.hive import OutcomeUnknown, RemoteHive
from hivetui.engine.hive import LocalHive
from hivetui.engine.meta import repository
from hivetui.engine.model.effect import EffectState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.new_base import new_base

VARIABLE = 'environment.variables.LEVEL = "two";'
SLOW = "lab.buildSeconds = 4;"
MARK = "ab" * 32
NOTE = "agent.nix:new:2:Why?"
_WORKER = (sys.executable, "-P", str(Path(__file__).with_name("killed_worker.py")))


class Request:
    """A request about one agent. `kind` is that of the operation which it starts, if it starts one."""

    kind: OperationKind | None = None

    def __init__(self, agent: EmbeddedAgent) -> None:
        self.agent, self.local = agent, LocalHive(agent.host, OPERATOR)
        self.new = agent.free_name()
        self._last = 0

    async def prepare(self) -> None:
        """Bring the hive to where the request can be made; an engine serves it meanwhile."""

    async def ask(self, hive: RemoteHive) -> object:
        """Make the request."""
        raise NotImplementedError

    async def is_done(self, hive: RemoteHive) -> bool:
        """Whether the hive is as the request wants it; by itself, that the operation has succeeded."""
        return [one.state for one in await self._begun()] == [OperationState.SUCCEEDED]

    async def settle(self) -> None:
        """What an operator does after it, before the invariants of a settled hive hold."""

    async def begin(self) -> None:
        """Prepare the request; what begins from now on is its doing."""
        await self.prepare()
        self._last = max((one.id for one in await self.local.operations(ended=True)), default=0)

    async def check(self, hive: RemoteHive, told: object) -> None:
        """Assert that what the client was told is so, and that nothing was done twice."""
        begun, is_done = await self._begun(), await self.is_done(hive)
        assert [one.kind for one in begun] in ([], [self.kind])
        if isinstance(told, OutcomeUnknown):
            return  # said of what may be asked for again, since it does no more than once
        if isinstance(told, HiveError):
            assert not is_done, told
            return
        if isinstance(told, Operation):
            assert [one.id for one in begun] == [told.id]
        was_given_up = [one.state for one in begun] == [OperationState.INTERRUPTED]
        assert is_done or was_given_up, (told, begun)

    async def _begun(self) -> tuple[Operation, ...]:
        return tuple(one for one in await self.local.operations(ended=True) if one.id > self._last)

    async def _proposals(self, name: str) -> list[Proposal]:
        return [one for one in await self.local.proposals(decided=True) if one.agent == name]


class OnProposal(Request):
    """A request about a pending proposal."""

    state: ProposalState
    """That of the proposal once it is done."""
    proposal: Proposal

    async def prepare(self) -> None:
        self.proposal = await self.local.submit(self.agent.name, self.agent.commit(VARIABLE))

    async def is_done(self, hive: RemoteHive) -> bool:
        (now,) = [one for one in await self._proposals(self.proposal.agent) if one.id == self.proposal.id]
        assert now.state in (self.state, ProposalState.PENDING, ProposalState.FAILED)
        return now.state is self.state


class Submit(Request):
    async def ask(self, hive: RemoteHive) -> object:
        return await hive.submit(self.agent.name, self.agent.commit(VARIABLE))

    async def is_done(self, hive: RemoteHive) -> bool:
        found = await self._proposals(self.agent.name)
        assert len(found) <= 1
        return bool(found)


class RequestSpawn(Request):
    async def ask(self, hive: RemoteHive) -> object:
        return await hive.request_spawn(self.new, "for a test")

    async def is_done(self, hive: RemoteHive) -> bool:
        found = await self._proposals(self.new)
        assert len(found) <= 1
        return bool(found)


class Retry(OnProposal):
    async def prepare(self) -> None:
        await super().prepare()
        await self.local.withdraw(self.proposal.id)

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.repropose(self.proposal.id)

    async def is_done(self, hive: RemoteHive) -> bool:
        found = [one for one in await self._proposals(self.agent.name) if one.retry_of == self.proposal.id]
        assert len(found) <= 1
        return bool(found)


class Deny(OnProposal):
    state = ProposalState.DENIED

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.deny(self.proposal.id, "not now", (NOTE,))


class Withdraw(OnProposal):
    state = ProposalState.WITHDRAWN

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.withdraw(self.proposal.id)


class KeepNotes(OnProposal):
    async def ask(self, hive: RemoteHive) -> object:
        return await hive.keep_notes(self.proposal.id, (NOTE,))

    async def is_done(self, hive: RemoteHive) -> bool:
        return [one.text for one in await hive.notes(self.proposal.id)] == ["Why?"]


class Mark(OnProposal):
    async def ask(self, hive: RemoteHive) -> object:
        await hive.mark_viewed(self.agent.name, MARK, True)
        return None

    async def is_done(self, hive: RemoteHive) -> bool:
        return MARK in await hive.viewed_marks(self.agent.name)


class Preview(OnProposal):
    kind = OperationKind.PREVIEW

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.preview(self.proposal.id)

    async def is_done(self, hive: RemoteHive) -> bool:
        return (await hive.effect(self.proposal.id)).state is EffectState.KNOWN


class Approve(OnProposal):
    kind, state = OperationKind.DEPLOY, ProposalState.DEPLOYED

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.approve(self.proposal.id, self.proposal.commit, self.proposal.base, "fine")


class ApproveEffect(Approve):
    effect: str | None = None

    async def prepare(self) -> None:
        await super().prepare()
        await self.agent.wait_for_end(await self.local.preview(self.proposal.id))
        self.effect = (await self.local.effect(self.proposal.id)).derivation
        assert self.effect is not None

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.approve(self.proposal.id, self.proposal.commit, self.proposal.base, effect=self.effect)


class ApproveSpawn(OnProposal):
    kind, state = OperationKind.DEPLOY, ProposalState.DEPLOYED

    async def prepare(self) -> None:
        self.proposal = await self.local.request_spawn(self.new)
        assert self.proposal.kind is ProposalKind.SPAWN

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.approve(self.proposal.id, None, None)


class Rollback(Request):
    kind = OperationKind.ROLLBACK

    async def prepare(self) -> None:
        number = await self.agent.submit_and_approve(VARIABLE)
        assert (await self.agent.run(OperationKind.DEPLOY, number)).state is OperationState.SUCCEEDED

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.rollback(self.agent.name, 0, "it was better before")

    async def is_done(self, hive: RemoteHive) -> bool:
        """What was given up on the way is no proposal that somebody could approve."""
        assert await self.local.proposals() == ()
        return await super().is_done(hive)


class Spawn(Request):
    kind = OperationKind.SPAWN

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.begin(OperationKind.SPAWN, self.new)


class Stop(Request):
    kind = OperationKind.STOP

    async def ask(self, hive: RemoteHive) -> object:
        assert self.kind is not None
        return await hive.begin(self.kind, self.agent.name)


class Start(Stop):
    kind = OperationKind.START

    async def prepare(self) -> None:
        await self.agent.run(OperationKind.STOP)


class Restart(Stop):
    kind = OperationKind.RESTART


class Rebuild(Stop):
    kind = OperationKind.REBUILD


class Destroy(Stop):
    kind = OperationKind.DESTROY


class Purge(Stop):
    kind = OperationKind.PURGE


class Cancel(Request):
    """A deploy is cancelled during its build."""

    deploy: Operation

    async def prepare(self) -> None:
        proposal = await self.local.submit(self.agent.name, self.agent.commit(SLOW))
        self.deploy = await self.local.approve(proposal.id, proposal.commit, proposal.base)

    async def ask(self, hive: RemoteHive) -> object:
        await hive.cancel(self.deploy.id)
        return None

    async def is_done(self, hive: RemoteHive) -> bool:
        return (await hive.operation(self.deploy.id)).state is OperationState.CANCELLED


class UpdateBase(Request):
    revision = ""

    async def prepare(self) -> None:
        self.revision = new_base(self.agent.host, 7)

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.update_base(self.revision)

    async def is_done(self, hive: RemoteHive) -> bool:
        return await repository.base_revision(self.agent.host) == self.revision

    async def settle(self) -> None:
        """Agents are outdated until they are built with it."""
        assert (await self.agent.run(OperationKind.REBUILD)).state is OperationState.SUCCEEDED


class Repair(Request):
    """A deploy whose worker has died, while the engine ran, is settled."""

    async def prepare(self) -> None:
        number = await self.agent.submit_and_approve(VARIABLE)
        environment = {**self.agent.host.environment, "KILL_AT": "after:switch"}
        doomed = replace(self.agent, host=replace(self.agent.host, worker=_WORKER, environment=environment))
        assert (await doomed.run(OperationKind.DEPLOY, number)).state is OperationState.INTERRUPTED

    async def ask(self, hive: RemoteHive) -> object:
        return await hive.repair()

    async def is_done(self, hive: RemoteHive) -> bool:
        return False

    async def check(self, hive: RemoteHive, told: object) -> None:
        """The next engine has repaired what this one had not; the invariants say whether it was settled."""
        assert isinstance(told, (OutcomeUnknown, tuple)) or "not carried out" in str(told), told


@dataclass(frozen=True)
class Row:
    """A request of one verb, and the points at which the engine is killed, as in `killed_engine`."""

    verb: str
    request: Callable[[EmbeddedAgent], Request]
    points: tuple[str, ...]
    variant: str = ""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.verb, self.variant)))


_REQUEST_WRITTEN, _RECORDED, _BEGUN = "replaced:4", "replaced:5", "synced:15"
"""Of an operation: its worker is told what to do, its record is there, its worker works and the client waits."""
_OF_A_TAG = ("after:hash-object:1", "after:mktag:1", "after:update-ref:1", "after:update-ref:2")
"""Of a decision: its record is written, its tag is, both have a name."""

ROWS = (
    Row("mark", Mark, ("replaced:1", "synced:5", "replaced:2")),
    Row(
        "submit",
        Submit,
        (
            *("replaced:1", "command:1", "command:3", "during:3", "command:6", "command:8", "replaced:2"),
            *("after:update-ref:1", "synced:15"),
        ),
    ),
    Row("preview", Preview, ("replaced:1", _RECORDED, _BEGUN)),
    Row("retry", Retry, ("replaced:2", "after:update-ref:1", "synced:12")),
    Row("request-spawn", RequestSpawn, ("replaced:2", "after:update-ref:1")),
    Row(
        "approve",
        Approve,
        (*("command:1", "during:6", "replaced:1", "replaced:3"), *_OF_A_TAG, "replaced:4", "replaced:5", "synced:29"),
    ),
    Row(
        "approve",
        ApproveEffect,
        ("during:11", "before:ssh-keygen:1", "after:update-ref:1", "after:update-ref:2", "synced:37"),
        "with an effect",
    ),
    Row("approve", ApproveSpawn, ("after:update-ref:1", "after:update-ref:2", "synced:29"), "of a spawn"),
    Row("deny", Deny, ("replaced:1", *_OF_A_TAG, "replaced:2")),
    Row("keep-notes", KeepNotes, ("replaced:1", "synced:5", "replaced:2")),
    Row("withdraw", Withdraw, ("replaced:1", *_OF_A_TAG)),
    Row(
        "rollback",
        Rollback,
        ("replaced:4", "after:update-ref:1", "after:update-ref:2", "after:update-ref:3", "replaced:6", "synced:37"),
    ),
    Row("spawn", Spawn, ("synced:6", _RECORDED, _BEGUN)),
    Row("start", Start, (_RECORDED, _BEGUN)),
    Row("stop", Stop, ("replaced:1", "synced:6", "replaced:3", _REQUEST_WRITTEN, _RECORDED, _BEGUN)),
    Row("restart", Restart, ("replaced:1", "replaced:3", _RECORDED, _BEGUN)),
    Row("rebuild", Rebuild, (_RECORDED, _BEGUN)),
    Row("destroy", Destroy, (_RECORDED, _BEGUN)),
    Row("destroy", Purge, (_RECORDED, _BEGUN), "with purge"),
    Row("cancel", Cancel, ("replaced:1", "synced:4", "replaced:2")),
    Row("update-base", UpdateBase, ("during:3", "replaced:4", "replaced:5", "before:commit:1", "after:commit:1")),
    Row("repair", Repair, ("replaced:2", "during:3", "replaced:5", "after:update-ref:1", "after:mktag:1")),
)
"""Of each verb that acts, where the engine dies during it: cheap ones at few points."""
