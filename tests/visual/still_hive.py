"""A hive in which nothing happens, for pictures only: every answer is a value of `moment`, and nothing can be done.

What a hive does is tested on a real one elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakSet

from textual.worker import NoActiveWorker, Worker, get_current_worker

from hivetui.engine.model.agents import Agent, AgentDetail, BaseUpdate, SpawnAdvice
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import HiveError, NotAllowed, NotFound
from hivetui.engine.model.findings import Assessment, Finding, RuleInfo
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.operations import Entry, Operation, OperationKind
from hivetui.engine.model.proposals import Deployment, Proposal
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.records import Seen, Verification
from hivetui.engine.model.review import Review
from hivetui.engine.model.state import Figures, HiveSnapshot, StateUpdate
from hivetui.engine.model.warnings import Check, HiveWarning, Repair

from . import moment

LOG_LINES = 60


@dataclass(frozen=True)
class StillHive:
    """A hive that stands still. What differs between pictures is given to its constructor."""

    description: HiveDescription = moment.DESCRIPTION
    role: str = "decide"
    repairs: tuple[Repair, ...] = ()
    repair_error: HiveError | None = None
    its_agents: tuple[Agent, ...] = moment.AGENTS
    waiting: tuple[Proposal, ...] = moment.WAITING
    decided: tuple[Proposal, ...] = moment.DECIDED
    running: tuple[Operation, ...] = (moment.RUNNING,)
    ended: tuple[Operation, ...] = moment.ENDED
    deploys: tuple[Deployment, ...] = moment.HISTORY
    wrong: tuple[HiveWarning, ...] = moment.WARNINGS
    found: Mapping[int, tuple[Finding, ...]] = field(default_factory=dict)
    effects: Mapping[int, Effect] = field(default_factory=dict)
    reviews: Mapping[int, Review] = field(default_factory=dict)
    patches: Mapping[int, bytes] = field(default_factory=dict)
    queued: tuple[QueuePlace, ...] = ()
    noted: Mapping[int, tuple[LineNote, ...]] = field(default_factory=dict)
    said: tuple[str, ...] = field(default=())
    """What every line of every log and of every operation's output says, instead of the usual."""

    async def agents(self) -> tuple[Agent, ...]:
        return self.its_agents

    async def agent(self, name: str) -> AgentDetail:
        return moment.detail_of(next(one for one in self.its_agents if one.name == name))

    async def page_url(self, agent: str) -> str:
        return f"http://127.0.0.1:{next(one.port for one in self.its_agents if one.name == agent)}/"

    async def spawn_advice(self, name: str) -> SpawnAdvice:
        return moment.advice_on(name)

    async def proposals(
        self, decided: bool = False, agent: str | None = None, files: bool = False, findings: bool = False
    ) -> tuple[Proposal, ...]:
        rows = (*self.waiting, *self.decided) if decided else self.waiting
        return tuple(one for one in rows if agent in (None, one.agent))

    async def review(self, proposal: int, base: str | None = None) -> Review:
        if proposal in self.reviews:
            return self.reviews[proposal]
        rows = await self.proposals(decided=True)
        review = moment.review_of(next(one for one in rows if one.id == proposal))
        return review.model_copy(update={"message": "\n".join(self.said)}) if self.said else review

    async def difference(
        self, proposal: int, base: str, context: int = 3, ignore_whitespace: bool = False
    ) -> AsyncGenerator[bytes, None]:
        yield self.patches[proposal] if proposal in self.patches else moment.difference(self.said)

    async def viewed_marks(self, agent: str) -> frozenset[str]:
        return frozenset()

    async def mark_viewed(self, agent: str, mark: str, is_viewed: bool) -> None:
        """Nothing is kept."""

    async def queue(self) -> tuple[QueuePlace, ...]:
        return self.queued

    async def notes(self, proposal: int) -> tuple[LineNote, ...]:
        return self.noted.get(proposal, ())

    async def keep_notes(self, proposal: int, notes: tuple[GivenNote, ...]) -> tuple[LineNote, ...]:
        raise _STILL

    async def submit(self, agent: str, commit: str | None = None, description: str = "") -> Proposal:
        raise _STILL

    async def repropose(self, proposal: int) -> Proposal:
        raise _STILL

    async def request_spawn(self, agent: str, description: str = "") -> Proposal:
        raise _STILL

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
        raise _STILL

    async def findings(self, proposal: int, base: str | None = None) -> Assessment:
        return Assessment(findings=self.found.get(proposal, ()), ran=70)

    async def effect(self, proposal: int) -> Effect:
        return self.effects.get(proposal, Effect())

    async def preview(self, proposal: int) -> Operation:
        raise _STILL

    async def rules(self) -> tuple[RuleInfo, ...]:
        return ()

    async def deny(self, proposal: int, note: str, lines: tuple[GivenNote, ...] = ()) -> Proposal:
        raise _STILL

    async def withdraw(self, proposal: int) -> Proposal:
        raise _STILL

    async def rollback(self, agent: str, to: int, note: str) -> Operation:
        raise _STILL

    async def begin(self, kind: OperationKind, agent: str, wait: bool = False) -> Operation:
        raise _STILL

    async def operations(self, ended: bool = False) -> tuple[Operation, ...]:
        return (*self.running, *self.ended) if ended else self.running

    async def operation(self, operation: int) -> Operation:
        found = next((one for one in await self.operations(ended=True) if one.id == operation), None)
        if found is None:
            raise NotFound(f"there is no operation {operation}")
        return found

    async def follow(self, operation: int, after: int = 0, wait: bool = True) -> AsyncIterator[tuple[Entry, ...]]:
        one = await self.operation(operation)
        record = moment.record_of(one)
        if self.said:
            record = tuple(entry.model_copy(update={"text": self._text(entry.number)}) for entry in record)
        yield record
        if not one.state.ended:
            await wait_for_ever()

    async def cancel(self, operation: int) -> None:
        raise _STILL

    async def history(self, agent: str | None = None) -> tuple[Deployment, ...]:
        return tuple(one for one in self.deploys if agent in (None, one.agent))

    async def wait_for_repair(self) -> None:
        """It was made whole."""

    async def warnings(self) -> tuple[HiveWarning, ...]:
        return self.wrong

    async def repair(self, agent: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
        raise _STILL

    async def update_base(self, revision: str | None = None) -> BaseUpdate:
        raise _STILL

    async def verify(self, agent: str | None = None, signers: str | None = None) -> Verification:
        return Verification(checked=0)

    async def doctor(self) -> tuple[Check, ...]:
        return ()

    async def logs(self, query: LogQuery) -> AsyncIterator[list[LogLine]]:
        rows = moment.log_of(query.agents, min(query.lines or LOG_LINES, LOG_LINES)) if query.agents else []
        yield [row._replace(text=self._text(at)) for at, row in enumerate(rows)] if self.said else rows
        if query.follow:
            await wait_for_ever()

    async def watch(self, after: int | None = None, instance: str | None = None) -> AsyncIterator[StateUpdate]:
        now = HiveSnapshot(agents=self.its_agents, proposals=self.waiting, operations=self.running, warnings=self.wrong)
        yield StateUpdate(instance="still", seq=1, snapshot=now)
        await wait_for_ever()

    async def figures(self) -> AsyncIterator[tuple[Figures, ...]]:
        """Those of the agents are in their rows."""
        await wait_for_ever()
        raise AssertionError
        yield

    async def close(self) -> None:
        """Nothing is open."""

    def _text(self, number: int) -> str:
        return self.said[number % len(self.said)]


_STILL = NotAllowed("This hive stands still", "It is only there to be looked at", "Try: hivetui demo")


WAITING_FOR_EVER: WeakSet[Worker[object]] = WeakSet()
"""The workers that have read a stream to where nothing comes any more, themselves or in a task of theirs."""


async def wait_for_ever() -> None:
    with suppress(NoActiveWorker):
        WAITING_FOR_EVER.add(get_current_worker())
    await asyncio.Event().wait()
