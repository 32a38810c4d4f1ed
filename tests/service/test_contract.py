"""The Hive protocol means the same in this process, over a child's socket pair, the service's socket, and SSH."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest

from hivetui.engine import tool_messages
from hivetui.engine.api import Hive
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.meta import repository
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.effect import EffectState
from hivetui.engine.model.errors import BadData, Busy, NotFound, Stale, TryAgain, WrongUsage
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.records import Seen
from hivetui.engine.model.state import HiveSnapshot, StateUpdate, apply_change
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.engine.records import reading
from tests.free_names import free_name
from tests.new_base import new_base

SECONDS = 60.0
_SAMPLED = ("memory_bytes", "cpu_percent", "tasks")


def test_each_member_of_the_protocol_is_in_a_contract_test() -> None:
    """Every test here has the hive by each way to it in `hive`."""
    tree = ast.parse(Path(__file__).read_text())
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hive"
    }
    assert {name for name in vars(Hive) if not name.startswith("_")} - asked == set()


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
    assert await hive.warnings() == await local.warnings()
    assert (await hive.verify(agent.name)) == (await local.verify(agent.name))
    assert await hive.effect(proposal.id) == await local.effect(proposal.id)
    assert _still(await hive.agents()) == _still(await local.agents())
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


async def test_what_a_program_says_although_it_succeeds_is_told_with_whatever_it_was_run_for(
    hive: Hive, agent: EmbeddedAgent
) -> None:
    proposal = await hive.submit(agent.name, agent.commit("  # said\n"))
    info = agent.applied.git_dir / "objects/info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text("/nonexistent/objects\n")
    said = "git: error: unable to normalize alternate object path: /nonexistent/objects"
    heard: list[str] = []
    with tool_messages.heard_by(heard.append):
        assert (await hive.review(proposal.id)).tool_messages == (said,)
        await hive.viewed_marks(agent.name)
        assert heard == []
        await hive.deny(proposal.id, "no")
        assert heard == [said]


async def test_a_proposal_is_requested_withdrawn_and_made_again(hive: Hive, agent: EmbeddedAgent) -> None:
    wanted = free_name()
    requested = await hive.request_spawn(wanted, "to help")
    assert (requested.agent, requested.state, requested.description) == (wanted, ProposalState.PENDING, "to help")
    with pytest.raises(BadData):
        await hive.repropose(requested.id)  # it has not ended
    assert (await hive.withdraw(requested.id)).state is ProposalState.WITHDRAWN
    with pytest.raises(TryAgain):
        await hive.withdraw(requested.id)
    again = await hive.repropose(requested.id)
    assert (again.retry_of, again.agent, again.state) == (requested.id, wanted, ProposalState.PENDING)
    assert [one.id for one in await hive.proposals()] == [again.id]


async def test_marks_of_viewed_files_are_kept(hive: Hive, agent: EmbeddedAgent) -> None:
    first, second = "ab" * 32, "cd" * 32
    for mark in (first, second):
        await hive.mark_viewed(agent.name, mark, True)
    assert await hive.viewed_marks(agent.name) == {first, second}
    await hive.mark_viewed(agent.name, first, False)
    assert await hive.viewed_marks(agent.name) == {second}
    with pytest.raises(BadData):
        await hive.mark_viewed(agent.name, "no mark", True)


async def test_a_repair_is_planned_done_and_reported(hive: Hive, agent: EmbeddedAgent) -> None:
    assert hive.role == "decide"
    await hive.wait_for_repair()
    assert (hive.repairs, hive.repair_error) == ((), None)
    (agent.host.paths.work / "left-behind").mkdir(parents=True)
    planned = await hive.repair(dry_run=True)
    assert len(planned) == 1
    assert (agent.host.paths.work / "left-behind").exists()
    done = await hive.repair()
    assert [one.found for one in done] == [one.found for one in planned]
    assert await hive.repair(agent.name) == ()
    with pytest.raises(NotFound):
        await hive.repair("nobody")


async def test_figures_of_the_running_agents_come_at_once(hive: Hive, agent: EmbeddedAgent) -> None:
    figures = cast("AsyncGenerator[Any, None]", hive.figures())
    async with aclosing(figures):
        (first,) = await asyncio.wait_for(anext(figures), SECONDS)
    assert first.container == (await hive.agents())[0].container
    assert first.tasks >= 1


async def test_the_page_of_an_agent_can_be_opened_from_here(hive: Hive, agent: EmbeddedAgent) -> None:
    url = await hive.page_url(agent.name)
    page = await asyncio.to_thread(lambda: urlopen(url, timeout=SECONDS).read())
    assert agent.name.encode() in page
    with pytest.raises(BadData):
        await hive.page_url("No Name")


@pytest.mark.slow
async def test_what_a_proposal_would_do_is_found_out_approved_and_rolled_back(hive: Hive, agent: EmbeddedAgent) -> None:
    proposal = await hive.submit(agent.name, agent.commit('  environment.variables.LEVEL = "two";'))
    await _follow(hive, (await hive.preview(proposal.id)).id)
    effect = await hive.effect(proposal.id)
    assert effect.state is EffectState.KNOWN
    assert effect == await LocalHive(agent.host, OPERATOR).effect(proposal.id)
    bound = (proposal.id, proposal.commit, proposal.base)
    with pytest.raises(Stale):
        await hive.approve(*bound, effect="/nix/store/" + "0" * 32 + "-other.drv")
    await _follow(hive, (await hive.approve(*bound, effect=effect.derivation)).id)
    with pytest.raises(BadData):
        await hive.rollback(agent.name, proposal.id, "it runs already")
    back = await hive.rollback(agent.name, 0, "it was better")
    await _follow(hive, back.id)
    assert (await hive.operation(back.id)).state is OperationState.SUCCEEDED
    (newest, *_) = await hive.history(agent.name)
    assert (newest.id, newest.commit) == (back.proposal, proposal.base)
    assert (await hive.verify()).problems == ()


@pytest.mark.slow
async def test_an_operation_is_cancelled(hive: Hive, agent: EmbeddedAgent) -> None:
    operation = await hive.begin(OperationKind.SPAWN, free_name())
    await hive.cancel(operation.id)
    await _follow(hive, operation.id)
    assert (await hive.operation(operation.id)).state is OperationState.CANCELLED
    with pytest.raises(Stale):
        await hive.cancel(operation.id)
    with pytest.raises(WrongUsage):
        await hive.begin(OperationKind.DEPLOY, agent.name)


@pytest.mark.slow
async def test_an_operation_goes_on_when_the_hive_is_closed(hive: Hive, agent: EmbeddedAgent) -> None:
    operation = await hive.begin(OperationKind.REBUILD, agent.name)
    await hive.close()
    assert (await agent.wait_for_end(operation)).state is OperationState.SUCCEEDED


@pytest.mark.slow
async def test_the_base_flake_is_updated_and_says_who_is_outdated(hive: Hive, agent: EmbeddedAgent) -> None:
    old, new = await repository.base_revision(agent.host), new_base(agent.host, 7)
    update = await hive.update_base(new)
    assert (update.old, update.new, update.outdated) == (old, new, (agent.name,))
    with pytest.raises(BadData):
        await hive.update_base("no revision")


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


def _still(agents: tuple[Any, ...]) -> list[Any]:
    """The same without what is measured anew each time."""
    return [one.model_copy(update=dict.fromkeys(_SAMPLED)) for one in agents]


async def _follow(hive: Hive, operation: int) -> None:
    async for _ in hive.follow(operation):
        pass


async def _difference(hive: Hive, number: int) -> bytes:
    proposal = (await hive.review(number)).proposal
    assert proposal.base is not None
    return b"".join([chunk async for chunk in hive.difference(number, proposal.base)])
