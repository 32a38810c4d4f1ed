"""What earlier crashes left on a host: looked for whenever the engine is opened, and settled where one answer is right.

Looking costs a few reads of files for each agent and no process for each. What is found is settled under the lock of
whom it concerns, which is never waited for: who is busy is looked at the next time. Several engines may be opened at
once; one of them repairs. What a person has to decide is a warning, with the command that mends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hivetui.engine.agents import intent, lifecycle, removal
from hivetui.engine.agents.agent_list import known_agents
from hivetui.engine.containers import container
from hivetui.engine.deploy.settle import settle
from hivetui.engine.events import event_log
from hivetui.engine.git.applied import MAKING, applied_names
from hivetui.engine.git.untrusted import quarantine
from hivetui.engine.host import files, locks, temp_dirs
from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import run_checked
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import Busy, HiveError
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.warnings import Repair
from hivetui.engine.operations import interrupted
from hivetui.engine.operations.directory import directory_of
from hivetui.engine.proposals.claims import list_stale_build_marks, list_unfinished
from hivetui.engine.proposals.submit import decision_lock
from hivetui.engine.recovery import fast_check, migration
from hivetui.engine.recovery.fast_check import stale_git_files

_FAILED = "could not be mended"


@dataclass(frozen=True)
class Fix:
    """One thing found: of whom, what, what would be done, and the doing of it, which may tell it better."""

    agent: str | None
    found: str
    done: str
    act: Callable[[], Awaitable[Repair | None]]


class NullProgress:
    """The progress of a repair: nobody follows it, its outcome is told when it ends."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def step(self, name: str) -> None:
        """Steps are not told."""

    def say(self, text: str) -> None:
        """Neither is talk."""

    async def run(self, command: Command) -> Completed:
        """Run a program; CommandFailed unless it ends with 0."""
        return await run_checked(self._host, command)


async def repair(host: Host, name: str | None = None, dry_run: bool = False) -> tuple[Repair, ...]:
    """Settle what earlier crashes left, of one agent or of all, and tell what was done (in a dry run: would be).

    Nothing when another engine is just doing it. What could not be mended is told as such, and the rest goes on.
    CannotCreate or NotAllowed in a place where nothing may be written, if something has to be mended there.
    """
    if name is not None:
        names.check(name)
    if not host.paths.library.is_dir():
        return ()
    if dry_run:
        return tuple([_told(mend) async for mend in _everything(host, name)])
    try:
        lock = locks.acquire(host.paths.locks / "repair", "repair")
    except Busy:
        return ()
    except HiveError as error:  # where nothing may be written, that is told only if something has to be
        if not files.is_write_refusal(error) or [mend async for mend in _everything(host, name)]:
            raise
        return ()
    with lock:
        found = [*_settle_operations(host), *[told async for told in _mended(host, name)]]
        for told in found:
            _tell(host, told)
        return tuple(found)


def _told(mend: Fix) -> Repair:
    return Repair(agent=mend.agent, found=mend.found, done=mend.done)


def _tell(host: Host, told: Repair) -> None:
    text = f"{told.found}: {told.done}"
    event_log.append(
        host.paths, Event(time=host.clock(), kind=EventKind.REPAIRED, agent=told.agent, operator="repair", text=text)
    )


async def _mended(host: Host, name: str | None) -> AsyncIterator[Repair]:
    """Look, take the lock of whom it concerns, look again, and mend."""
    async for told in _under(locks.meta_lock(host.paths), partial(_of_meta, host)):
        yield told
    for agent in _in_question(host, name):
        async for told in _under(locks.agent_lock(host.paths, agent), partial(_of_agent, host, agent)):
            yield told
    async for told in _each(_of_everyone(host)):
        yield told


async def _under(lock: Path, find: Callable[[], AsyncIterator[Fix]]) -> AsyncIterator[Repair]:
    with suppress(Busy), locks.acquire(lock, "repair"):
        async for told in _each(find()):
            yield told


