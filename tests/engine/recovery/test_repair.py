"""What is repaired when an engine is opened, and what is reported as a warning."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.hive import LocalHive
from hivetui.engine.host import locks
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import ProposalKind, ProposalState
from hivetui.engine.model.warnings import WarningCode
from hivetui.engine.proposals import submit
from hivetui.engine.recovery.repair import repair
from hivetui.engine.recovery.warnings import find_warnings
from tests.conftest import OPERATOR
from tests.event_log import last_events
from tests.git_2 import GIT_2

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent

NOW = datetime(2026, 11, 27, 18, tzinfo=UTC)


async def test_a_hive_that_does_not_exist_is_not_created_by_a_repair(unspawned: EmbeddedAgent) -> None:
    assert await repair(unspawned.host) == ()
    assert not unspawned.host.paths.library.exists()


async def test_a_hive_in_order_is_left_alone(agent: EmbeddedAgent) -> None:
    assert await repair(agent.host) == ()
    assert await find_warnings(agent.host) == ()


async def test_a_rollback_that_was_killed_before_its_approval_does_not_wait_for_a_decision(
    agent: EmbeddedAgent,
) -> None:
    """Nobody has asked for a decision about it; somebody has who proposed one again."""
    main = agent.applied.main()
    assert main is not None
    pin = (agent.host, agent.applied, agent.name, ProposalKind.ROLLBACK, main, "Roll back to 0", "why", OPERATOR)
    killed = await submit.pin_proposal(*pin)
    again = await submit.pin_proposal(*pin, retry_of=killed.id)
    (found,) = await repair(agent.host)
    assert found.found == f"rollback {killed.id} was killed before its approval"
    assert [one.id for one in await LocalHive(agent.host, OPERATOR).proposals(decided=True)] == [again.id]
    assert await repair(agent.host) == ()


async def test_a_pending_tag_that_cannot_be_read_keeps_repair_from_nothing_else(agent: EmbeddedAgent) -> None:
    """A power cut may leave an empty ref."""
    empty = agent.applied.git_dir / "refs/tags/proposal/7"
    empty.parent.mkdir(exist_ok=True)
    empty.write_text("")
    half = agent.host.paths.meta / "flake.lock.tmp"
    half.write_text("")
    found = await repair(agent.host)
    assert "meta" in " ".join(one.found for one in found)
    assert not half.exists()


async def test_a_dirty_meta_is_restored_and_reported(agent: EmbeddedAgent) -> None:
    flake = agent.host.paths.meta / "flake.nix"
    before = flake.read_bytes()
    flake.write_text("half a fl")
    (agent.host.paths.meta / "flake.lock.tmp").write_text("")
    (found,) = await repair(agent.host)
    assert "meta" in found.found
    assert flake.read_bytes() == before
    (event,) = [event for event in last_events(agent.host.paths, 50) if event.kind is EventKind.REPAIRED]
    assert found.found in event.text


async def test_a_dry_run_reports_and_changes_nothing(agent: EmbeddedAgent) -> None:
    lock = agent.host.paths.applied_git(agent.name) / "refs/heads/main.lock"
    lock.write_text("")
    (planned,) = await repair(agent.host, dry_run=True)
    assert planned.agent == agent.name
    assert lock.exists()
    (done,) = await repair(agent.host)
    assert (done.agent, done.found) == (planned.agent, planned.found)
    assert not lock.exists()


async def test_what_cannot_be_looked_at_hides_nothing_else_from_a_dry_run(agent: EmbeddedAgent) -> None:
    empty = agent.host.paths.applied_git(agent.name) / "refs/tags/proposal/7"
    empty.parent.mkdir(parents=True, exist_ok=True)
    empty.touch()
    (agent.host.paths.meta / "flake.lock.tmp").touch()
    planned = [one.found for one in await repair(agent.host, dry_run=True)]
    assert [found for found in planned if "meta" in found]
    assert len(planned) == 2


async def test_a_busy_agent_is_repaired_the_next_time(agent: EmbeddedAgent) -> None:
    partial_object = agent.host.paths.applied_git(agent.name) / "objects/pack/tmp_pack_x"
    partial_object.write_text("")
    with locks.acquire(locks.agent_lock(agent.host.paths, agent.name), "a test"):
        assert await repair(agent.host) == ()
        assert partial_object.exists()
    await repair(agent.host)
    assert not partial_object.exists()


async def test_of_several_engines_only_one_repairs(agent: EmbeddedAgent) -> None:
    (agent.host.paths.applied_git(agent.name) / "HEAD.lock").write_text("")
    found = await asyncio.gather(*(repair(agent.host) for _ in range(5)))
    assert sorted(map(len, found)) == [0, 0, 0, 0, 1]


async def test_an_older_applied_repo_is_migrated(agent: EmbeddedAgent) -> None:
    refs = agent.host.paths.applied_git(agent.name) / "refs"
    (refs / "tags/deployed/0").unlink()
    shutil.rmtree(refs / "hive")  # an engine of that time kept no records
    assert WarningCode.NEEDS_MIGRATION in {warning.code for warning in await find_warnings(agent.host)}
    found = [fixed.found for fixed in await repair(agent.host)]
    assert any("layout" in one for one in found), found
    assert agent.applied.has_layout()
    await agent.check_invariants()


async def test_an_agent_in_meta_without_a_container_is_removed_from_meta(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    agent.host.paths.conf(agent.name).unlink()
    await repair(agent.host)
    assert agent.name not in await repository.pinned_commits(agent.host)


async def test_an_agent_is_not_removed_from_a_meta_that_could_not_be_restored(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    agent.host.paths.conf(agent.name).unlink()
    (agent.host.paths.meta / "flake.nix").write_text("half a fl")
    git = tmp_path / "git-that"
    git.write_text('#!/bin/sh\ncase " $* " in *" reset "*) exit 1;; esac\nexec git "$@"\n')
    git.chmod(0o755)
    refusing = replace(agent.host, tools=replace(agent.host.tools, git=(str(git),)))
    before = await repository.head(agent.host)
    done = [found.done for found in await repair(refusing)]
    assert [text.startswith("could not be repaired") for text in done] == [True, True]
    assert await repository.head(agent.host) == before
    assert [found.done for found in await repair(agent.host)][-1] == "removed it from meta"


async def test_a_half_made_container_that_no_spawn_created_is_only_a_warning(unspawned: EmbeddedAgent) -> None:
    conf = unspawned.host.paths.conf(unspawned.name)
    conf.write_text("AUTO_START=0\n")
    assert await repair(unspawned.host) == ()
    (warning,) = await find_warnings(unspawned.host)
    assert (warning.code, warning.agents) == (WarningCode.HALF_MADE, (unspawned.name,))
    assert conf.exists()


async def test_a_killed_purge_is_finished(agent: EmbeddedAgent) -> None:
    paths = agent.host.paths
    await agent.run(OperationKind.STOP)
    left = intent.read(paths, agent.name).model_copy(update={"doing": OperationKind.PURGE})
    paths.intent(agent.name).write_text(left.model_dump_json())
    await repair(agent.host)
    assert not (paths.agents / agent.name).exists()
    assert not paths.conf(agent.name).exists()


async def test_a_foreign_container_is_a_warning_and_left_alone(unspawned: EmbeddedAgent) -> None:
    (unspawned.host.paths.containers / "database.conf").write_text("AUTO_START=1\n")
    (warning,) = await find_warnings(unspawned.host)
    assert (warning.code, warning.agents) == (WarningCode.FOREIGN_CONTAINER, ("database",))


async def test_agents_that_share_a_port_are_a_warning(unspawned: EmbeddedAgent) -> None:
    for name in ("olivia", "qa"):
        unspawned.host.paths.conf(name).write_text("AUTO_START=0\n")
    (warning,) = [found for found in await find_warnings(unspawned.host) if found.code is WarningCode.PORT_COLLISION]
    assert (warning.agents, warning.port) == (("olivia", "qa"), 8991)
    assert warning.fix


async def test_a_stopped_agent_whose_port_is_in_use_is_a_warning(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    port = names.port_of(agent.name)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with server:
        (warning,) = await find_warnings(agent.host)
    assert (warning.code, warning.port) == (WarningCode.PORT_IN_USE, port)
    assert str(os.getpid()) in warning.text


@pytest.mark.slow
async def test_an_agent_that_was_killed_is_a_warning_until_it_runs_or_is_stopped(agent: EmbeddedAgent) -> None:
    hive = LocalHive(agent.host, OPERATOR)
    pid = units.state_of(await units.unit_states(agent.host), agent.name).main_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    while await agent.is_up():  # each look is a process of its own
        pass
    (warning,) = await hive.warnings()
    assert (warning.code, warning.agents) == (WarningCode.AGENT_FAILED, (agent.name,))
    assert re.fullmatch(rf"{agent.name} failed at [-0-9]+ [:0-9]+ UTC: its container .+", warning.text)
    assert f"hivetui start {agent.name}" in warning.fix
    await agent.run(OperationKind.START)
    assert await hive.warnings() == ()
    await agent.run(OperationKind.STOP)
    assert await hive.warnings() == ()


async def test_an_agent_that_does_not_run_as_it_should_is_a_warning(agent: EmbeddedAgent) -> None:
    host = replace(agent.host, clock=lambda: NOW)
    at = "2026-11-27 18:00:00 UTC"
    dead = UnitState(AgentState.FAILED, "failed", "failed", changed=NOW, result="oom-kill")
    looping = UnitState(AgentState.RUNNING, "active", "running", restarts=3, since=NOW, changed=NOW)
    waiting = UnitState(AgentState.STARTING, "activating", "auto-restart", changed=NOW, result="core-dump")
    for unit, expected in (
        (waiting, f"failed at {at}: its container crashed; it is started again"),
        (
            replace(waiting, restarts=7),
            f"restarts again and again, 7 times so far, last at {at}: its container crashed",
        ),
        (looping, f"restarts again and again, 3 times so far, last at {at}"),
        (replace(looping, since=NOW - timedelta(hours=1)), None),
        (dead, f"failed at {at}: it ran out of memory"),
        (replace(dead, restarts=5, result="start-limit-hit"), f"failed at {at}: its container was started too often"),
        (UnitState(), "is meant to run, but its container stopped"),
    ):
        found = await find_warnings(host, {f"h-{agent.name}": unit})
        texts = [warning.text for warning in found if warning.code is WarningCode.AGENT_FAILED]
        assert texts == ([f"{agent.name} {expected}"] if expected else [])


@pytest.mark.parametrize(("sub", "act"), [("running", "stop"), ("failed", "start")])
async def test_out_of_memory_an_agent_is_started_or_ended_by_whether_it_runs(
    agent: EmbeddedAgent, sub: str, act: str
) -> None:
    is_up = sub == "running"
    state = AgentState.RUNNING if is_up else AgentState.FAILED
    unit = UnitState(state, "active" if is_up else "failed", sub, restarts=5, since=NOW, result="oom-kill")
    found = await find_warnings(replace(agent.host, clock=lambda: NOW), {f"h-{agent.name}": unit})
    (fix,) = [one.fix for one in found if one.code is WarningCode.AGENT_FAILED]
    assert fix.startswith("Raise memory_max")
    assert fix.endswith(f"hivetui {act} {agent.name}")


async def test_an_agent_that_was_stopped_while_it_restarted_again_and_again_is_no_warning(agent: EmbeddedAgent) -> None:
    intent.set_wanted(agent.host.paths, agent.name, Wanted.STOPPED)
    stopped = UnitState(restarts=9, changed=NOW, result="exit-code")
    found = await find_warnings(agent.host, {f"h-{agent.name}": stopped})
    assert WarningCode.AGENT_FAILED not in {one.code for one in found}


def test_how_a_unit_failed_is_remembered_while_it_restarts_and_no_longer() -> None:
    waiting = UnitState(AgentState.STARTING, "activating", "auto-restart", result="signal")
    up = UnitState(AgentState.RUNNING, "active", "running", result="success")
    for restarted in (replace(up, restarts=1), replace(up, restarts=2)):
        assert restarted.after(waiting).result == "signal"
        assert restarted.after(replace(restarted, result="oom-kill")).result == "oom-kill"
    assert up.after(waiting) == up, "it was started by somebody"
    assert replace(up, restarts=1).after(replace(waiting, sub="failed")).result == "success"
    assert waiting.after(replace(waiting, result="core-dump")) == waiting


@pytest.mark.slow
async def test_a_change_by_hand_is_drift_that_a_rebuild_fixes(agent: EmbeddedAgent) -> None:
    conf = agent.host.paths.conf(agent.name)
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1"))
    (warning,) = await find_warnings(agent.host)
    assert warning.code is WarningCode.DRIFT
    assert warning.fix == f"hivetui rebuild {agent.name}"
    await agent.run(OperationKind.REBUILD)
    assert await find_warnings(agent.host) == ()


async def test_the_working_directory_of_a_dead_process_is_removed(agent: EmbeddedAgent) -> None:
    left = agent.host.paths.work / "work-left"
    left.mkdir()
    (left / ".tmp").symlink_to("/nowhere")
    await repair(agent.host)
    assert not left.exists()


@pytest.mark.slow
async def test_scanning_a_hundred_agents_is_cheap(agent: EmbeddedAgent) -> None:
    paths = agent.host.paths
    await agent.run(OperationKind.STOP)
    for number in range(100):
        _copied(agent, f"x{number:03}")
    intent.set_wanted(paths, agent.name, Wanted.STOPPED)
    began = time.process_time()
    assert await repair(agent.host) == ()
    assert time.process_time() - began < 0.5


def _copied(agent: EmbeddedAgent, name: str) -> None:
    """Another agent's repo and intent, made of those of this one."""
    shutil.copytree(agent.applied.folder, agent.host.paths.applied_of(name))
    shutil.copy(agent.host.paths.intent(agent.name), agent.host.paths.intent(name))


