"""What needs a person, found in the changes of a hive: for the bell of a console, and for hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from hivetui.engine.api import Hive
from hivetui.engine.model import notices
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.notices import Notice
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalKind
from hivetui.engine.model.state import HiveChange, HiveSnapshot, StateUpdate
from hivetui.engine.model.warnings import HiveWarning

FINDINGS_SECONDS = 5.0
"""How long a new proposal waits for its findings, which may never be known: those of a damaged repo are not."""
DEAD_SECONDS = 60.0
"""An agent that dies again and again is reported so often, unless an operation was at work on it meanwhile."""
_KEPT_ENDS = 1000


class NoticeFinder:
    """Finds each notice once and passes it to `send`, in the event loop. What the first state has is none.

    Its work for a change depends on the change and not on the hive.
    """

    def __init__(self, hive: Hive, send: Callable[[Notice], None], findings_seconds: float = FINDINGS_SECONDS) -> None:
        self._hive, self._send, self._findings_seconds = hive, send, findings_seconds
        self._proposals: set[int] = set()
        self._operations: dict[int, Operation] = {}
        self._agents: set[str] = set()
        """The containers that are known; those of them that are dead, and when they died."""
        self._dead: set[str] = set()
        self._died_at: dict[str, float] = {}
        self._collisions: set[tuple[object, ...]] = set()
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self._ends: dict[int, None] = {}
        """The proposals whose end was found, the newest last."""
        self._asking: set[asyncio.Task[None]] = set()
        self._is_starting = True

    def take(self, update: StateUpdate) -> None:
        """Find what is new in the next update of `Hive.watch`, from this stream of it or the one after a loss."""
        change = update.change if update.snapshot is None else self._change_to(update.snapshot)
        if change is None:
            return
        self._take_operations(change.operations, change.operations_gone)
        self._take_proposals(change.proposals, change.proposals_gone)
        self._take_agents(change.agents, change.agents_gone)
        if change.warnings is not None:
            self._take_warnings(change.warnings)
        if change.problem is not None:  # a state in which something could not be read yet is not the first whole one
            self._is_starting = self._is_starting and bool(change.problem)

    def close(self) -> None:
        """Send nothing any more."""
        for handle in self._waiting.values():
            handle.cancel()
        for task in self._asking:
            task.cancel()

    def _change_to(self, snapshot: HiveSnapshot) -> HiveChange:
        """What leads from what is known to a new snapshot."""
        agents, proposals = {one.container for one in snapshot.agents}, {one.id for one in snapshot.proposals}
        operations = {one.id for one in snapshot.operations}
        return HiveChange(
            agents=snapshot.agents,
            agents_gone=tuple(self._agents - agents),
            proposals=snapshot.proposals,
            proposals_gone=tuple(self._proposals - proposals),
            operations=snapshot.operations,
            operations_gone=tuple(self._operations.keys() - operations),
            warnings=snapshot.warnings,
            problem=snapshot.problem,
        )

    def _found(self, notice: Notice) -> None:
        if not self._is_starting:
            self._send(notice)

    # -- proposals and their ends ------------------------------------------------------------------------------------

    def _take_proposals(self, changed: Iterable[Proposal], gone: Iterable[int]) -> None:
        for proposal in changed:
            if proposal.id not in self._proposals:
                self._proposals.add(proposal.id)
                self._announce_with_findings(proposal)
            elif proposal.id in self._waiting and proposal.findings is not None:
                self._announce(proposal)
        for number in gone:
            self._proposals.discard(number)
            if (handle := self._waiting.pop(number, None)) is not None:
                handle.cancel()
            if all(operation.proposal != number for operation in self._operations.values()):
                self._ask(self._find_end_of_proposal(number))

    def _announce_with_findings(self, proposal: Proposal) -> None:
        if proposal.kind is not ProposalKind.DEPLOY or proposal.findings is not None or self._is_starting:
            self._found(notices.of_proposal(proposal))
            return
        loop = asyncio.get_running_loop()
        self._waiting[proposal.id] = loop.call_later(self._findings_seconds, self._announce, proposal)

    def _announce(self, proposal: Proposal) -> None:
        self._waiting.pop(proposal.id).cancel()
        self._found(notices.of_proposal(proposal))

    def _take_operations(self, changed: Iterable[Operation], gone: Iterable[int]) -> None:
        self._operations |= {operation.id: operation for operation in changed}
        for number in gone:
            ended = self._operations.pop(number, None)
            if ended is not None and ended.proposal is not None and ended.kind is not OperationKind.PREVIEW:
                self._ask(self._find_end_of_operation(number))

    async def _find_end_of_operation(self, number: int) -> None:
        self._found_end(notices.of_ended_operation(await self._hive.operation(number)))

    async def _find_end_of_proposal(self, number: int) -> None:
        """A deploy of which no operation was seen was faster than the state, or was over when we were connected."""
        review = await self._hive.review(number)
        self._found_end(notices.of_decided_proposal(review.proposal))

    def _found_end(self, notice: Notice | None) -> None:
        if notice is None or notice.proposal is None or notice.proposal in self._ends:
            return
        self._ends[notice.proposal] = None
        while len(self._ends) > _KEPT_ENDS:
            del self._ends[next(iter(self._ends))]
        self._found(notice)

    def _ask(self, question: Coroutine[Any, Any, None]) -> None:
        """Ask the hive beside the stream; what it cannot tell is no notice."""

        async def ask() -> None:
            try:
                await question
            except HiveError:
                return

        if self._is_starting:
            question.close()
            return
        task = asyncio.get_running_loop().create_task(ask())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    # -- agents and ports --------------------------------------------------------------------------------------------

    def _take_agents(self, changed: Iterable[Agent], gone: Iterable[str]) -> None:
        for agent in changed:
            self._agents.add(agent.container)
            if agent.operation is not None:
                self._died_at.pop(agent.container, None)
            elif notices.is_dead(agent):
                self._take_dead(agent)
            elif agent.state in (AgentState.RUNNING, AgentState.STOPPED, AgentState.KEPT):
                self._dead.discard(agent.container)
        for container in gone:
            self._agents.discard(container)
            self._dead.discard(container)
            self._died_at.pop(container, None)

    def _take_dead(self, agent: Agent) -> None:
        if agent.container in self._dead:
            return
        self._dead.add(agent.container)
        now = asyncio.get_running_loop().time()
        if now - self._died_at.get(agent.container, -DEAD_SECONDS) >= DEAD_SECONDS:
            self._died_at[agent.container] = now
            self._found(notices.of_dead_agent(agent))

    def _take_warnings(self, warnings: Iterable[HiveWarning]) -> None:
        collisions = {(one.code, one.agents, one.port): one for one in warnings if notices.is_collision(one)}
        for key, warning in collisions.items():
            if key not in self._collisions:
                self._found(notices.of_collision(warning))
        self._collisions = set(collisions)
