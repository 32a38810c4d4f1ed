"""A worker is killed at every point of its work; after the next start of an engine the hive is consistent.

A few of the kills belong to every run of the suite, the others are marked `faults`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.embedded import end_agents
from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import units
from hivetui.engine.deploy import steps
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.operations import store
from hivetui.engine.proposals import submit
from hivetui.engine.recovery import autostart
from hivetui.engine.recovery.repair import repair
from tests.conftest import OPERATOR

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent

VARIABLE = 'environment.variables.LEVEL = "two";'
WORKER = (sys.executable, "-P", str(Path(__file__).with_name("killed_worker.py")))
STEPS = [step.name.value for step in steps.STEPS]
ALWAYS = {"after:switch"}
OF_DEPLOY = [f"{when}:{step}" for step in STEPS for when in ("before", "after")]
OF_SPAWN = ["step:repos", "step:meta", "step:build", "step:create", "step:configure", "step:start"]
OF_REBUILD = ["step:meta", "step:build", "step:configure", "step:stop", "step:switch", "step:start"]


def parameters(points: list[str], always: set[str]) -> list[object]:
    """The points as parameters, marked `faults` except for those in `always`."""
    return [point if point in always else pytest.param(point, marks=pytest.mark.faults) for point in points]


def programs(kind: str, most: int) -> list[object]:
    """A point for each of the first programs of a worker, whatever step it belongs to."""
    return parameters([f"{kind}:{number}" for number in range(1, most + 1)], set())


def doomed(agent: EmbeddedAgent, point: str) -> EmbeddedAgent:
    """The same hive, but its workers are killed at `point`."""
    environment = {**agent.host.environment, "KILL_AT": point}
    return replace(agent, host=replace(agent.host, worker=WORKER, environment=environment))


async def is_killed(agent: EmbeddedAgent, point: str, kind: OperationKind, proposal: int | None = None) -> bool:
    """Run an operation that is killed at `point`, then repair; False when it ended before it reached that point."""
    operation = await doomed(agent, point).run(kind, proposal)
    if operation.state is OperationState.SUCCEEDED:
        return False
    assert operation.state is OperationState.INTERRUPTED, operation.error
    found = await repair(agent.host)
    assert found
    assert not [fixed for fixed in found if "could not" in fixed.done], found
    assert store.read(agent.host.paths, operation.id).state is OperationState.INTERRUPTED
    await agent.check_invariants()
    assert await repair(agent.host) == ()
    return True


async def deploy_again(agent: EmbeddedAgent, number: int) -> None:
    """Submit and deploy the same change again, which succeeds under a new id."""
    again = await agent.submit_and_approve(VARIABLE)
    assert again > number
    operation = await agent.run(OperationKind.DEPLOY, again)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await agent.is_up()
    await agent.check_invariants()


async def settle_after_reboot(agent: EmbeddedAgent) -> None:
    """Reboot, repair and start what was meant to run; nothing is left that could not be repaired."""
    reboot(agent)
    found = await repair(agent.host)
    assert not [fixed for fixed in found if "could not" in fixed.done], found
    await autostart.start_after_reboot(agent.host, OPERATOR)
    for operation in store.list_operations(agent.host.paths, ended=False):
        await agent.wait_for_end(operation)


@pytest.mark.parametrize("point", parameters(OF_DEPLOY, ALWAYS))
async def test_a_deploy_killed_at_a_step_is_settled(agent: EmbeddedAgent, point: str) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    switched = STEPS.index(point.partition(":")[2]) + (point.startswith("after")) > STEPS.index("switch")
    assert await agent.state(number) is (ProposalState.DEPLOYED if switched else ProposalState.FAILED)
    assert await agent.is_up()
    await deploy_again(agent, number)


SAME = "# the same system"
KEPT = ("stop", "switch", "health")
OF_NO_CHANGE = [point for point in OF_DEPLOY if point.partition(":")[2] not in KEPT] + ["step:no change"]


@pytest.mark.parametrize("point", parameters(OF_NO_CHANGE, set()))
async def test_a_killed_deploy_of_the_very_system_that_runs_is_settled_without_a_restart(
    agent: EmbeddedAgent, point: str
) -> None:
    pid = units.state_of(await units.unit_states(agent.host), agent.name).main_pid
    number = await agent.submit_and_approve(SAME)
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    built = point not in ("before:claim", "after:claim", "before:record", "after:record", "before:build")
    assert await agent.state(number) is (ProposalState.DEPLOYED if built else ProposalState.FAILED)
    assert units.state_of(await units.unit_states(agent.host), agent.name).main_pid == pid
    await deploy_again(agent, number)


@pytest.mark.parametrize("point", parameters(["after:build", "step:no change", "before:meta", "after:main"], set()))
async def test_an_agent_whose_deploy_changed_nothing_runs_again_after_a_reboot(
    agent: EmbeddedAgent, point: str
) -> None:
    number = await agent.submit_and_approve(SAME)
    assert (await doomed(agent, point).run(OperationKind.DEPLOY, number)).state is OperationState.INTERRUPTED
    await settle_after_reboot(agent)
    assert await agent.state(number) is ProposalState.DEPLOYED
    assert await agent.is_up()
    await agent.check_invariants()


@pytest.mark.parametrize("point", parameters(["before:stop", "after:stop", "after:switch", "before:meta"], set()))
async def test_a_killed_deploy_of_the_same_system_with_other_limits_is_settled(
    agent: EmbeddedAgent, point: str
) -> None:
    agent.host.paths.limits(agent.name).write_text("")
    number = await agent.submit_and_approve(SAME)
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    assert await agent.state(number) is ProposalState.DEPLOYED
    assert await agent.is_up()
    await deploy_again(agent, number)


def reboot(agent: EmbeddedAgent) -> None:
    """What a power cut leaves behind: no process, nothing below /run, and a new boot id."""
    root = agent.host.paths.root
    end_agents(root)
    for place in ("hyperhive", "systemd"):
        shutil.rmtree(root / "run" / place)
    for unit in (root / "run/embedded/units").glob("*.json"):
        unit.unlink()
    (agent.host.paths.engine / "started-after-boot").unlink(missing_ok=True)


@pytest.mark.parametrize("point", parameters(OF_DEPLOY, set()))
async def test_a_deploy_interrupted_by_a_reboot_is_settled_and_the_agent_runs(agent: EmbeddedAgent, point: str) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    assert (await doomed(agent, point).run(OperationKind.DEPLOY, number)).state is OperationState.INTERRUPTED
    await settle_after_reboot(agent)
    assert await agent.is_up()
    await agent.check_invariants()
    await deploy_again(agent, number)


@pytest.mark.parametrize("point", [*programs("command", 28), *programs("during", 28)])
async def test_a_deploy_killed_at_a_program_is_settled(agent: EmbeddedAgent, point: str) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    if await is_killed(agent, point, OperationKind.DEPLOY, number):
        assert await agent.is_up()
        await deploy_again(agent, number)


@pytest.mark.parametrize("point", parameters([f"before:{step}" for step in STEPS], set()))
async def test_an_interrupted_deploy_is_resumed_if_the_settings_say_so(agent: EmbeddedAgent, point: str) -> None:
    agent = agent.with_settings(interrupted="resume")
    number = await agent.submit_and_approve(VARIABLE)
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    assert await agent.state(number) is ProposalState.DEPLOYED
    assert await agent.is_up()


@pytest.mark.parametrize("point", parameters(["after:stop", "after:switch", "before:health", "after:health"], set()))
async def test_a_deploy_of_a_stopped_agent_leaves_it_stopped(agent: EmbeddedAgent, point: str) -> None:
    await agent.run(OperationKind.STOP)
    number = await agent.submit_and_approve(VARIABLE)
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    assert not await agent.is_up()


@pytest.mark.faults
@pytest.mark.parametrize("point", ["after:switch", "before:health", "step:put back"])
async def test_the_previous_system_is_restored_after_a_kill_too(agent: EmbeddedAgent, point: str) -> None:
    number = await agent.submit_and_approve("lab.broken = true;")
    assert await is_killed(agent, point, OperationKind.DEPLOY, number)
    assert await agent.state(number) is ProposalState.FAILED
    assert await agent.is_up()
    await deploy_again(agent, number)


@pytest.mark.parametrize("point", [*parameters(OF_SPAWN, set()), *programs("command", 28), *programs("during", 28)])
async def test_a_killed_spawn_is_undone_and_can_be_requested_again(unspawned: EmbeddedAgent, point: str) -> None:
    if await is_killed(unspawned, point, OperationKind.SPAWN):
        assert not unspawned.host.paths.conf(unspawned.name).exists()
        await unspawned.spawn()
        await unspawned.check_invariants()


@pytest.mark.parametrize("point", [*parameters(OF_REBUILD, set()), *programs("during", 14)])
async def test_a_killed_rebuild_leaves_the_agent_running(agent: EmbeddedAgent, point: str) -> None:
    agent.host.paths.limits(agent.name).write_text("")
    if not await is_rebuild_killed(agent, point):
        return
    assert await agent.is_up()
    operation = await agent.run(OperationKind.REBUILD)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    await agent.check_invariants()


async def is_rebuild_killed(agent: EmbeddedAgent, point: str) -> bool:
    """Like `is_killed`, for an operation that is killed before it has written anything to check."""
    environment = {**agent.host.environment, "KILL_AT": point}
    doomed = replace(agent, host=replace(agent.host, worker=WORKER, environment=environment))
    operation = await doomed.run(OperationKind.REBUILD)
    await repair(agent.host)
    return operation.state is OperationState.INTERRUPTED


@pytest.mark.parametrize("point", [*parameters(["step:destroy", "step:meta"], set()), *programs("during", 10)])
async def test_a_killed_destroy_is_finished(agent: EmbeddedAgent, point: str) -> None:
    if await is_killed(agent, point, OperationKind.DESTROY):
        assert not agent.host.paths.conf(agent.name).exists()
        await agent.spawn()
        await agent.check_invariants()


@pytest.mark.parametrize("point", parameters(["step:destroy", "step:meta", "step:wipe"], set()))
async def test_a_killed_purge_is_finished(agent: EmbeddedAgent, point: str) -> None:
    environment = {**agent.host.environment, "KILL_AT": point}
    doomed = replace(agent, host=replace(agent.host, worker=WORKER, environment=environment))
    assert (await doomed.run(OperationKind.PURGE)).state is OperationState.INTERRUPTED
    await repair(agent.host)
    for path in (agent.host.paths.agents / agent.name, agent.host.paths.applied_of(agent.name)):
        assert not path.exists()
    await agent.spawn()
    await agent.check_invariants()


@pytest.mark.faults
async def test_a_killed_restart_is_started_again(agent: EmbeddedAgent) -> None:
    assert await is_killed(agent, "step:start", OperationKind.RESTART)
    assert intent.read(agent.host.paths, agent.name).wanted is Wanted.RUNNING
    assert await agent.is_up()


@pytest.mark.parametrize("point", parameters(["step:meta", "step:configure", "step:start"], set()))
async def test_a_killed_spawn_fails_the_proposal_that_asked_for_it(agent: EmbeddedAgent, point: str) -> None:
    new = replace(agent, name=agent.free_name())
    proposal = await submit.request_spawn(agent.host, new.name, "", agent.request(OperationKind.SPAWN).operator)
    await new.approve(proposal.id)
    environment = {**new.host.environment, "KILL_AT": point}
    doomed = replace(new, host=replace(new.host, worker=WORKER, environment=environment))
    assert (await doomed.run(OperationKind.SPAWN, proposal.id)).state is OperationState.INTERRUPTED
    await repair(new.host)
    assert await new.state(proposal.id) is ProposalState.FAILED
    assert not new.host.paths.conf(new.name).exists()
    await new.spawn()
    await new.check_invariants()
    await agent.check_invariants()


REPAIR = """
import asyncio, os, signal, sys
from itertools import count
from pathlib import Path
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.recovery.repair import repair
from hivetui.embedded import end_agents
from tests.conftest import OPERATOR
from hivetui.embedded import open_embedded
from hivetui.engine.model.settings import Settings, DeploySection
run, numbers = ProcessRunner.run, count(1)
async def killed(self, command, sink=None):
    if next(numbers) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return await run(self, command, sink)
ProcessRunner.run = killed
host = open_embedded(Path(sys.argv[1]), Settings(deploy=DeploySection(health_seconds=0)))
asyncio.run(repair(host))
"""


@pytest.mark.faults
@pytest.mark.parametrize("point", ["after:stop", "after:switch", "after:meta", "after:main"])
async def test_a_repair_that_is_killed_is_repaired(agent: EmbeddedAgent, point: str) -> None:
    number = await agent.submit_and_approve(VARIABLE)
    environment = {**agent.host.environment, "KILL_AT": point}
    doomed = replace(agent, host=replace(agent.host, worker=WORKER, environment=environment))
    assert (await doomed.run(OperationKind.DEPLOY, number)).state is OperationState.INTERRUPTED
    for program in range(1, 30, 2):
        argv = (sys.executable, "-c", REPAIR, str(agent.host.paths.root), str(program))
        process = await asyncio.create_subprocess_exec(*argv)
        if await process.wait() == 0:
            break
    await repair(agent.host)
    await agent.check_invariants()
    assert await agent.is_up()
    await deploy_again(agent, number)