async def _each(mends: AsyncIterator[Fix]) -> AsyncIterator[Repair]:
    """Mend one after the other. What fails is told, and keeps nothing else from being mended."""
    try:
        async for mend in mends:
            try:
                yield await mend.act() or _told(mend)
            except HiveError as error:
                yield Repair(agent=mend.agent, found=mend.found, done=f"{_FAILED}: {error.what} ({error.why})")
    except HiveError as error:
        yield Repair(agent=None, found=error.what, done=f"{_FAILED}: {error.why}")


async def _everything(host: Host, name: str | None) -> AsyncIterator[Fix]:
    """All that would be mended, without a lock and without a change."""
    for operation in interrupted.dead_operations(host.paths):
        yield Fix(operation.agent, _dead(operation.id, operation.kind), "mark it as interrupted", _nothing)
    if _dirty(host):
        yield Fix(None, _DIRTY, "put it back to its last commit", _nothing)
    for agent in _in_question(host, name):
        async for mend in _of_agent(host, agent):
            yield mend


async def _nothing() -> None:
    return None


# Operations


def _settle_operations(host: Host) -> Iterator[Repair]:
    for operation in interrupted.mark_interrupted(host.paths, host.clock):
        folder = directory_of(host.paths, operation.id).path
        for litter in folder.glob(".*.tmp"):
            files.remove(litter)
        yield Repair(agent=operation.agent, found=_dead(operation.id, operation.kind), done="marked it as interrupted")


def _dead(number: int, kind: OperationKind) -> str:
    return f"operation {number} ({kind.value}) died before its end"


# Meta

_DIRTY = "the work tree of meta was left in the middle of a change"


def _dirty(host: Host) -> bool:
    """Whether meta's files differ from those of its index, or something was left beside them; told by dates."""
    git_dir = host.paths.meta / ".git"
    if not git_dir.is_dir():
        return False
    strange = {path.name for path in host.paths.meta.iterdir()} - {".git", "flake.nix", "flake.lock"}
    return bool(strange) or any(git_dir.glob("*.lock")) or any((git_dir / "refs").rglob("*.lock"))


def _locks_of_meta(host: Host) -> Iterator[Path]:
    """Of what only the holder of meta's lock writes. Spawn requests plant and remove tags without it."""
    git_dir = host.paths.meta / ".git"
    yield from (path for path in git_dir.glob("*.lock") if path.name != "packed-refs.lock")
    yield from (git_dir / "refs/heads").rglob("*.lock")


async def _of_meta(host: Host) -> AsyncIterator[Fix]:
    stale = list(_locks_of_meta(host))
    for path in stale:
        files.remove(path)
    if await repository.restore_work_tree(host) or stale:
        yield Fix(None, _DIRTY, "put it back to its last commit", _nothing)
    progress = NullProgress(host)
    for name in sorted(await repository.pinned_commits(host)):
        if not host.paths.conf(name).exists() and locks.is_free(locks.agent_lock(host.paths, name)):
            known = sorted(set(await repository.pinned_commits(host)) - {name})
            yield Fix(
                name, f"meta has {name}, which has no container", "took it out of meta", _synced(host, progress, known)
            )


def _synced(host: Host, progress: NullProgress, known: list[str]) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        await repository.sync(host, progress, known)

    return act


# Agents


def _agents(host: Host, name: str | None, spawns: frozenset[str]) -> tuple[str, ...]:
    """The agents of whom there is a trace: repo, container, intent, or a spawn that has no end."""
    if name is not None:
        return (name,)
    return tuple(sorted({*known_agents(host), *(agent for agent in spawns if names.problem(agent) is None)}))


def _in_question(host: Host, name: str | None) -> Iterator[str]:
    """Of whom something may be left; the agent that is named is looked at in any case."""
    begun, spawns = fast_check.targets_of_partial_writes(host.paths), fast_check.spawns_without_end(host)
    for agent in _agents(host, name, spawns):
        if agent == name or agent in spawns or fast_check.needs_check(host, agent, begun):
            yield agent


