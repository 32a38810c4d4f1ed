"""What may be done with an agent's container: spawn, start, stop, restart, rebuild, destroy, purge.

Each is a short row of steps that runs in the worker of one operation, which holds the agent's lock. What is refused
is refused before anything is touched. Only the meta repo has a lock of its own here, and it is held for no longer
than meta changes. A step that fails, or is cancelled, leaves what its docstring says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.agents import agent_list, intent, removal
from hivetui.engine.agents.intent import Built, Wanted
from hivetui.engine.containers import conf, health, limits, nixos_container, ports, units
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.operations import OperationKind, OperationRequest
from hivetui.engine.model.steps import StepName
from hivetui.engine.nix import nix
from hivetui.engine.operations.rollback import rollback_on_error, run_to_completion
from hivetui.engine.proposals import tags
from hivetui.engine.proposals.submit import decision_lock


async def spawn(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Make the agent and start it. From the meta entry on, a failure or a cancel takes back what was made on the host.

    Repos and kept directories stay then, so that spawning again goes on with them. BadData for a name that cannot be
    had or a container that is there already, Busy for a port that is taken.
    """
    name = names.check_new(request.agent)
    progress.step(StepName.CHECK)
    refuse_existing(host.paths, name)
    async with holding_port(host, name):
        progress.step(StepName.REPOS)
        await _make_repos(host, progress, name)
        make_mount_sources(host.paths, name)
        with intent.in_progress(host.paths, name, OperationKind.SPAWN):
            async with rollback_on_error(progress, lambda: undo_spawn(host, progress, name)):
                await _make_container(host, progress, name)