@pytest.mark.parametrize("name", ["", "a/b", "..", "0123456789"])
async def test_a_bad_name_is_refused(unspawned: EmbeddedAgent, name: str) -> None:
    unspawned.host.paths.library.mkdir(parents=True)
    with pytest.raises(BadData):
        await repair(unspawned.host, name)
    assert not Path(unspawned.host.paths.locks).exists()


async def test_a_spawn_killed_before_it_made_anything_fails_its_request(agent: EmbeddedAgent) -> None:
    new = type(agent)(agent.host, agent.free_name())
    operator = agent.request(OperationKind.SPAWN).operator
    proposal = await submit.request_spawn(agent.host, new.name, "", operator)
    await new.approve(proposal.id)
    (found,) = await repair(agent.host)
    assert found.agent == new.name
    assert await new.state(proposal.id) is ProposalState.FAILED
    assert await repair(agent.host) == ()


@pytest.mark.slow
async def test_a_spawn_killed_after_it_made_everything_deploys_its_request(agent: EmbeddedAgent) -> None:
    new = type(agent)(agent.host, agent.free_name())
    operator = agent.request(OperationKind.SPAWN).operator
    proposal = await submit.request_spawn(agent.host, new.name, "", operator)
    await new.approve(proposal.id)
    await new.spawn()
    (found,) = await repair(agent.host)
    assert found.agent == new.name
    assert await new.state(proposal.id) is ProposalState.DEPLOYED
    assert await new.is_up()


