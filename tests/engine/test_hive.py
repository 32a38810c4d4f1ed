"""The engine in this process: agent rows, refusals, events, and what opening a hive does."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.embedded import end_agents
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine import hive
from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Command, Completed, LineSink, Runner
from hivetui.engine.host.system_host import real_host
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadConfiguration, BadData, Busy, NotFound, WrongUsage
from hivetui.engine.model.operations import OperationKind, OperationState, Operator
from hivetui.engine.model.settings import ConsoleSection, DeploySection, Settings
from hivetui.engine.model.warnings import WarningCode
from hivetui.engine.operations import store
from hivetui.engine.recovery import autostart
from tests.free_names import free_names, two_names_with_one_port
from tests.runners import WrappedRunner

ANNA = Operator(name="anna", uid=1000, source="local")
SETTINGS = Settings(deploy=DeploySection(health_seconds=0), console=ConsoleSection(refresh_seconds=0.1))


@pytest.fixture
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalHive]:
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    yield await open_embedded_hive(tmp_path / "h", SETTINGS, ANNA)
    end_agents(tmp_path / "h")


async def run_to_success(opened: LocalHive, kind: OperationKind, name: str) -> None:
    begun = await opened.begin(kind, name)
    async for _ in opened.follow(begun.id):
        pass
    ended = await opened.operation(begun.id)
    assert ended.state is OperationState.SUCCEEDED, ended.error


def commit_change(repo: Path) -> None:
    """A commit that can be proposed: it differs from what is deployed."""
    author = ("-c", "user.name=hm1nd", "-c", "user.email=hm1nd@hive")
    subprocess.run(("git", *author, "-C", str(repo), "commit", "--allow-empty", "-qm", "Change"), check=True)


@pytest.mark.slow
async def test_an_agent_has_a_row_from_spawn_to_purge(opened: LocalHive) -> None:
    (name,) = free_names(1)
    assert await opened.agents() == ()
    await run_to_success(opened, OperationKind.SPAWN, name)
    (first,) = await opened.agents()
    assert (first.state, first.deployed, first.cpu_percent) == (AgentState.RUNNING, 0, None)
    (second,) = await opened.agents()
    assert second.cpu_percent is not None
    await run_to_success(opened, OperationKind.STOP, name)
    assert (await opened.agents())[0].state is AgentState.STOPPED
    await run_to_success(opened, OperationKind.DESTROY, name)
    (kept,) = await opened.agents()
    assert (kept.state, kept.deployed) == (AgentState.KEPT, 0)
    await run_to_success(opened, OperationKind.SPAWN, name)
    await run_to_success(opened, OperationKind.PURGE, name)
    assert await opened.agents() == ()
    with pytest.raises(NotFound):
        await opened.begin(OperationKind.PURGE, name)


async def test_the_detail_of_an_agent_has_paths_mounts_and_limits(opened: LocalHive) -> None:
    (name,) = free_names(1)
    await run_to_success(opened, OperationKind.SPAWN, name)
    detail = await opened.agent(name)
    assert detail.agent.name == name
    assert detail.paths["proposed"].endswith(f"agents/{name}/config")
    assert [mount.inside for mount in detail.mounts] == ["/run/hive", "/root/.claude", "/state"]
    assert (detail.memory_max, detail.cpu_quota) == ("2G", "50%")
    assert [row.id for row in detail.deployments] == [0]
    with pytest.raises(NotFound):
        await opened.agent("nobody")
    with pytest.raises(BadData):
        await opened.agent("a/b")


@pytest.mark.slow
async def test_a_spawn_request_is_approved_without_commits(opened: LocalHive) -> None:
    name, other = free_names(2)
    await run_to_success(opened, OperationKind.SPAWN, name)
    proposal = await opened.request_spawn(other, "for the tests")
    begun = await opened.approve(proposal.id, None, None)
    async for _ in opened.follow(begun.id):
        pass
    ended = await opened.operation(begun.id)
    assert ended.state is OperationState.SUCCEEDED, ended.error
    assert {row.name: row.state for row in await opened.agents()}[other] is AgentState.RUNNING


async def test_containers_with_foreign_names_are_shown_and_left_alone(opened: LocalHive) -> None:
    folder = opened.host.paths.containers
    for name in ("web", "h-", "h--x", "h-hm1nd", "h-far-too-long-a-name", "ünï", "h-made"):
        (folder / f"{name}.conf").write_text("PRIVATE_NETWORK=1\n")
    rows = {row.name: row for row in await opened.agents()}
    assert set(rows) == {"web", "h-", "h--x", "h-hm1nd", "h-far-too-long-a-name", "ünï", "made"}
    assert [warning.code for warning in rows["web"].warnings] == [WarningCode.FOREIGN_CONTAINER]
    assert rows["made"].port == names.port_of("made")
    assert {row.port for name, row in rows.items() if name != "made"} == {0}
    assert (await opened.agent("web")).mounts == ()


async def test_the_manager_comes_first_and_destroyed_agents_last(opened: LocalHive) -> None:
    host = opened.host
    for name in ("zoe", "bob", names.MANAGER):
        host.paths.conf(name).write_text("")
    host.paths.applied_of("amy").mkdir(parents=True)
    assert [row.name for row in await opened.agents()] == [names.MANAGER, "bob", "zoe", "amy"]


@pytest.mark.slow
async def test_a_hundred_agents_are_listed_in_a_second(opened: LocalHive) -> None:
    (name,) = free_names(1)
    await run_to_success(opened, OperationKind.SPAWN, name)
    paths = opened.host.paths
    for number in range(99):
        copy = f"c{number}"
        shutil.copytree(paths.applied_of(name), paths.applied_of(copy))
        shutil.copy(paths.conf(name), paths.conf(copy))
    runner = CountingRunner(opened.host.runner)
    counted = LocalHive(replace(opened.host, runner=runner), ANNA)
    started = time.process_time()  # other tests run on this machine too
    rows = await counted.agents()
    assert time.process_time() - started < 1.0
    assert len(rows) == 100
    assert {row.deployed for row in rows} == {0}
    assert runner.programs == 1


async def test_a_hive_that_is_served_lists_its_agents_without_a_program(opened: LocalHive) -> None:
    for name in free_names(2):
        await run_to_success(opened, OperationKind.SPAWN, name)
    await run_to_success(opened, OperationKind.STOP, name)
    listed = await opened.agents()
    runner = CountingRunner(opened.host.runner)
    served = LocalHive(replace(opened.host, runner=runner), ANNA).acting_for(ANNA)
    figures = {"memory_bytes": None, "cpu_percent": None, "tasks": None}
    assert [row.model_copy(update=figures) for row in await served.agents()] == [
        row.model_copy(update=figures) for row in listed
    ]
    assert runner.programs == 0


class CountingRunner(WrappedRunner):
    """Runs programs, and counts them."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.programs = 0

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        self.programs += 1
        return await super().run(command, sink)


