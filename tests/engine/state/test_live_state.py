"""The live state of a hive, on a real embedded hive: what each change tells, and that nothing is read for nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hivetui.engine import slow_program
from hivetui.engine.containers import nixos_container, units
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Command
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.state import Figures, HiveSnapshot, StateUpdate, apply_change
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from hivetui.engine.operations import launch
from hivetui.engine.operations.directory import directory_of
from hivetui.engine.proposals import decide, submit
from hivetui.engine.review.findings.assess import Assessor
from hivetui.engine.state.live_state import LiveState
from tests.conftest import OPERATOR
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from hivetui.engine.host.host import Completed, LineSink
    from tests.conftest import EmbeddedAgent

SOON = 20.0


class Reader:
    """Follows a hive's state as a client does."""

    def __init__(self, updates: AsyncIterator[StateUpdate]) -> None:
        self._updates = updates
        self.snapshot, self.seq, self.instance = HiveSnapshot(), 0, ""

    async def next(self) -> StateUpdate:
        update = await asyncio.wait_for(anext(self._updates), SOON)
        if update.snapshot is not None:
            self.snapshot = update.snapshot
        else:
            assert update.seq == self.seq + 1
            assert update.change is not None
            self.snapshot = apply_change(self.snapshot, update.change)
        self.seq, self.instance = update.seq, update.instance
        return update

    async def until(self, condition: Callable[[HiveSnapshot], object]) -> HiveSnapshot:
        async with asyncio.timeout(SOON):
            while not condition(self.snapshot):
                await self.next()
        return self.snapshot


@pytest.fixture
async def hive(agent: EmbeddedAgent) -> AsyncIterator[LocalHive]:
    opened = LocalHive(agent.host, OPERATOR)
    yield opened
    await opened.close()


@pytest.fixture
async def reader(hive: LocalHive) -> AsyncIterator[Reader]:
    async with aclosing(hive.watch()) as updates:
        found = Reader(updates)
        await found.until(lambda now: now.agents)
        yield found


async def test_the_first_update_is_a_snapshot_that_agrees_with_a_listing(hive: LocalHive, reader: Reader) -> None:
    figures = {"memory_bytes": None, "cpu_percent": None, "tasks": None}
    assert reader.snapshot.agents == tuple(one.model_copy(update=figures) for one in await hive.agents())
    assert reader.snapshot.problem == ""


async def test_a_proposal_comes_and_goes_as_it_is_submitted_and_denied(agent: EmbeddedAgent, reader: Reader) -> None:
    proposal = await submit.submit(agent.host, agent.name, agent.commit("lab.note = 1;"), "", OPERATOR)
    now = await reader.until(lambda now: now.proposals)
    assert [one.id for one in now.proposals] == [proposal.id]
    assert now.agents[0].pending == (proposal.id,)
    await decide.deny(agent.host, proposal.id, "no", OPERATOR)
    now = await reader.until(lambda now: not now.proposals)
    assert now.agents[0].pending == ()


async def test_a_proposal_is_told_at_once_and_its_findings_once_they_are_known(
    agent: EmbeddedAgent, reader: Reader
) -> None:
    proposal = await submit.submit(agent.host, agent.name, agent.commit("lab.note = 3;"), "", OPERATOR)
    now = await reader.until(lambda now: now.proposals)
    assert now.proposals[0].findings is None
    now = await reader.until(lambda now: now.proposals[0].findings is not None)
    listed = await LocalHive(agent.host, OPERATOR).proposals(findings=True)
    assert now.proposals == tuple(one.model_copy(update={"conflicts": None, "stales": None}) for one in listed)
    seq = reader.seq
    await decide.withdraw(agent.host, proposal.id, OPERATOR)
    await reader.until(lambda now: not now.proposals)
    assert reader.seq == seq + 1  # nothing was found out again


async def test_every_spawn_request_is_told_also_the_first_ever_and_those_after_it(
    hive: LocalHive, reader: Reader
) -> None:
    for count, name in enumerate(("wanda", "wim", "willy"), 1):
        await hive.request_spawn(name)
        await reader.until(lambda now, count=count: len(now.proposals) == count)  # type: ignore[misc]


async def test_an_agent_whose_process_is_killed_has_failed_at_once(agent: EmbeddedAgent, reader: Reader) -> None:
    pid = units.state_of(await units.unit_states(agent.host), agent.name).main_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    now = await reader.until(lambda now: now.agents[0].state is AgentState.FAILED)
    assert [one.code for one in now.warnings] == ["agent-failed"]


async def test_a_program_that_hangs_for_whatever_the_engine_does_is_told_and_makes_no_list_older(
    agent: EmbeddedAgent, reader: Reader
) -> None:
    hanging = asyncio.create_task(agent.host.runner.run(Command(("tail", "-f", os.devnull))))
    now = await reader.until(lambda now: now.waits_for)
    assert now.waits_for.startswith("`tail -f` has not ended for ")
    assert now.problem == ""
    hanging.cancel()
    await reader.until(lambda now: not now.waits_for)