async def test_a_stale_lock_in_meta_is_removed_while_another_git_runs(agent: EmbeddedAgent, tmp_path: Path) -> None:
    left = agent.host.paths.meta / ".git/index.lock"
    program = tmp_path / "git-forever"
    program.symlink_to(shutil.which("sleep") or "sleep")
    other = await asyncio.create_subprocess_exec(program, "1000")
    try:
        left.write_text("")
        (found,) = await repair(agent.host)
        assert "meta" in found.found
        assert not left.exists()
    finally:
        other.kill()
        await other.wait()


async def test_an_interrupted_start_is_not_repeated_when_the_port_is_in_use(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    left = intent.Intent(wanted=Wanted.RUNNING, doing=OperationKind.START)
    agent.host.paths.intent(agent.name).write_text(left.model_dump_json())
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", names.port_of(agent.name))
    async with server:
        (found,) = await repair(agent.host)
    assert f"Port {names.port_of(agent.name)}" in found.done
    assert not await agent.is_up()


async def test_a_killed_first_commit_of_meta_leaves_nothing(unspawned: EmbeddedAgent) -> None:
    paths = unspawned.host.paths
    paths.meta.mkdir(parents=True)
    init = await asyncio.create_subprocess_exec(
        "git", "init", "-q", "-b", "main", cwd=paths.meta, env=os.environ | GIT_2
    )
    assert await init.wait() == 0
    for name in ("flake.nix", "flake.lock", ".flake.lock.abc.tmp"):
        (paths.meta / name).write_text("half a ")
    add = await asyncio.create_subprocess_exec("git", "add", "flake.nix", cwd=paths.meta)
    assert await add.wait() == 0
    (found,) = await repair(unspawned.host)
    assert "meta" in found.found
    assert [path.name for path in paths.meta.iterdir()] == [".git"]
    assert not (paths.meta / ".git/index").exists()
    assert await repair(unspawned.host) == ()