async def test_what_cannot_succeed_is_refused_before_an_operation_exists(opened: LocalHive) -> None:
    for kind, name, error in (
        (OperationKind.SPAWN, "../x", BadData),
        (OperationKind.START, "nobody", NotFound),
        (OperationKind.DESTROY, "nobody", NotFound),
        (OperationKind.DEPLOY, "nobody", WrongUsage),
    ):
        with pytest.raises(error):
            await opened.begin(kind, name)
    assert await opened.operations(ended=True) == ()


async def test_a_real_host_needs_a_base_flake_to_build(tmp_path: Path) -> None:
    there = {"PATH": os.environ["PATH"]}
    for program in ("nixos-container", "systemctl", "nix", "git"):
        (tmp_path / program).symlink_to("/bin/true")
    there["PATH"] = f"{tmp_path}:{there['PATH']}"
    local = LocalHive(real_host(tmp_path / "root", Settings(), there), ANNA)
    with pytest.raises(BadConfiguration):
        await local.begin(OperationKind.SPAWN, "iris")


async def test_two_agents_with_one_port_cannot_both_run(opened: LocalHive) -> None:
    early, late = two_names_with_one_port()
    await run_to_success(opened, OperationKind.SPAWN, early)
    with pytest.raises(Busy) as caught:
        await opened.begin(OperationKind.SPAWN, late)
    assert str(names.port_of(late)) in caught.value.what
    assert early in caught.value.why
    assert caught.value.fix
    advice = await opened.spawn_advice(late)
    assert (advice.port, advice.shared_with, advice.problem) == (names.port_of(late), (early,), None)
    assert advice.free_names


async def test_spawn_advice_on_an_invalid_name_is_not_an_error(opened: LocalHive) -> None:
    for name in ("", "a b", "../x", "x" * 500, "\x1b"):
        assert (await opened.spawn_advice(name)).problem


@pytest.mark.slow
async def test_agents_that_should_run_are_started_after_a_reboot(opened: LocalHive) -> None:
    first, second = free_names(2)
    for name in (first, second):
        await run_to_success(opened, OperationKind.SPAWN, name)
    await run_to_success(opened, OperationKind.STOP, second)
    end_agents(opened.host.paths.root)
    assert intent.read(opened.host.paths, first).wanted is Wanted.RUNNING
    assert await autostart.start_after_reboot(opened.host, ANNA) == ()
    (opened.host.paths.engine / "started-after-boot").write_bytes(b"another boot\n")
    assert await autostart.start_after_reboot(opened.host, ANNA) == (first,)
    (begun,) = await opened.operations()
    async for _ in opened.follow(begun.id):
        pass
    assert {row.name: row.state for row in await opened.agents()} == {
        first: AgentState.RUNNING,
        second: AgentState.STOPPED,
    }
    assert await autostart.start_after_reboot(opened.host, ANNA) == ()


async def test_a_hive_that_cannot_be_repaired_can_be_opened(opened: LocalHive) -> None:
    counter = opened.host.paths.locks
    shutil.rmtree(counter, ignore_errors=True)
    counter.parent.mkdir(parents=True, exist_ok=True)
    counter.write_text("a file where a folder should be")
    again = await open_embedded_hive(opened.host.paths.root, SETTINGS, ANNA)
    assert again.repair_error is not None
    assert await again.agents() == ()


async def test_opening_without_repair_changes_nothing(tmp_path: Path) -> None:
    local = await hive.open_system_hive(tmp_path, Settings(), {"PATH": "/nonexistent"}, ANNA, repair=False)
    assert local.description.root == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert store.list_operations(local.host.paths, ended=True) == ()


@pytest.mark.slow
async def test_an_approval_that_is_refused_leaves_the_proposal_pending(opened: LocalHive) -> None:
    (name,) = free_names(1)
    await run_to_success(opened, OperationKind.SPAWN, name)
    commit_change(opened.host.paths.proposed(name))
    asked = await opened.submit(name)
    await run_to_success(opened, OperationKind.STOP, name)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", names.port_of(name))
    async with server:
        with pytest.raises(Busy, match=str(names.port_of(name))):
            await opened.approve(asked.id, asked.commit, asked.base)
    await run_to_success(opened, OperationKind.DESTROY, name)
    with pytest.raises(NotFound, match="has no container"):
        await opened.approve(asked.id, asked.commit, asked.base)
    (waiting,) = await opened.proposals()
    assert waiting.id == asked.id
    assert await opened.operations() == ()