async def _of_agent(host: Host, name: str) -> AsyncIterator[Fix]:
    """What is left of one agent, in the order in which it is settled; repos first, since the rest reads them."""
    if stale := _stale(host, name):
        found = f"{len(stale)} locks and half-written files of a git that died"
        yield Fix(name, found, "removed them", _removed(host, name, stale))
    if migration.needs_migration(host, name):
        yield Fix(name, "an applied repo of the older layout", "migrate it", lambda: migration.migrate(host, name))
    for number in (*list_unfinished(host, name), *list_stale_build_marks(host, name)):
        yield Fix(name, f"proposal {number} has no end", "settle it", _settled(host, name, number))
    doing = intent.read(host.paths, name).doing
    if doing is not None:
        done, act = _DOING.get(doing, ("nothing had to be done", _leave))
        yield Fix(name, f"{doing.value} was interrupted", done, _finished(host, name, act))
    if litter := list(_temporary(host.paths, name)):
        yield Fix(name, f"{len(litter)} temporary files of a write that died", "removed them", _cleared(litter))


def _settled(host: Host, name: str, number: int) -> Callable[[], Awaitable[Repair]]:
    return lambda: settle(host, NullProgress(host), name, number)


def _finished(host: Host, name: str, act: _Act) -> Callable[[], Awaitable[None]]:
    async def finish() -> None:
        await act(host, name)
        intent.clear_in_progress(host.paths, name)

    return finish


async def _take_back(host: Host, name: str) -> None:
    await lifecycle.undo_spawn(host, NullProgress(host), name)


async def _start_again(host: Host, name: str) -> None:
    """Start what is meant to run and was stopped on the way; once, whether or not it comes up."""
    intent.clear_in_progress(host.paths, name)
    meant = intent.read(host.paths, name).wanted is intent.Wanted.RUNNING
    if meant and host.paths.conf(name).exists() and not container.is_up(await container.unit_states(host), name):
        async with lifecycle.holding_port(host, name):
            await lifecycle.start_again(host, NullProgress(host), name)


async def _remove(host: Host, name: str) -> None:
    await lifecycle.remove(host, NullProgress(host), name)


async def _wipe(host: Host, name: str) -> None:
    await lifecycle.remove_and_wipe(host, NullProgress(host), name)


async def _leave(host: Host, name: str) -> None:
    """The look itself was enough."""


_Act = Callable[[Host, str], Awaitable[None]]
_DOING: dict[OperationKind, tuple[str, _Act]] = {
    OperationKind.SPAWN: ("took back what it had made on the host", _take_back),
    OperationKind.START: ("started what is meant to run", _start_again),
    OperationKind.RESTART: ("started what is meant to run", _start_again),
    OperationKind.REBUILD: ("started what is meant to run", _start_again),
    OperationKind.DESTROY: ("removed the rest", _remove),
    OperationKind.PURGE: ("wiped the rest", _wipe),
}


# Litter


def _stale(host: Host, name: str) -> list[Path]:
    """What a git that died left in applied. Nobody writes there without the agent's or the decision lock."""
    return list(stale_git_files(host.paths.applied_git(name)))


def _removed(host: Host, name: str, stale: list[Path]) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        with await decision_lock(host, name, "repair"):
            for path in stale:
                files.remove(path)

    return act


def _temporary(paths: Paths, name: str) -> Iterator[Path]:
    """The files that atomic writes leave when they die: our own, and the links of nix."""
    for path in (paths.conf(name), paths.limits(name), paths.intent(name)):
        yield from path.parent.glob(f".{path.name}.*.tmp")
    for folder in (paths.roots / name, paths.profile(name).parent):
        yield from (path for path in folder.glob(".*") if path.is_symlink())


def _cleared(litter: list[Path]) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        for path in litter:
            files.remove(path)

    return act


async def _of_everyone(host: Host) -> AsyncIterator[Fix]:
    """Folders whose makers died, and trees that a purge moved away."""
    swept = temp_dirs.remove_stale(host.paths.work, "")
    swept += temp_dirs.remove_stale(host.paths.applied, MAKING)
    for name in applied_names(host):
        swept += temp_dirs.remove_stale(host.paths.applied_of(name), quarantine.PREFIX)
    if swept:
        yield Fix(None, f"{len(swept)} working folders of programs that died", "removed them", _nothing)
    if any(removal.trash(host.paths).glob("*")):
        yield Fix(None, "trees of purged agents", "removed them", lambda: _emptied(host))


async def _emptied(host: Host) -> None:
    await removal.empty_trash(host.paths)
