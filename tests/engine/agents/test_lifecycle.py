"""Spawn, start, stop, restart, rebuild, destroy, purge on an embedded hive, by real workers."""

from __future__ import annotations

import asyncio
import errno
import json
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.agents import intent, lifecycle
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import nixos_container, units
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, Busy, NotFound, OperationFailed
from hivetui.engine.model.operations import OperationKind, OperationState, Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.operations import launch
from hivetui.engine.operations.rollback import RollbackFailed, rollback_on_error
from hivetui.engine.proposals import submit
from tests.free_names import two_names_with_one_port

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent


OPERATOR = Operator(name="walt", uid=1000, source="local")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(("git", *arguments), cwd=folder, check=True, capture_output=True, text=True).stdout


def environment_of(name: str) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{names.port_of(name)}/env", timeout=5) as answer:
        found: dict[str, str] = json.load(answer)
        return found


async def test_a_spawned_agent_runs_with_its_identity(agent: EmbeddedAgent) -> None:
    assert await agent.is_up()
    assert environment_of(agent.name)["HIVE_LABEL"] == agent.name
    assert agent.host.paths.claude(agent.name).stat().st_mode & 0o777 == 0o700
    assert intent.read(agent.host.paths, agent.name).wanted is Wanted.RUNNING
    await agent.check_invariants()


async def test_an_invalid_name_is_refused_before_anything_is_created(unspawned: EmbeddedAgent) -> None:
    unspawned.name = "../etc"
    with pytest.raises(BadData):
        await lifecycle.spawn(unspawned.host, unspawned.new_progress(), unspawned.request(OperationKind.SPAWN))
    assert not unspawned.host.paths.library.exists()


async def test_a_spawn_over_an_existing_container_is_refused(unspawned: EmbeddedAgent) -> None:
    conf = unspawned.host.paths.conf(unspawned.name)
    conf.write_text("AUTO_START=0\n")
    with pytest.raises(BadData, match="already has a container"):
        await lifecycle.spawn(unspawned.host, unspawned.new_progress(), unspawned.request(OperationKind.SPAWN))
    assert conf.read_text() == "AUTO_START=0\n"
    assert not unspawned.host.paths.applied_of(unspawned.name).exists()


async def test_a_taken_port_is_refused_before_anything_is_created(unspawned: EmbeddedAgent) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", names.port_of(unspawned.name))
    async with server:
        with pytest.raises(Busy, match=str(names.port_of(unspawned.name))):
            await lifecycle.spawn(unspawned.host, unspawned.new_progress(), unspawned.request(OperationKind.SPAWN))
    assert not unspawned.host.paths.applied_of(unspawned.name).exists()


@pytest.mark.slow
async def test_a_failed_spawn_removes_the_container_and_keeps_the_repos(unspawned: EmbeddedAgent) -> None:
    await unspawned.spawn()
    await unspawned.run(OperationKind.DESTROY)
    broken = await unspawned.submit_and_approve("lab.broken = true;")
    tag = unspawned.applied.tag(f"approved/{broken}")
    assert tag is not None
    assert await unspawned.applied.move_main(tag.commit, unspawned.applied.main() or "")
    operation = await unspawned.run(OperationKind.SPAWN)
    assert operation.state is OperationState.FAILED
    assert "did not" in (operation.error or "") or "failed" in (operation.error or "")
    assert not unspawned.host.paths.conf(unspawned.name).exists()
    assert unspawned.name not in await repository.pinned_commits(unspawned.host)
    assert unspawned.host.paths.proposed(unspawned.name).is_dir()


async def test_a_cancelled_spawn_is_undone(unspawned: EmbeddedAgent) -> None:
    task = asyncio.ensure_future(
        lifecycle.spawn(unspawned.host, told := unspawned.new_progress(), unspawned.request(OperationKind.SPAWN))
    )
    await told.wait_for_step("configure")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await unspawned.check_invariants()
    assert not unspawned.host.paths.conf(unspawned.name).exists()


