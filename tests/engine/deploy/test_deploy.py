"""The nine steps of a deploy on an embedded hive, by real workers: what each changes, and what a failure restores."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.agents import intent
from hivetui.engine.containers import nixos_container, ports, units
from hivetui.engine.deploy import deploy, settle, steps
from hivetui.engine.deploy.steps import DeployRun
from hivetui.engine.host.host import Command, Completed, LineSink
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, Busy, CommandFailed
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import EntryKind, Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.operations import store
from hivetui.engine.proposals import claims, decide, queries, submit
from hivetui.engine.recovery.repair import repair
from tests.conftest import OPERATOR
from tests.event_log import last_events
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent

DEPLOY = OperationKind.DEPLOY
VARIABLE = 'environment.variables.LEVEL = "two";'
SAME = "# the same system"


async def test_a_deploy_moves_profile_meta_and_main(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await agent.state(number) is ProposalState.DEPLOYED
    system = nixos_container.system_of(agent.host, agent.name)
    assert system is not None
    assert "LEVEL=two" in (system / "env").read_text()
    assert str(number) in (await repository.log(agent.host))[0].message
    await agent.check_invariants()


async def test_a_candidate_that_does_not_build_touches_nothing(agent: EmbeddedAgent) -> None:
    before = nixos_container.system_of(agent.host, agent.name), agent.applied.main(), await repository.head(agent.host)
    pid = (await units.unit_states(agent.host))[f"h-{agent.name}"].main_pid
    number = await agent.submit_and_approve('lab.fail = "no such library";')
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.FAILED
    assert "no such library" in ((await queries.find_proposal(agent.host, number)).error or "")
    assert before == (
        nixos_container.system_of(agent.host, agent.name),
        agent.applied.main(),
        await repository.head(agent.host),
    )
    assert (await units.unit_states(agent.host))[f"h-{agent.name}"].main_pid == pid
    await agent.check_invariants()


async def test_the_previous_system_is_restored_when_the_new_one_does_not_start(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve("lab.broken = true;")
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.FAILED
    error = (await queries.find_proposal(agent.host, number)).error or ""
    assert "did not come up" in error
    assert "the system is broken" in error
    assert await agent.is_up()
    await agent.check_invariants()


@pytest.mark.slow
async def test_both_errors_are_reported_when_the_previous_system_does_not_start_either(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve("lab.broken = true;")
    progress = agent.new_progress()
    task = asyncio.ensure_future(deploy.deploy(agent.host, progress, agent.request(DEPLOY, number)))
    await progress.wait_for_step("put back")
    state = agent.host.paths.state(agent.name)
    state.rename(state.with_name("moved"))
    state.write_text("no folder to mount")
    with pytest.raises(Exception, match="did not come up"):
        await task
    error = (await queries.find_proposal(agent.host, number)).error or ""
    assert "the system is broken" in error
    assert f"{state} is not a directory" in error
    assert agent.applied.main() != (await queries.find_proposal(agent.host, number)).commit


@pytest.mark.slow
async def test_an_agent_that_was_stopped_is_stopped_again_after_its_health_check(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    number = await agent.submit_and_approve(VARIABLE)
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert not await agent.is_up()
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_deploy_cancelled_before_the_switch_leaves_the_agent_running(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    progress = agent.new_progress()
    task = asyncio.ensure_future(deploy.deploy(agent.host, progress, agent.request(DEPLOY, number)))
    await progress.wait_for_step("switch")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await agent.state(number) is ProposalState.FAILED
    assert await agent.is_up()
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_cancel_after_main_has_moved_comes_too_late(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    progress = agent.new_progress()
    task = asyncio.ensure_future(deploy.deploy(agent.host, progress, agent.request(DEPLOY, number)))
    await progress.wait_for_step("end")
    task.cancel()
    await task
    assert await agent.state(number) is ProposalState.DEPLOYED
    await agent.check_invariants()


async def test_a_proposal_that_is_not_approved_is_not_deployed(agent: EmbeddedAgent) -> None:
    proposal = await submit.submit(agent.host, agent.name, agent.commit(VARIABLE), "", agent.request(DEPLOY).operator)
    with pytest.raises(BadData, match="not approved"):
        await deploy.deploy(agent.host, agent.new_progress(), agent.request(DEPLOY, proposal.id))
    assert await agent.state(proposal.id) is ProposalState.PENDING


async def test_a_port_in_use_fails_the_deploy_before_anything_is_changed(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    number = await agent.submit_and_approve(VARIABLE)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", names.port_of(agent.name))
    async with server:
        with pytest.raises(Busy):
            await deploy.deploy(agent.host, agent.new_progress(), agent.request(DEPLOY, number))
    assert await agent.state(number) is ProposalState.FAILED
    await agent.check_invariants()


async def test_old_candidates_are_pruned_but_not_the_running_one(agent: EmbeddedAgent) -> None:
    roots = agent.host.paths.roots / agent.name
    roots.mkdir(parents=True, exist_ok=True)
    system = nixos_container.system_of(agent.host, agent.name)
    assert system is not None
    for number in range(1, 7):
        (roots / str(number)).symlink_to(system if number == 1 else f"/nowhere/{number}")
    steps.prune_roots(agent.host, agent.name)
    assert {link.name for link in roots.iterdir()} == {"1", "4", "5", "6", "rebuild"}


@pytest.mark.slow
async def test_a_resumed_deploy_that_does_not_build_restarts_the_stopped_container(agent: EmbeddedAgent) -> None:
    resuming = agent.with_settings(interrupted="resume")
    number = await agent.submit_and_approve('lab.fail = "no such library";')
    found = claims.load_claim(agent.host, agent.name, number)
    assert found is not None
    await steps.record_previous(DeployRun(agent.host, agent.new_progress(), found))
    await nixos_container.stop(agent.host, agent.new_progress(), agent.name)
    repair_made = await settle.settle(resuming.host, agent.new_progress(), agent.name, number)
    assert "failed" in repair_made.done
    assert await agent.is_up()
    await agent.check_invariants()


async def test_a_deploy_that_cannot_be_marked_as_failed_still_reports_why_and_is_not_settled(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    git = tmp_path / "git-that"
    git.write_text('#!/bin/sh\ncase "$*" in *refs/tags/failed/*) exit 1;; esac\nexec git "$@"\n')
    git.chmod(0o755)
    refusing = replace(agent.host, tools=replace(agent.host.tools, git=(str(git),)))
    with ports.reserve_port(agent.host, agent.name), pytest.raises(Busy):
        await deploy.deploy(refusing, agent.new_progress(), agent.request(DEPLOY, number))
    with pytest.raises(CommandFailed):
        await settle.settle(refusing, agent.new_progress(), agent.name, number)
    assert await agent.state(number) is ProposalState.APPROVED
    repair_made = await settle.settle(agent.host, agent.new_progress(), agent.name, number)
    assert "marked it as failed" in repair_made.done
    await agent.check_invariants()


@pytest.mark.slow
async def test_meta_is_restored_even_when_the_previous_system_does_not_start(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    found = claims.load_claim(agent.host, agent.name, number)
    assert found is not None
    run = DeployRun(agent.host, agent.new_progress(), found)
    for step in steps.STEPS[:7]:
        run = await step.act(run)
    assert (await repository.pinned_commits(agent.host))[agent.name] == found.commit
    await nixos_container.stop(agent.host, agent.new_progress(), agent.name)
    state = agent.host.paths.state(agent.name)
    state.rename(state.with_name("moved"))
    state.write_text("no folder to mount")
    repair_made = await settle.settle(agent.host, agent.new_progress(), agent.name, number)
    assert "it failed" in repair_made.done
    assert await agent.state(number) is ProposalState.FAILED
    assert "The rollback failed too" in ((await queries.find_proposal(agent.host, number)).error or "")
    assert (await repository.pinned_commits(agent.host))[agent.name] == agent.applied.main() == found.base


@pytest.mark.slow
async def test_a_complete_deploy_needs_no_rebuild_even_when_its_last_step_was_killed(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    found = claims.load_claim(agent.host, agent.name, number)
    assert found is not None
    run = DeployRun(agent.host, agent.new_progress(), found)
    for step in steps.STEPS[:8]:
        run = await step.act(run)

    class Killed(BaseException):
        pass

    class Dying(WrappedRunner):
        """The runner of a worker that dies once the end is planted."""

        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            if await agent.state(number) is ProposalState.DEPLOYED:
                raise Killed
            return await super().run(command, sink)

    with pytest.raises(Killed):
        await steps.finish(replace(run, host=replace(agent.host, runner=Dying(agent.host.runner))))
    await repair(agent.host)
    await agent.check_invariants()
    built = intent.read(agent.host.paths, agent.name)
    assert not intent.needs_update(built, agent.applied.main(), await repository.base_revision(agent.host))


async def test_of_two_agents_that_share_a_port_only_one_is_started_at_a_time(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    with ports.reserve_port(agent.host, agent.name), pytest.raises(Busy, match=str(names.port_of(agent.name))):
        await deploy.deploy(agent.host, agent.new_progress(), agent.request(DEPLOY, number))
    assert await agent.state(number) is ProposalState.FAILED
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_deploy_to_an_agent_without_a_container_fails(agent: EmbeddedAgent) -> None:
    number = await agent.submit_and_approve("lab.talkSeconds = 9;")
    await agent.run(OperationKind.DESTROY)
    operation = await agent.run(OperationKind.DEPLOY, number)
    assert operation.state is OperationState.FAILED
    assert f"{agent.name} has no container" in (operation.error or "")
    assert await agent.state(number) is ProposalState.FAILED


# A deploy of the very system that runs


async def main_pid(agent: EmbeddedAgent) -> int | None:
    return units.state_of(await units.unit_states(agent.host), agent.name).main_pid


async def record_of(agent: EmbeddedAgent, operation: Operation) -> tuple[list[str], list[str]]:
    """The steps in the record of an operation, and the engine's own messages."""
    entries = [entry async for batch in store.follow(agent.host.paths, operation.id) for entry in batch]
    steps_seen = [entry.text for entry in entries if entry.kind is EntryKind.STEP]
    return steps_seen, [entry.text for entry in entries if entry.stream == "engine"]