async def test_a_program_that_hung_before_anybody_looked_is_named_too(agent: EmbeddedAgent, hive: LocalHive) -> None:
    begun = asyncio.Event()
    with slow_program.listening(begun.set):
        hanging = asyncio.create_task(agent.host.runner.run(Command(("tail", "-f", os.devnull))))
        await begun.wait()
    async with aclosing(hive.watch()) as updates:
        now = await Reader(updates).until(lambda now: now.waits_for)
    assert now.waits_for.startswith("`tail -f` has not ended for ")
    hanging.cancel()


def failures(now: HiveSnapshot) -> list[HiveWarning]:
    return [one for one in now.warnings if one.code is WarningCode.AGENT_FAILED]


def runs_after_restarts(now: HiveSnapshot) -> bool:
    """Between two restarts, when systemd does not say any more how it ended."""
    return now.agents[0].state is AgentState.RUNNING and any("again and again" in one.text for one in failures(now))


async def systemctl(agent: EmbeddedAgent, *words: str) -> None:
    assert (await agent.host.runner.run(units.systemctl(agent.host, *words))).status == 0


async def test_an_agent_that_ends_again_and_again_is_a_warning_with_reason_time_and_fix_until_it_is_stopped(
    agent: EmbeddedAgent, reader: Reader
) -> None:
    system = nixos_container.system_of(agent.host, agent.name)
    assert system is not None
    (system / "exit-seconds").write_text("0.3")  # what lab.exitSeconds writes
    await systemctl(agent, "restart", units.unit_of(agent.name))
    text = (
        r" restarts again and again, \d+ times so far, last at [-0-9]+ [:0-9]+ UTC: its container ended with an error"
    )
    now = await reader.until(runs_after_restarts)
    (found,) = failures(now)
    assert re.fullmatch(agent.name + text, found.text)
    assert found.fix == f"Read why: hivetui logs {agent.name}, then end it: hivetui stop {agent.name}"
    assert now.agents[0].warnings == now.warnings == (found,)
    await agent.run(OperationKind.STOP)
    now = await reader.until(lambda now: now.agents[0].state is AgentState.STOPPED and not now.operations)
    assert now.warnings == ()


async def test_an_agent_that_restarted_often_is_no_warning_any_more_when_it_has_settled(agent: EmbeddedAgent) -> None:
    system = nixos_container.system_of(agent.host, agent.name)
    assert system is not None
    exits, later = system / "exit-seconds", timedelta()
    exits.write_text("0.3")
    await systemctl(agent, "restart", units.unit_of(agent.name))
    host = replace(agent.host, clock=lambda: agent.host.clock() + later)
    assert host.unit_source is not None
    state = LiveState(host, host.unit_source(), Assessor(host), compare_seconds=0.5)
    async with aclosing(state.watch()) as updates:
        reader = Reader(updates)
        await reader.until(lambda now: now.agents and runs_after_restarts(now))
        exits.unlink()
        await until_it_stays(agent)
        assert failures(reader.snapshot)
        later = timedelta(hours=1)
        await reader.until(lambda now: now.agents[0].state is AgentState.RUNNING and not now.warnings)


async def until_it_stays(agent: EmbeddedAgent) -> None:
    """Wait until the unit has the same process for a second."""
    pid = None
    while (now := units.state_of(await units.unit_states(agent.host), agent.name).main_pid) != pid or now is None:
        pid = now
        await asyncio.sleep(1)


async def test_an_agent_that_does_not_come_up_is_a_warning_with_reason_time_and_fix(
    agent: EmbeddedAgent, reader: Reader
) -> None:
    system = nixos_container.system_of(agent.host, agent.name)
    assert system is not None
    (system / "broken").touch()  # as lab.broken does
    assert (await agent.run(OperationKind.RESTART)).state is OperationState.FAILED
    now = await reader.until(lambda now: now.agents[0].state is AgentState.FAILED and not now.operations)
    (found,) = now.warnings
    text = rf"{agent.name} failed at [-0-9]+ [:0-9]+ UTC: its container ended with an error"
    assert re.fullmatch(text, found.text)
    assert found.fix == f"Read why: hivetui logs {agent.name}, then: hivetui start {agent.name}"


async def test_an_agent_that_is_killed_for_its_memory_is_a_warning_with_reason_time_and_fix_until_it_runs(
    agent: EmbeddedAgent, reader: Reader
) -> None:
    limits = agent.host.paths.limits(agent.name)
    before = limits.read_text()
    limits.write_text("[Service]\nMemoryMax=1M\n")
    await systemctl(agent, "daemon-reload")
    now = await reader.until(lambda now: now.agents[0].state is AgentState.FAILED)
    (found,) = failures(now)
    assert re.fullmatch(rf"{agent.name} failed at [-0-9]+ [:0-9]+ UTC: it ran out of memory", found.text)
    assert f"Raise memory_max in [agents.{agent.name}.limits] of the settings" in found.fix
    limits.write_text(before)
    await agent.run(OperationKind.START)
    await reader.until(lambda now: not now.warnings and now.agents[0].state is AgentState.RUNNING)


