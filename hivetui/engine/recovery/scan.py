"""What earlier crashes left on a host, as fixes that can be applied. Scanning itself changes nothing.

Each package knows its own leftovers; this module collects them, by the lock that protects them. The scan of an agent
that has none costs a few directory listings (`fast_check`) and starts no process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hivetui.engine.agents import leftovers as agent_leftovers
from hivetui.engine.agents import removal
from hivetui.engine.agents.agent_list import known_agents
from hivetui.engine.deploy.settle import settle
from hivetui.engine.git import leftovers as git_leftovers
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.commands import Git
from hivetui.engine.host import files, locks, temp_dirs, temp_files
from hivetui.engine.host.host import Host
from hivetui.engine.meta import leftovers as meta_leftovers
from hivetui.engine.model import names
from hivetui.engine.model.warnings import Repair
from hivetui.engine.proposals import leftovers as proposal_leftovers
from hivetui.engine.proposals import recording
from hivetui.engine.proposals.claims import list_stale_build_marks, list_unfinished
from hivetui.engine.proposals.submit import decision_lock, decision_lock_path
from hivetui.engine.proposals.tags import MetaTagStore
from hivetui.engine.records import keeping
from hivetui.engine.recovery import fast_check, migration
from hivetui.engine.recovery.null_progress import NullProgress

_REMOVE = ("remove", "removed")


@dataclass(frozen=True)
class Fix:
    """One thing that a crash left: whose it is, what it is, and what is done about it.

    `apply` does what `plan` says, and may return a more precise report than `done`.
    """

    agent: str | None
    found: str
    plan: str
    done: str
    apply: Callable[[], Awaitable[Repair | None]]

    @property
    def planned(self) -> Repair:
        """The report of a dry run."""
        return Repair(agent=self.agent, found=self.found, done=self.plan)

    @property
    def applied(self) -> Repair:
        """The report after `apply`."""
        return Repair(agent=self.agent, found=self.found, done=self.done)


@dataclass(frozen=True)
class Area:
    """A part of the hive: the lock under which its fixes are applied (None: they need none), and its scan.

    A fix is to be applied before the scan goes on, since what follows may depend on it.
    """

    lock: Path | None
    scan: Callable[[], AsyncIterator[Fix]]


def areas(host: Host, name: str | None) -> Iterator[Area]:
    """The areas to scan, of one agent or of all, in the order in which they are repaired: meta, agents, the rest."""
    yield Area(locks.meta_lock(host.paths), partial(_scan_meta, host))
    for agent in _agents_to_scan(host, name):
        yield Area(locks.agent_lock(host.paths, agent), partial(_scan_agent, host, agent))
    yield Area(None, partial(_scan_shared, host))


def _agents_to_scan(host: Host, name: str | None) -> Iterator[str]:
    """The agents for which the fast check says that something may be left, and the one that was named in any case."""
    if name is not None:
        yield name
        return
    spawns = fast_check.agents_with_unfinished_spawn(host)
    targets = agent_leftovers.targets_of_temporary_files(host.paths)
    for agent in sorted({*known_agents(host), *(agent for agent in spawns if names.problem(agent) is None)}):
        if agent in spawns or fast_check.needs_scan(host, agent, targets):
            yield agent


async def _scan_meta(host: Host) -> AsyncIterator[Fix]:
    if await meta_leftovers.is_dirty(host):
        found = "the work tree of meta was left in the middle of a change"
        apply_restore = partial(meta_leftovers.restore, host)
        yield Fix(None, found, "restore it to its last commit", "restored it to its last commit", apply_restore)
    for name in await meta_leftovers.agents_without_container(host):
        if locks.is_free(locks.agent_lock(host.paths, name)):  # else it may be about to get its container
            found = f"meta lists {name}, which has no container"
            apply = partial(meta_leftovers.remove_agent, host, NullProgress(host), name)
            yield Fix(name, found, "remove it from meta", "removed it from meta", apply)
    async for fix in _scan_records(host, MetaTagStore(host)):
        yield fix


async def _scan_records(host: Host, store: AppliedRepo) -> AsyncIterator[Fix]:
    """Records of decisions that have no ref, except while somebody decides; and a repo from before there were any."""
    if store.main() is None:
        return
    agent = store.name or None
    if keeping.record_ref(store.git_dir, keeping.FIRST) is None:
        begin = partial(keeping.begin, host, store.git, store.name)
        found = f"no records of decisions in {'the applied repo' if agent else 'meta'}"
        yield Fix(agent, found, "record what was decided before", "recorded what was decided before", begin)
    if agent is not None and not locks.is_free(decision_lock_path(host, agent)):
        return
    for number, blob in recording.unplanted_records(store):
        plant = partial(_plant, store.git, str(number), blob)
        yield Fix(agent, f"the record of decision {number} has no ref", "create it", "created it", plant)


async def _plant(git: Git, name: str, blob: str) -> None:
    await keeping.plant(git, name, blob)


async def _scan_agent(host: Host, name: str) -> AsyncIterator[Fix]:
    """What is left of one agent. Its repo comes first, since everything else reads it."""
    if stale := git_leftovers.stale_files(host.paths.applied_git(name)):
        found = f"{_count(len(stale), 'file')} left by a killed git process (locks or partial objects)"
        yield Fix(name, found, *_REMOVE, partial(_remove_git_files, host, name, stale))
    if migration.needs_migration(host, name):
        apply_migration = partial(migration.migrate, host, name)
        yield Fix(name, "an applied repo of an older layout", "migrate it", "migrated it", apply_migration)
    for number in proposal_leftovers.abandoned_rollbacks(host, name):
        apply_removal = partial(proposal_leftovers.remove_abandoned_rollback, host, name, number)
        yield Fix(name, f"rollback {number} was killed before its approval", *_REMOVE, apply_removal)
    async for fix in _scan_records(host, AppliedRepo(host, name)):
        yield fix
    for number in (*list_unfinished(host, name), *list_stale_build_marks(host, name)):
        apply = partial(settle, host, NullProgress(host), name, number)
        yield Fix(name, f"proposal {number} was not finished", "settle it", "settled it", apply)
    if kind := agent_leftovers.interrupted_work(host.paths, name):
        apply_work = partial(agent_leftovers.settle_interrupted_work, host, NullProgress(host), name, kind)
        yield Fix(name, f"{kind.value} was interrupted", *agent_leftovers.describe_settlement(kind), apply_work)
    if temporary := agent_leftovers.temporary_files(host.paths, name):
        found = f"{_count(len(temporary), 'temporary file')} left by an interrupted write"
        yield Fix(name, found, *_REMOVE, partial(_remove_files, temporary))


async def _scan_shared(host: Host) -> AsyncIterator[Fix]:
    """Temporary files and directories of dead processes, and the trees of purged agents. They need no lock."""
    if half := temp_files.find_stale(_own_directories(host)):
        yield Fix(
            None,
            f"{_count(len(half), 'file')} half written by a killed process",
            *_REMOVE,
            partial(_remove_files, half),
        )
    scratch = temp_dirs.find_stale(host.paths.work, "")
    if stale := (*scratch, *git_leftovers.stale_directories(host)):
        found = f"{_count(len(stale), 'working directory')} left by a killed process"
        yield Fix(None, found, *_REMOVE, partial(_remove_directories, host))
    if any(removal.trash(host.paths).glob("*")):
        yield Fix(None, "files of purged agents", *_REMOVE, partial(_empty_trash, host))


def _own_directories(host: Host) -> Iterator[Path]:
    """Where the engine keeps what belongs to no agent: tokens, marks, notes, counters."""
    engine = host.paths.engine
    yield engine
    if engine.is_dir():
        yield from (path for path in engine.iterdir() if path.is_dir())


def _count(number: int, noun: str) -> str:
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"1 {noun}" if number == 1 else f"{number} {plural}"


async def _remove_git_files(host: Host, name: str, stale: tuple[Path, ...]) -> None:
    with await decision_lock(host, name, "repair"):  # decisions write to the repo without the agent's lock
        await _remove_files(stale)


async def _remove_files(paths: tuple[Path, ...]) -> None:
    for path in paths:
        files.remove(path)


async def _remove_directories(host: Host) -> None:
    temp_dirs.remove_stale(host.paths.work, "")
    git_leftovers.remove_stale_directories(host)


async def _empty_trash(host: Host) -> None:
    await removal.empty_trash(host.paths)