async def test_a_deploy_of_what_runs_already_leaves_the_agent_its_session(agent: EmbeddedAgent) -> None:
    pid = await main_pid(agent)
    number = await agent.submit_and_approve(SAME)
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await main_pid(agent) == pid
    names_of_steps, messages = await record_of(agent, operation)
    assert names_of_steps == ["claim", "record", "build", "no change", "meta", "main", "end"]
    assert f"To restart it all the same: hivetui restart {agent.name}" in messages
    proposal = await queries.find_proposal(agent.host, number)
    assert (proposal.state, agent.applied.main()) == (ProposalState.DEPLOYED, proposal.commit)
    assert (await repository.pinned_commits(agent.host))[agent.name] == proposal.commit
    deployment = queries.running_deployment(agent.host, agent.name)
    assert deployment is not None
    assert (deployment.id, deployment.unchanged) == (number, True)
    ends = [event for event in last_events(agent.host.paths, 9) if event.kind is EventKind.PROPOSAL_ENDED]
    assert "without a change of its system" in ends[-1].text
    built = intent.read(agent.host.paths, agent.name)
    assert not intent.needs_update(built, proposal.commit, await repository.base_revision(agent.host))
    await agent.check_invariants()


@pytest.mark.slow
async def test_an_approval_that_asks_for_a_restart_has_one_although_the_system_stays_the_same(
    agent: EmbeddedAgent,
) -> None:
    pid = await main_pid(agent)
    number = await agent.submit_and_approve(SAME, restart=True)
    operation = await agent.run(DEPLOY, number)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await main_pid(agent) not in (pid, None)
    names_of_steps, messages = await record_of(agent, operation)
    assert names_of_steps == ["claim", "record", "build", "stop", "switch", "health", "meta", "main", "end"]
    assert f"{agent.name} already has the system that was built; it is restarted, as was asked for." in messages
    deployment = queries.running_deployment(agent.host, agent.name)
    assert deployment is not None
    assert (deployment.id, deployment.unchanged) == (number, True)
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_rollback_to_the_very_system_that_runs_restarts_nothing(agent: EmbeddedAgent) -> None:
    assert (await agent.run(DEPLOY, await agent.submit_and_approve(SAME))).state is OperationState.SUCCEEDED
    pid = await main_pid(agent)
    with acquire(agent_lock(agent.host.paths, agent.name), "test"):
        claim = await decide.approve_rollback(agent.host, agent.name, 0, "Back", OPERATOR)
    operation = await agent.run(OperationKind.ROLLBACK, claim.proposal)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await main_pid(agent) == pid
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_deploy_of_the_same_system_does_not_even_start_an_agent_that_is_stopped(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    operation = await agent.run(DEPLOY, await agent.submit_and_approve(SAME))
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert "no change" in (await record_of(agent, operation))[0]
    assert not await agent.is_up()
    await agent.check_invariants()


async def crash(agent: EmbeddedAgent) -> None:
    pid = await main_pid(agent)
    assert pid
    os.kill(pid, signal.SIGKILL)
    while await agent.is_up():  # each look is a process of its own
        pass


def later(path: Path) -> None:
    """Let `path` have been written after the agent was started; systemd counts in seconds."""
    os.utime(path, (time.time() + 60, time.time() + 60), follow_symlinks=False)


async def drift_by_hand(agent: EmbeddedAgent) -> None:
    agent.host.paths.limits(agent.name).write_text("[Service]\nMemoryMax=1G\n")


async def write_unknown_line(agent: EmbeddedAgent) -> None:
    conf = agent.host.paths.conf(agent.name)
    conf.write_text(conf.read_text() + "# by hand\n")
    later(conf)


async def set_profile_by_hand(agent: EmbeddedAgent) -> None:
    later(agent.host.paths.profile(agent.name))


@pytest.mark.slow
@pytest.mark.parametrize("change", [crash, drift_by_hand, write_unknown_line, set_profile_by_hand])
async def test_the_same_system_is_restarted_if_what_runs_is_something_else(
    agent: EmbeddedAgent, change: Callable[[EmbeddedAgent], Awaitable[None]]
) -> None:
    pid = await main_pid(agent)
    await change(agent)
    operation = await agent.run(DEPLOY, await agent.submit_and_approve(SAME))
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert "health" in (await record_of(agent, operation))[0]
    assert await main_pid(agent) not in (pid, None)
    await agent.check_invariants()
