"""The lifecycle of an agent: spawn, start, stop, restart, rebuild, destroy, purge.

Each function runs in the worker of one operation, which holds the agent's lock. What can be refused is refused before
anything is touched. When a step fails or is cancelled, the host is left as the function's docstring says. What a kill
leaves is recorded in the agent's intent and settled by `leftovers`.
"""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.agents import agent_list, container_files, deployed, intent, meta_changes, previous_system, removal
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import conf, nixos_container, ports, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind, OperationRequest
from hivetui.engine.model.steps import StepName
from hivetui.engine.nix import build
from hivetui.engine.operations.rollback import rollback_on_error
from hivetui.engine.proposals.submit import decision_lock
from hivetui.engine.proposals.tags import MetaTagStore
from hivetui.engine.records import keeping
from hivetui.engine.review.effect import store as effects


async def spawn(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Make the agent's repos and directories, create its container and start it.

    BadData for an invalid name or an existing container, Busy for a port that is taken. A failure or a cancel from the
    meta entry on undoes what was made on the host; repos and kept directories stay, so spawning again works.
    """
    name = names.check_new(request.agent)
    progress.step(StepName.CHECK)
    conf.require_no_container(host.paths, name)
    async with ports.hold_port(host, name):
        progress.step(StepName.REPOS)
        await _make_repos(host, progress, name)
        container_files.make_mount_sources(host.paths, name)
        with intent.in_progress(host.paths, name, OperationKind.SPAWN):
            async with rollback_on_error(progress, lambda: undo_spawn(host, progress, name)):
                await _create_and_start(host, progress, name)


async def start(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Start the agent's container; one that runs is left alone. NotFound without one, Busy for a port that is taken."""
    name = _agent_with_container(host.paths, request)
    async with ports.hold_port(host, name):
        intent.set_wanted(host.paths, name, Wanted.RUNNING)
        if await _container_state(host, name) is AgentState.RUNNING:
            progress.say(f"{name} is already running: nothing to do")
            return
        with intent.in_progress(host.paths, name, OperationKind.START):
            await start_container(host, progress, name)


async def stop(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop the agent's container; one that is stopped is left alone. NotFound without a container."""
    name = _agent_with_container(host.paths, request)
    intent.set_wanted(host.paths, name, Wanted.STOPPED)
    if await _container_state(host, name) is AgentState.STOPPED:
        progress.say(f"{name} is not running: nothing to do")
        return
    progress.step(StepName.STOP)
    await nixos_container.stop(host, progress, name)


async def restart(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop, then start. Busy, with the container untouched, when its port is taken by another."""
    name = _agent_with_container(host.paths, request)
    async with ports.hold_port(host, name):
        intent.set_wanted(host.paths, name, Wanted.RUNNING)
        with intent.in_progress(host.paths, name, OperationKind.RESTART):
            progress.step(StepName.STOP)
            await nixos_container.stop(host, progress, name)
            await start_container(host, progress, name)


async def rebuild(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Build applied `main` on the base flake of meta's lock, and run the result.

    A failure before the container is stopped leaves it running as it was. When the new system does not come up, the
    previous one is restored, and started if it ran.
    """
    name = _agent_with_container(host.paths, request)
    async with ports.hold_port(host, name):
        await _rebuild(host, progress, name, request)


async def _rebuild(host: Host, progress: Progress, name: str, request: OperationRequest) -> None:
    commit = deployed.deployed_commit(host, name)
    progress.step(StepName.META)
    meta = await meta_changes.pin_in_meta(host, progress, name, commit, f"{name}: rebuild at {commit[:12]}")
    progress.step(StepName.BUILD)
    system = await build.build_system(host, progress, name, None, deployed.rebuilt_root(host.paths, name))
    await deployed.record_rebuild(host, name, request, commit, system)
    if await previous_system.is_in_place(host, name, system, runs=True):
        previous_system.report_unchanged(progress, name)
        intent.set_wanted(host.paths, name, Wanted.RUNNING)
    else:
        await _put_in_place(host, progress, name, system)
    await deployed.remember_built(host, name, system, meta)  # meta may have moved during the build


async def _put_in_place(host: Host, progress: Progress, name: str, system: Path) -> None:
    """Write the container's files, and restart it with this system; on failure, with the previous one."""
    progress.step(StepName.CONFIGURE)
    await container_files.write_container_files(host, progress, name)
    previous = await previous_system.take_snapshot(host, name)
    intent.set_wanted(host.paths, name, Wanted.RUNNING)
    with intent.in_progress(host.paths, name, OperationKind.REBUILD):
        async with rollback_on_error(
            progress, lambda: previous_system.restore_previous(host, progress, name, previous)
        ):
            await previous_system.switch_and_start(host, progress, name, system)


async def destroy(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop and remove the container, its limits and its meta entry; what is missing is not an error.

    Repos, credentials and notes stay. NotFound for an agent of which the host has no trace.
    """
    name = names.check(request.agent)
    agent_list.require_agent(host.paths, name)
    with intent.in_progress(host.paths, name, OperationKind.DESTROY):
        await remove(host, progress, name)


async def purge(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Destroy, then remove the agent's repos, kept directories and runtime directory; NotFound as for `destroy`."""
    name = names.check(request.agent)
    agent_list.require_agent(host.paths, name)
    with intent.in_progress(host.paths, name, OperationKind.PURGE):
        await remove_and_wipe(host, progress, name)


def _agent_with_container(paths: Paths, request: OperationRequest) -> str:
    name = names.check(request.agent)
    conf.require_container(paths, name)
    return name


async def _container_state(host: Host, name: str) -> AgentState:
    states = await units.unit_states(host)
    return states.get(names.container_of(name), UnitState()).state


async def _make_repos(host: Host, progress: Progress, name: str) -> None:
    await proposed.create(host, name)
    applied = AppliedRepo(host, name)
    await applied.create_from_proposed()
    await keeping.begin(host, applied.git, name)
    deployed.deployed_commit(host, name)
    if why := proposed.set_applied_remote(host, name):
        progress.say(f"The remote `applied` of {name}'s proposed repo was not set: {why}")


async def _create_and_start(host: Host, progress: Progress, name: str) -> None:
    progress.step(StepName.META)
    await meta_changes.add_to_meta(host, progress, name)
    await keeping.begin(host, MetaTagStore(host).git, "")
    progress.step(StepName.BUILD)
    system = await build.build_system(host, progress, name, None, deployed.rebuilt_root(host.paths, name))
    progress.step(StepName.CREATE)
    async with meta_changes.hold_meta(host, f"create the container of {name}"):  # it reads meta's work tree
        await nixos_container.create(host, progress, name)
    progress.step(StepName.CONFIGURE)
    await container_files.write_container_files(host, progress, name)
    progress.step(StepName.START)
    intent.set_wanted(host.paths, name, Wanted.RUNNING)
    await nixos_container.start(host, progress, name)
    await deployed.remember_built(host, name, system)


# What an operation does in the end, and a repair does when a kill kept the operation from it


async def start_container(host: Host, progress: Progress, name: str) -> None:
    """Make again what a reboot removed, and start the container."""
    await container_files.recreate_runtime_files(host, progress, name)
    progress.step(StepName.START)
    await nixos_container.start(host, progress, name)


async def undo_spawn(host: Host, progress: Progress, name: str) -> None:
    """Remove what a spawn made on the host: container, limits, meta entry, intent. Repos and directories stay."""
    progress.step(StepName.UNDO_SPAWN)
    await nixos_container.destroy(host, progress, name)
    await meta_changes.remove_from_meta(host, progress, name)
    intent.forget(host.paths, name)


async def remove(host: Host, progress: Progress, name: str) -> None:
    """Remove the container with its limits, then the meta entry; what is missing is not an error."""
    intent.set_wanted(host.paths, name, Wanted.STOPPED)
    progress.step(StepName.DESTROY)
    await nixos_container.destroy(host, progress, name)
    progress.step(StepName.META)
    await meta_changes.remove_from_meta(host, progress, name)


async def remove_and_wipe(host: Host, progress: Progress, name: str) -> None:
    """`remove`, then remove everything else that the agent has on the host."""
    await remove(host, progress, name)
    progress.step(StepName.WIPE)
    with await decision_lock(host, name, "purge"):  # otherwise an id could be given out here and be lost in the wipe
        await meta_changes.keep_last_id(host, name)
        await keeping.move_to_meta(host, AppliedRepo(host, name).git, name)
        await removal.wipe(host, name)
        effects.remove_agent(host.paths, name)
