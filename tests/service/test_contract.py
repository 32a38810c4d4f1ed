"""The Hive protocol means the same in this process, over a child's socket pair and over the socket of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import pytest

from hivetui.engine.api import Hive
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadData, Busy, NotFound, TryAgain
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.records import Seen
from hivetui.engine.model.state import HiveSnapshot, StateUpdate, apply_change
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.engine.records import reading

SECONDS = 60.0


async def test_what_is_read_is_what_the_engine_itself_reads(hive: Hive, agent: EmbeddedAgent) -> None:
    local = LocalHive(agent.host, OPERATOR)
    proposal = await hive.submit(agent.name, agent.commit("  # \xe9\u202e\x1b[31m\n"), "Why\n\nNot")
    assert hive.description.model_copy(update={"host": None}) == local.description
    assert await hive.proposals(decided=True, files=True, findings=True) == await local.proposals(
        decided=True, files=True, findings=True
    )
    assert await hive.review(proposal.id) == await local.review(proposal.id)
    assert await hive.findings(proposal.id) == await local.findings(proposal.id)
    assert await hive.rules() == await local.rules()
    assert [one.proposal for one in await hive.queue()] == [proposal.id]
    assert await hive.queue() == await local.queue()
    assert await hive.history() == await local.history()
    assert await hive.operations(ended=True) == await local.operations(ended=True)
    assert await hive.spawn_advice("Bad_Name") == await local.spawn_advice("Bad_Name")
    assert [check.name for check in await hive.doctor()] == [check.name for check in await local.doctor()]
    mine, theirs = (await hive.agent(agent.name)), (await local.agent(agent.name))
    assert (mine.paths, mine.mounts, mine.deployments) == (theirs.paths, theirs.mounts, theirs.deployments)
    assert (await _difference(hive, proposal.id)) == (await _difference(local, proposal.id))


async def test_a_decision_is_made_followed_and_recorded(hive: Hive, agent: EmbeddedAgent) -> None:
    proposal = await hive.submit(agent.name, agent.commit("  environment.systemPackages = [ ];"))
    seen = Seen(blobs=("a" * 40,), hunks=("b" * 64,))
    operation = await hive.approve(proposal.id, proposal.commit, proposal.base, "fine", seen=seen, restart=True)
    entries = [entry async for batch in hive.follow(operation.id) for entry in batch]
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert (await hive.operation(operation.id)).state is OperationState.SUCCEEDED
    (decided,) = [one for one in await hive.proposals(decided=True) if one.id == proposal.id]
    assert (decided.state, decided.note) == (ProposalState.DEPLOYED, "fine")
    recorded = reading.predicate(agent.applied.git_dir, proposal.id)
    assert (recorded["seen"], recorded["restart"]) == (seen.model_dump(mode="json"), True)
    with pytest.raises(TryAgain):
        await hive.approve(proposal.id, proposal.commit, proposal.base)


async def test_refusals_are_the_same_errors(hive: Hive, agent: EmbeddedAgent) -> None:
    proposal = await hive.submit(agent.name, agent.commit("  # x\n"))
    with pytest.raises(NotFound) as unknown:
        await hive.agent("nobody")
    assert "nobody" in unknown.value.what
    assert unknown.value.fix
    with pytest.raises(NotFound):
        await hive.review(10**15)
    with pytest.raises(BadData):
        await hive.deny(proposal.id, "  ")
    with pytest.raises(NotFound):
        _ = [batch async for batch in hive.logs(LogQuery(agents=("nobody",)))]
    with acquire(agent_lock(agent.host.paths, agent.name), "a test"), pytest.raises(Busy):
        await hive.begin(OperationKind.STOP, agent.name)


async def test_notes_on_lines_are_kept_sent_with_the_denial_and_marked_in_what_follows(
    hive: Hive, agent: EmbeddedAgent
) -> None:
    (agent.host.paths.proposed(agent.name) / "a:1:b.nix").write_text("{ }\n")
    proposal = await hive.submit(agent.name, agent.commit("  # one\n  # two"))
    odd = LineNote(file="a:1:b.nix", first=1, last=1, text="Why \u202e?")
    assert await hive.keep_notes(proposal.id, ("agent.nix:new:2:Say more", odd)) == await hive.notes(proposal.id)
    assert odd in await hive.notes(proposal.id)
    with pytest.raises(BadData):
        await hive.deny(proposal.id, "No", ("agent.nix:new:99:x",))
    with pytest.raises(BadData):
        await hive.keep_notes(proposal.id, ("nothing.nix:new:1:x",))
    denied = await hive.deny(proposal.id, "No", ("agent.nix:new:3:And this",))
    assert [(one.lines, one.text) for one in denied.lines[1:]] == [("2", "Say more"), ("3", "And this")]
    assert await hive.notes(proposal.id) == ()
    following = await hive.submit(agent.name, agent.commit("  # one\n  # 2"))
    review = await hive.review(following.id, f"denied/{proposal.id}")
    assert review.proposal.base == proposal.commit
    assert review.previous is not None
    assert [one.mark.value for one in review.previous.lines] == ["untouched", "untouched", "touched"]
    assert review == await LocalHive(agent.host, OPERATOR).review(following.id, f"denied/{proposal.id}")


async def test_changes_follow_the_snapshot_without_gaps(hive: Hive, agent: EmbeddedAgent) -> None:
    updates = cast("AsyncGenerator[StateUpdate, None]", hive.watch())
    async with aclosing(updates):
        first = await asyncio.wait_for(anext(updates), SECONDS)
        assert first.snapshot is not None
        operation = await hive.begin(OperationKind.STOP, agent.name)
        seq, snapshot = first.seq, first.snapshot
        while not _has_stopped(snapshot, operation.id):
            update = await asyncio.wait_for(anext(updates), SECONDS)
            assert update.seq == seq + 1
            assert update.change is not None
            seq, snapshot = update.seq, apply_change(snapshot, update.change)
    resumed = cast("AsyncGenerator[StateUpdate, None]", hive.watch(first.seq, first.instance))
    async with aclosing(resumed):
        again = await asyncio.wait_for(anext(resumed), SECONDS)
        assert (again.seq, again.snapshot) == (first.seq + 1, None)


async def test_lines_of_a_log_come_while_they_are_written(hive: Hive, agent: EmbeddedAgent) -> None:
    lines = cast("AsyncGenerator[list[object], None]", hive.logs(LogQuery(agents=(agent.name,), follow=True)))
    async with aclosing(lines):
        batches = [await asyncio.wait_for(anext(lines), SECONDS) for _ in range(2)]
    assert all(batches)


def _has_stopped(snapshot: HiveSnapshot, operation: int) -> bool:
    states = {one.state for one in snapshot.agents}
    return states == {AgentState.STOPPED} and operation not in {one.id for one in snapshot.operations}


async def _difference(hive: Hive, number: int) -> bytes:
    proposal = (await hive.review(number)).proposal
    assert proposal.base is not None
    return b"".join([chunk async for chunk in hive.difference(number, proposal.base)])