async def test_stop_and_start_set_the_intent(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    assert not await agent.is_up()
    assert intent.read(agent.host.paths, agent.name).wanted is Wanted.STOPPED
    await agent.run(OperationKind.START)
    assert await agent.is_up()
    assert intent.read(agent.host.paths, agent.name).wanted is Wanted.RUNNING


@pytest.mark.slow
async def test_a_start_recreates_what_a_reboot_removed(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    agent.host.paths.limits(agent.name).unlink()
    agent.host.paths.runtime_of(agent.name).rmdir()
    operation = await agent.run(OperationKind.RESTART)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_rebuild_rewrites_the_configuration(agent: EmbeddedAgent) -> None:
    conf = agent.host.paths.conf(agent.name)
    conf.write_text(conf.read_text().replace("PRIVATE_NETWORK=0", "PRIVATE_NETWORK=1") + "# by hand\n")
    operation = await agent.run(OperationKind.REBUILD)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert "# by hand" in conf.read_text()
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_rebuild_to_the_very_system_that_runs_restarts_nothing(agent: EmbeddedAgent) -> None:
    pid = units.state_of(await units.unit_states(agent.host), agent.name).main_pid
    progress = agent.new_progress()
    await lifecycle.rebuild(agent.host, progress, agent.request(OperationKind.REBUILD))
    assert progress.steps == ["meta", "build", "no change"]
    assert units.state_of(await units.unit_states(agent.host), agent.name).main_pid == pid
    await agent.run(OperationKind.RESTART)
    assert units.state_of(await units.unit_states(agent.host), agent.name).main_pid not in (pid, None)
    await agent.check_invariants()


@pytest.mark.slow
async def test_a_rebuild_starts_an_agent_that_is_stopped_though_its_system_is_the_same(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    progress = agent.new_progress()
    await lifecycle.rebuild(agent.host, progress, agent.request(OperationKind.REBUILD))
    assert progress.steps[-1] == "start"
    assert await agent.is_up()


async def test_a_rebuild_without_an_applied_repo_says_what_to_do(agent: EmbeddedAgent) -> None:
    applied = agent.host.paths.applied_of(agent.name)
    applied.rename(applied.with_name("elsewhere"))
    with pytest.raises(BadData, match="hivetui repair") as refused:
        await lifecycle.rebuild(agent.host, agent.new_progress(), agent.request(OperationKind.REBUILD))
    assert str(applied) in refused.value.what
    assert await agent.is_up()


@pytest.mark.slow
async def test_a_rebuilt_system_that_does_not_come_up_is_rolled_back(agent: EmbeddedAgent) -> None:
    before = nixos_container.system_of(agent.host, agent.name)
    number = await agent.submit_and_approve("lab.broken = true;")
    tag = agent.applied.tag(f"approved/{number}")
    assert tag is not None
    assert await agent.applied.move_main(tag.commit, agent.applied.main() or "")
    with pytest.raises(OperationFailed, match="did not come up"):
        await lifecycle.rebuild(agent.host, agent.new_progress(), agent.request(OperationKind.REBUILD))
    assert nixos_container.system_of(agent.host, agent.name) == before
    assert await agent.is_up()


@pytest.mark.slow
async def test_destroy_keeps_the_repos_and_may_be_repeated(agent: EmbeddedAgent) -> None:
    for _ in range(2):
        operation = await agent.run(OperationKind.DESTROY)
        assert operation.state is OperationState.SUCCEEDED, operation.error
    await agent.check_invariants()
    assert agent.applied.has_layout()
    assert agent.host.paths.state(agent.name).is_dir()


async def test_an_unknown_agent_cannot_be_destroyed(unspawned: EmbeddedAgent) -> None:
    with pytest.raises(NotFound):
        await lifecycle.destroy(unspawned.host, unspawned.new_progress(), unspawned.request(OperationKind.DESTROY))


@pytest.mark.slow
async def test_a_destroyed_agent_is_spawned_again_with_its_history(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.DESTROY)
    main = agent.applied.main()
    await agent.spawn()
    assert agent.applied.main() == main
    await agent.check_invariants()


async def test_purge_leaves_no_trace_and_follows_no_link(agent: EmbeddedAgent) -> None:
    outside = agent.host.paths.root / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    (agent.host.paths.state(agent.name) / "link").symlink_to(outside)
    operation = await agent.run(OperationKind.PURGE)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    paths = agent.host.paths
    for path in (paths.agents / agent.name, paths.applied_of(agent.name), paths.runtime_of(agent.name)):
        assert not path.exists()
    assert not paths.intent(agent.name).exists()
    assert (outside / "precious").read_text() == "kept"


async def purge_and_lose_counter(agent: EmbeddedAgent) -> None:
    """Purge the agent and delete the counter of proposal ids."""
    operation = await agent.run(OperationKind.PURGE)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    (agent.host.paths.engine / "last-proposal").unlink()


@pytest.mark.slow
async def test_ids_of_a_purged_agent_are_never_reused_even_without_the_counter(agent: EmbeddedAgent) -> None:
    for number in (1, 2, 3):
        made = await submit.submit(agent.host, agent.name, agent.commit(f"lab.talkSeconds = {number};"), "", OPERATOR)
        assert made.id == number
    for number in (4, 5):
        await purge_and_lose_counter(agent)
        await agent.spawn()
        made = await submit.submit(agent.host, agent.name, agent.commit("lab.talkSeconds = 9;"), "", OPERATOR)
        assert made.id == number
    assert "refs/hive/last-proposal" in git(agent.host.paths.meta, "for-each-ref")
    assert git(agent.host.paths.meta, "cat-file", "-p", "refs/hive/last-proposal") == "4\n"
    await agent.check_invariants()


@pytest.mark.slow
async def test_ids_survive_a_purge_in_a_hive_without_a_meta_commit(unspawned: EmbeddedAgent) -> None:
    for number in (1, 2):
        await proposed.create(unspawned.host, unspawned.name)
        await unspawned.applied.create_from_proposed()
        assert await repository.head(unspawned.host) is None
        made = await submit.submit(
            unspawned.host, unspawned.name, unspawned.commit("lab.talkSeconds = 9;"), "", OPERATOR
        )
        assert made.id == number
        await purge_and_lose_counter(unspawned)


async def test_a_symbolic_link_as_mount_source_is_refused(agent: EmbeddedAgent) -> None:
    await agent.run(OperationKind.STOP)
    state = agent.host.paths.state(agent.name)
    state.rmdir()
    state.symlink_to("/etc")
    with pytest.raises(BadData, match="is not a directory"):
        await lifecycle.start(agent.host, agent.new_progress(), agent.request(OperationKind.START))
    assert not await agent.is_up()


@pytest.mark.slow
async def test_two_rebuilds_at_once_each_set_their_own_system(agent: EmbeddedAgent) -> None:
    other = type(agent)(agent.host, agent.free_name())
    await other.spawn()
    for _ in range(2):
        begun = [launch.start(one.host, one.request(OperationKind.REBUILD)) for one in (agent, other)]
        for operation in await asyncio.gather(*map(agent.wait_for_end, begun)):
            assert operation.state is OperationState.SUCCEEDED, operation.error
        for one in (agent, other):
            assert environment_of(one.name)["HIVE_LABEL"] == one.name
            await one.check_invariants()


@pytest.mark.slow
async def test_two_spawns_at_once_both_come_up(unspawned: EmbeddedAgent) -> None:
    both = [unspawned, type(unspawned)(unspawned.host, unspawned.free_name())]
    begun = [launch.start(one.host, one.request(OperationKind.SPAWN)) for one in both]
    for operation in await asyncio.gather(*map(unspawned.wait_for_end, begun)):
        assert operation.state is OperationState.SUCCEEDED, operation.error
    for one in both:
        assert environment_of(one.name)["HIVE_LABEL"] == one.name
        await one.check_invariants()


@pytest.mark.slow
async def test_an_approved_spawn_request_ends_deployed(agent: EmbeddedAgent) -> None:
    new = type(agent)(agent.host, agent.free_name())
    proposal = await submit.request_spawn(agent.host, new.name, "", agent.request(OperationKind.SPAWN).operator)
    await new.approve(proposal.id)
    operation = await new.run(OperationKind.SPAWN, proposal.id)
    assert operation.state is OperationState.SUCCEEDED, operation.error
    assert await new.state(proposal.id) is ProposalState.DEPLOYED
    await new.check_invariants()


@pytest.mark.slow
async def test_of_two_spawns_at_once_that_share_a_port_one_is_refused(unspawned: EmbeddedAgent) -> None:
    first, second = two_names_with_one_port()
    both = [type(unspawned)(unspawned.host, name) for name in (first, second)]
    begun = [launch.start(one.host, one.request(OperationKind.SPAWN)) for one in both]
    ended = await asyncio.gather(*map(unspawned.wait_for_end, begun))
    assert sorted(operation.state.value for operation in ended) == ["failed", "succeeded"]
    (refused,) = [operation for operation in ended if operation.state is OperationState.FAILED]
    assert f"Port {names.port_of(first)}, which agent {refused.agent} needs, is taken" in (refused.error or "")
    assert not unspawned.host.paths.applied_of(refused.agent).exists()


async def test_a_spawn_whose_rollback_fails_is_left_for_repair(agent: EmbeddedAgent) -> None:
    async def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    paths, kind = agent.host.paths, OperationKind.SPAWN
    with pytest.raises(RollbackFailed, match="Input/output error"), intent.in_progress(paths, agent.name, kind):
        async with rollback_on_error(agent.new_progress(), fail):
            raise BadData("It failed", "", "")
    assert intent.read(paths, agent.name).doing is kind