async def test_an_operation_is_seen_from_its_start_to_its_end(agent: EmbeddedAgent, reader: Reader) -> None:
    running = asyncio.ensure_future(agent.run(OperationKind.RESTART))
    now = await reader.until(lambda now: now.operations)
    assert now.operations[0].kind is OperationKind.RESTART
    assert now.agents[0].operation == now.operations[0].id
    await running
    await reader.until(lambda now: not now.operations and now.agents[0].state is AgentState.RUNNING)


async def test_how_far_a_build_has_come_is_told_and_its_agent_is_not_read_for_it(
    agent: EmbeddedAgent, hive: LocalHive, reader: Reader
) -> None:
    running = asyncio.ensure_future(agent.run(OperationKind.REBUILD))
    now = await reader.until(lambda now: now.operations and now.operations[0].progress is not None)
    number = now.operations[0].id
    await reader.until(lambda now: not now.operations)
    await running
    progress = (await hive.operation(number)).progress
    assert progress is not None
    assert progress.ended_at is not None
    assert (progress.building, progress.errors) == (0, ())


async def test_an_operation_whose_worker_is_killed_does_not_seem_to_run(agent: EmbeddedAgent, reader: Reader) -> None:
    operation = launch.start(agent.host, agent.request(OperationKind.REBUILD))
    await reader.until(lambda now: now.operations and now.operations[0].step)
    os.kill(directory_of(agent.host.paths, operation.id).read_worker().pid, signal.SIGKILL)
    await reader.until(lambda now: not now.operations)


@pytest.mark.slow
async def test_a_destroyed_agent_is_kept_and_a_purged_one_is_gone(agent: EmbeddedAgent, reader: Reader) -> None:
    await agent.run(OperationKind.DESTROY)
    await reader.until(lambda now: now.agents[0].state is AgentState.KEPT)
    await agent.run(OperationKind.PURGE)
    await reader.until(lambda now: not now.agents)


async def test_a_new_agent_appears_while_it_is_spawned(agent: EmbeddedAgent, reader: Reader) -> None:
    other = replace(agent, name=agent.free_name())
    running = asyncio.ensure_future(other.run(OperationKind.SPAWN))
    await reader.until(lambda now: any(one.name == other.name for one in now.agents))
    await running
    now = await reader.until(lambda now: all(one.state is AgentState.RUNNING for one in now.agents))
    assert len(now.agents) == 2


async def test_a_configuration_edited_by_hand_is_a_warning(agent: EmbeddedAgent, reader: Reader) -> None:
    conf = agent.host.paths.conf(agent.name)
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    now = await reader.until(lambda now: now.warnings)
    assert [one.code for one in now.warnings] == ["drift"]
    assert now.agents[0].warnings == now.warnings


async def test_a_reader_who_was_away_gets_what_it_missed_and_one_from_another_engine_a_snapshot(
    agent: EmbeddedAgent, hive: LocalHive, reader: Reader
) -> None:
    seq, instance = reader.seq, reader.instance
    await submit.submit(agent.host, agent.name, agent.commit("lab.note = 2;"), "", OPERATOR)
    await reader.until(lambda now: now.proposals)
    async with aclosing(hive.watch(seq, instance)) as updates:
        missed = await asyncio.wait_for(anext(updates), SOON)
        assert (missed.seq, missed.snapshot) == (seq + 1, None)
    for known in ((seq, "another"), (seq + 1000, instance)):
        async with aclosing(hive.watch(*known)) as updates:
            assert (await asyncio.wait_for(anext(updates), SOON)).snapshot == reader.snapshot


class _Counting(WrappedRunner):
    """Counts the programs that are run."""

    count = 0

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        self.count += 1
        return await super().run(command, sink)


async def test_nothing_is_run_while_nothing_happens(agent: EmbeddedAgent) -> None:
    runner = _Counting(agent.host.runner)
    hive = LocalHive(replace(agent.host, runner=runner), OPERATOR)
    async with aclosing(hive.watch()) as updates:
        reader = Reader(updates)
        await reader.until(lambda now: now.agents)
        before = runner.count
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(updates), 3)
        assert runner.count == before
    await hive.close()


@pytest.mark.slow
async def test_figures_come_only_to_who_asks_and_from_files_that_stay_open(agent: EmbeddedAgent) -> None:
    runner = _Counting(agent.host.runner)
    hive = LocalHive(replace(agent.host, runner=runner), OPERATOR)
    async with aclosing(hive.figures()) as samples:
        (first,) = await asyncio.wait_for(anext(samples), SOON)
        assert first.container == f"h-{agent.name}"
        assert (first.memory_bytes or 0) > 1_000_000
        assert (first.tasks or 0) >= 1
        assert first.cpu_percent is None
        before = runner.count
        (second,) = await asyncio.wait_for(anext(samples), SOON)
        assert second.cpu_percent is not None
        assert runner.count == before
        await agent.run(OperationKind.STOP)
        (ended,) = await asyncio.wait_for(anext(samples), SOON)
        assert ended == Figures(container=first.container)
    await hive.close()
