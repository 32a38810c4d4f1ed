"""What needs a person is found once, in one state after another, also over a connection that was lost meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.findings import Finding, Severity
from hivetui.engine.model.notices import Notice, NoticeKind
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.state import HiveChange, HiveSnapshot, StateUpdate
from hivetui.engine.notices import NoticeFinder
from tests.visual import moment
from tests.visual.still_hive import StillHive

AGENT = next(agent for agent in moment.AGENTS if agent.state is AgentState.RUNNING and agent.operation is None)
FINDING = Finding(
    id="fetch@1:00", rule="fetch", severity=Severity.HIGH, file="a.nix", line=1, side="new", node=None,
    text="curl | sh", why="It runs what it downloads.",
)  # fmt: skip
WORST = FINDING.model_copy(update={"severity": Severity.CRITICAL, "rule": "root", "text": "a user of root's"})


@dataclass
class Watcher:
    """A finder, what it found, and the states that it is told of."""

    hive: StillHive = field(default_factory=StillHive)
    found: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.finder = NoticeFinder(self.hive, self.found.append, findings_seconds=0.01)

    def snapshot(self, **parts: Any) -> None:
        self.finder.take(StateUpdate(instance="one", seq=1, snapshot=HiveSnapshot(**parts)))

    def change(self, **parts: Any) -> None:
        self.finder.take(StateUpdate(instance="one", seq=2, change=HiveChange(**parts)))

    async def until(self, *kinds: NoticeKind) -> None:
        async with asyncio.timeout(20):
            while [one.kind for one in self.found] != [*kinds]:  # noqa: ASYNC110  (several are waited for)
                await asyncio.sleep(0.005)


def assessed(proposal: Proposal, *findings: Finding) -> Proposal:
    return proposal.model_copy(update={"findings": findings})


def of_proposal(proposal: int, state: OperationState = OperationState.RUNNING) -> Operation:
    return moment.RUNNING.model_copy(update={"id": 900, "proposal": proposal, "state": state, "agent": "iris"})


def with_state(state: AgentState, **more: Any) -> Agent:
    return AGENT.model_copy(update={"state": state, "warnings": ()} | more)


async def test_what_is_there_at_first_calls_nobody() -> None:
    watcher = Watcher()
    watcher.snapshot(proposals=moment.WAITING, warnings=moment.WARNINGS, agents=(with_state(AgentState.FAILED),))
    watcher.change(agents=(with_state(AgentState.FAILED, tasks=3),), warnings=moment.WARNINGS)
    await asyncio.sleep(0.03)
    assert watcher.found == []


async def test_a_state_that_is_not_whole_yet_is_not_the_first() -> None:
    watcher = Watcher()
    watcher.snapshot(problem="`systemctl show` has not ended for 2 s")
    watcher.change(proposals=(assessed(moment.SEARCH),), warnings=moment.WARNINGS, problem="")
    assert watcher.found == []
    watcher.change(proposals=(assessed(moment.MOVED),), problem="it hangs again")
    assert [one.proposal for one in watcher.found] == [moment.MOVED.id]


async def test_a_proposal_is_told_with_its_worst_finding_when_that_is_known_and_never_again() -> None:
    watcher = Watcher()
    watcher.finder = NoticeFinder(watcher.hive, watcher.found.append, findings_seconds=60)
    watcher.snapshot()
    watcher.change(proposals=(moment.SEARCH,))
    assert watcher.found == []
    watcher.change(proposals=(assessed(moment.SEARCH, FINDING, WORST),))
    watcher.change(proposals=(assessed(moment.SEARCH, FINDING),))
    (notice,) = watcher.found
    assert (notice.kind, notice.agent, notice.proposal) == (NoticeKind.PROPOSAL, moment.SEARCH.agent, moment.SEARCH.id)
    assert notice.text.endswith("[critical: root: a user of root's]")


async def test_a_proposal_whose_findings_cannot_be_known_is_told_without_them() -> None:
    watcher = Watcher()
    watcher.snapshot()
    watcher.change(proposals=(moment.SEARCH,))
    await watcher.until(NoticeKind.PROPOSAL)
    watcher.finder.close()


async def test_a_proposal_that_was_withdrawn_before_its_findings_were_known_calls_nobody() -> None:
    watcher = Watcher(StillHive(decided=(moment.SEARCH.model_copy(update={"state": ProposalState.WITHDRAWN}),)))
    watcher.snapshot()
    watcher.change(proposals=(moment.SEARCH,))
    watcher.change(proposals_gone=(moment.SEARCH.id,))
    await asyncio.sleep(0.03)
    assert watcher.found == []


async def test_a_deploy_is_told_at_its_end_once_and_a_cancelled_one_is_not() -> None:
    for state, kinds in (
        (OperationState.SUCCEEDED, [NoticeKind.DEPLOYED]),
        (OperationState.FAILED, [NoticeKind.FAILED]),
        (OperationState.INTERRUPTED, [NoticeKind.FAILED]),
        (OperationState.CANCELLED, []),
    ):
        watcher = Watcher(StillHive(ended=(of_proposal(moment.SEARCH.id, state),)))
        watcher.snapshot(proposals=(moment.SEARCH,))
        watcher.change(proposals_gone=(moment.SEARCH.id,), operations=(of_proposal(moment.SEARCH.id),))
        watcher.change(operations_gone=(900,))
        await watcher.until(*kinds)
        assert all((one.proposal, one.operation) == (moment.SEARCH.id, 900) for one in watcher.found)


async def test_a_deploy_that_failed_while_the_line_was_away_is_told_all_the_same() -> None:
    failed = moment.SEARCH.model_copy(update={"state": ProposalState.FAILED, "error": "no such\x1b[2J package\nmore"})
    watcher = Watcher(StillHive(decided=(failed,), waiting=()))
    watcher.snapshot(proposals=(moment.SEARCH,))
    watcher.snapshot()  # of the next connection
    await watcher.until(NoticeKind.FAILED)
    assert watcher.found[0].text == f"{failed.agent} #{failed.id} failed: no such‹U+001B›[2J package more"


async def test_a_death_is_told_once_also_of_an_agent_that_dies_again_and_again() -> None:
    watcher = Watcher()
    watcher.snapshot(agents=(with_state(AgentState.RUNNING),))
    for state in (AgentState.FAILED, AgentState.STARTING, AgentState.RUNNING, AgentState.FAILED):
        watcher.change(agents=(with_state(state),))
    assert [one.kind for one in watcher.found] == [NoticeKind.DIED]
    watcher.change(agents=(with_state(AgentState.STARTING, operation=7),))
    watcher.change(agents=(with_state(AgentState.RUNNING),))
    watcher.change(agents=(with_state(AgentState.FAILED),))
    assert [one.agent for one in watcher.found] == [AGENT.name, AGENT.name]


async def test_an_agent_that_an_operation_stops_and_starts_has_not_died() -> None:
    watcher = Watcher()
    watcher.snapshot(agents=(with_state(AgentState.RUNNING),))
    watcher.change(agents=(with_state(AgentState.FAILED, operation=7),))
    watcher.change(agents=(with_state(AgentState.RUNNING),))
    assert watcher.found == []


async def test_a_new_collision_is_told_and_other_warnings_are_not() -> None:
    watcher = Watcher()
    watcher.snapshot(warnings=(moment.DRIFT,))
    for warnings in (moment.WARNINGS, moment.WARNINGS[1:], moment.WARNINGS[:1]):
        watcher.change(warnings=warnings)
    assert [one.kind for one in watcher.found] == 2 * [NoticeKind.COLLISION]
    assert watcher.found[0].text == moment.COLLISION.text