async def start(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Start the container of an agent, with what a reboot of the host took from `/run` made again."""
    name = _agent_with_container(host.paths, request)
    async with holding_port(host, name):
        intent.set_wanted(host.paths, name, Wanted.RUNNING)
        with intent.in_progress(host.paths, name, OperationKind.START):
            await start_again(host, progress, name)


async def stop(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop the container of an agent; a stopped one is no error."""
    name = _agent_with_container(host.paths, request)
    intent.set_wanted(host.paths, name, Wanted.STOPPED)
    progress.step(StepName.STOP)
    await nixos_container.stop(host, progress, name)


async def restart(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop, then start; refused, with the container as it was, when its port is taken."""
    name = _agent_with_container(host.paths, request)
    async with holding_port(host, name):
        intent.set_wanted(host.paths, name, Wanted.RUNNING)
        with intent.in_progress(host.paths, name, OperationKind.RESTART):
            progress.step(StepName.STOP)
            await nixos_container.stop(host, progress, name)
            await start_again(host, progress, name)


async def rebuild(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Build applied `main` on the base flake of meta's lock, and run it.

    Up to the stop a failure leaves the container as it was, running on. A system that does not start gives way to
    the one before it, started again if it ran.
    """
    name = _agent_with_container(host.paths, request)
    async with holding_port(host, name):
        await _rebuild(host, progress, name)


async def _rebuild(host: Host, progress: Progress, name: str) -> None:
    commit = deployed_commit(host, name)
    progress.step(StepName.META)
    await pin_in_meta(host, progress, name, commit, f"{name}: rebuild at {commit[:12]}")
    progress.step(StepName.BUILD)
    system = await nix.build(host, progress, name, None, rebuilt_root(host.paths, name))
    progress.step(StepName.CONFIGURE)
    await configure(host, progress, name)
    before = await snapshot(host, name)
    intent.set_wanted(host.paths, name, Wanted.RUNNING)
    with intent.in_progress(host.paths, name, OperationKind.REBUILD):
        async with rollback_on_error(progress, lambda: restore_previous(host, progress, name, before)):
            await _put_in(host, progress, name, system)
    await remember_built(host, name, system)


async def destroy(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Stop and remove the container, its drop-in and its meta entry; what is missing is no error.

    Repos, credentials and notes stay. NotFound for a name of which the host has no trace.
    """
    name = names.check(request.agent)
    agent_list.require_agent(host.paths, name)
    with intent.in_progress(host.paths, name, OperationKind.DESTROY):
        await remove(host, progress, name)


async def purge(host: Host, progress: Progress, request: OperationRequest) -> None:
    """Destroy, then wipe the agent's repos, kept directories and runtime directory."""
    name = names.check(request.agent)
    agent_list.require_agent(host.paths, name)
    with intent.in_progress(host.paths, name, OperationKind.PURGE):
        await remove_and_wipe(host, progress, name)


@asynccontextmanager
async def holding_port(host: Host, name: str) -> AsyncIterator[None]:
    """Refuse (Busy) while the agent's port is taken; within, no other agent of that port is begun to be started."""
    with ports.reserve_port(host, name):
        await ports.require_free(host, name, await units.unit_states(host))
        yield


@dataclass(frozen=True)
class Snapshot:
    """What ran in a container before another system was put in: its profile, and whether it ran."""

    system: Path | None
    ran: bool


async def snapshot(host: Host, name: str) -> Snapshot:
    """What is in the container now. One that failed and is meant to run counts as one that ran."""
    state = (await units.unit_states(host)).get(names.container_of(name), units.UnitState())
    crashed = state.state is AgentState.FAILED and intent.read(host.paths, name).wanted is Wanted.RUNNING
    return Snapshot(system=nixos_container.system_of(host, name), ran=state.up or crashed)


async def _put_in(host: Host, progress: Progress, name: str, system: Path) -> None:
    progress.step(StepName.STOP)
    await nixos_container.stop(host, progress, name)
    progress.step(StepName.SWITCH)
    await nixos_container.set_profile(host, progress, name, system)
    progress.step(StepName.START)
    await health.start_and_verify(host, progress, name, host.settings.deploy.health_seconds)


async def restore_previous(host: Host, progress: Progress, name: str, before: Snapshot) -> None:
    """The previous system, running if it ran, else stopped. What is so already is not touched."""
    progress.step(StepName.RESTORE)
    if before.system is not None and nixos_container.system_of(host, name) != before.system:
        await nixos_container.stop(host, progress, name)
        await nixos_container.set_profile(host, progress, name, before.system)
    state = (await units.unit_states(host)).get(names.container_of(name), units.UnitState())
    if before.ran and state.active != "active":
        await nixos_container.stop(host, progress, name)
        await recreate_runtime_files(host, progress, name)
        await health.start_and_verify(host, progress, name, host.settings.deploy.health_seconds)
    elif state.up and not before.ran:
        await nixos_container.stop(host, progress, name)


async def configure(host: Host, progress: Progress, name: str) -> None:
    """The mount sources, the conf and the limits of an agent, as the engine has them."""
    make_mount_sources(host.paths, name)
    conf.write_conf(host, name)
    await limits.write_limits(host, progress, name)


async def recreate_runtime_files(host: Host, progress: Progress, name: str) -> None:
    """Before any start that may come after a reboot of the host: what that took from `/run`, the limits among it."""
    make_mount_sources(host.paths, name)
    if not host.paths.limits(name).exists():
        await limits.write_limits(host, progress, name)


def make_mount_sources(paths: Paths, name: str) -> None:
    """Every folder that the container mounts. BadData when one is a link: it would mount what lies behind it."""
    for mount in paths.mounts(name):
        source = Path(mount.source)
        _refuse_links(paths, source)
        files.make_directory(source, 0o700 if source == paths.claude(name) else 0o755)


async def remove(host: Host, progress: Progress, name: str) -> None:
    """The container with its drop-in, then the meta entry; what is missing is no error."""
    intent.set_wanted(host.paths, name, Wanted.STOPPED)
    progress.step(StepName.DESTROY)
    await nixos_container.destroy(host, progress, name)
    progress.step(StepName.META)
    await remove_from_meta(host, progress, name)


async def remove_and_wipe(host: Host, progress: Progress, name: str) -> None:
    """`remove`, then the agent's folders; may be repeated after a kill."""
    await remove(host, progress, name)
    progress.step(StepName.WIPE)
    with await decision_lock(host, name, "purge"):  # nobody is given an id here that the wipe would take with it
        await _keep_ids(host, name)
        await removal.wipe(host, name)


async def _keep_ids(host: Host, name: str) -> None:
    """Keep in meta how far the ids have come: they are used once, and the tags that tell it go with the agent."""
    async with holding_meta(host, f"purge of {name}"):
        await repository.remember_last_id(host, tags.highest_id(host))


async def undo_spawn(host: Host, progress: Progress, name: str) -> None:
    """What a spawn made on the host: container, conf, drop-in, meta entry. Repos and kept directories stay."""
    progress.step(StepName.UNDO_SPAWN)
    await nixos_container.destroy(host, progress, name)
    await remove_from_meta(host, progress, name)
    intent.forget(host.paths, name)


@asynccontextmanager
async def holding_meta(host: Host, why: str) -> AsyncIterator[None]:
    """Hold the meta repo's lock, waiting for it. What is left half-written, by us or one before us, is put back."""
    with await locks.wait_for(locks.meta_lock(host.paths), why):
        await repository.restore_work_tree(host)
        try:
            yield
        except BaseException:
            await run_to_completion(repository.restore_work_tree(host))
            raise


async def remove_from_meta(host: Host, progress: Progress, name: str) -> None:
    """Take an agent out of meta; one that is not in it is no error."""
    if name not in await repository.pinned_commits(host):
        return
    async with holding_meta(host, f"take {name} out of meta"):
        await repository.sync(host, progress, sorted(set(await repository.pinned_commits(host)) - {name}))


async def remember_built(host: Host, name: str, system: Path) -> None:
    """Remember which commit and which base the system of an agent was made of."""
    commit, base = AppliedRepo(host, name).main(), await repository.base_revision(host)
    if commit is not None and base is not None:
        intent.remember_built(host.paths, name, Built(commit=commit, base=base, system=str(system)))


async def pin_in_meta(host: Host, progress: Progress, name: str, commit: str, message: str) -> str:
    """Sync meta with the host's agents and pin this one at `commit`; meta's head after that."""
    async with holding_meta(host, message):
        await repository.sync(host, progress, sorted({*await repository.pinned_commits(host), name}))
        return await repository.pin(host, progress, name, commit, message)


def refuse_existing(paths: Paths, name: str) -> None:
    """BadData when the container is there, whoever made it."""
    if paths.conf(name).exists() or paths.conf(name).is_symlink():
        raise BadData(
            f"There is a container of {name} already",
            f"{paths.conf(name)} exists",
            f"Rebuild it (hivetui rebuild {name}), or destroy it first (hivetui destroy {name}).",
        )


async def _make_repos(host: Host, progress: Progress, name: str) -> None:
    await proposed.create(host, name)
    await AppliedRepo(host, name).create_from_proposed()
    deployed_commit(host, name)
    if why := proposed.set_applied_remote(host, name):
        progress.say(f"The remote of {name}'s proposed repo was left as it is: {why}")


async def _make_container(host: Host, progress: Progress, name: str) -> None:
    progress.step(StepName.META)
    async with holding_meta(host, f"spawn {name}"):
        await repository.sync(host, progress, sorted({*await repository.pinned_commits(host), name}))
    progress.step(StepName.BUILD)
    system = await nix.build(host, progress, name, None, rebuilt_root(host.paths, name))
    progress.step(StepName.CREATE)
    async with holding_meta(host, f"create the container of {name}"):  # it reads meta's work tree
        await nixos_container.create(host, progress, name)
    progress.step(StepName.CONFIGURE)
    await configure(host, progress, name)
    progress.step(StepName.START)
    intent.set_wanted(host.paths, name, Wanted.RUNNING)
    await nixos_container.start(host, progress, name)
    await remember_built(host, name, system)


async def start_again(host: Host, progress: Progress, name: str) -> None:
    """Start, whatever a reboot took."""
    await recreate_runtime_files(host, progress, name)
    progress.step(StepName.START)
    await nixos_container.start(host, progress, name)


def _agent_with_container(paths: Paths, request: OperationRequest) -> str:
    name = names.check(request.agent)
    conf.require_container(paths, name)
    return name


def deployed_commit(host: Host, name: str) -> str:
    """Applied `main`; BadData, with the ways out, for a repo that is missing or of the older layout."""
    applied = AppliedRepo(host, name)
    commit = applied.main()
    if commit is None or not applied.has_layout():
        raise BadData(
            f"{applied.folder} does not have the layout of an applied repo",
            "it has no deployed/0" if applied.exists() else "it is not there",
            f"Migrate it (hivetui repair {name}), or hivetui destroy {name} --purge and hivetui spawn {name}.",
        )
    return commit


def rebuilt_root(paths: Paths, name: str) -> Path:
    """The out-link that keeps the system of the last rebuild from garbage collection."""
    return paths.roots / name / "rebuild"


def _refuse_links(paths: Paths, source: Path) -> None:
    """The manager can write below `agents`: a link there would mount, or make, something of the host's."""
    within = (part for part in (source, *source.parents) if paths.agents in part.parents)
    for part in within:
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise BadData(f"{part} is no folder", "it would be mounted into a container", "Remove it, and try again.")
