"""What a crash can leave of one agent: interrupted work on its container, and temporary files of atomic writes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.agents import intent, lifecycle
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import ports, units
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.operations import OperationKind

# Interrupted work


def interrupted_work(paths: Paths, name: str) -> OperationKind | None:
    """The kind of operation that was at work on the agent's container; None if none is, or if it ended properly."""
    return intent.read(paths, name).doing


def describe_settlement(kind: OperationKind) -> tuple[str, str]:
    """What `settle_interrupted_work` will do for this kind, and what it did, in words."""
    known = _SETTLEMENTS.get(kind)
    return (known.plan, known.done) if known else ("nothing has to be done", "nothing had to be done")


async def settle_interrupted_work(host: Host, progress: Progress, name: str, kind: OperationKind) -> None:
    """Undo or finish the interrupted work; the caller holds the agent's lock."""
    if known := _SETTLEMENTS.get(kind):
        await known.apply(host, progress, name)
    intent.clear_in_progress(host.paths, name)


async def _start_again(host: Host, progress: Progress, name: str) -> None:
    """Start the container if it should run and does not; only once, whether or not it starts."""
    intent.clear_in_progress(host.paths, name)
    should_run = intent.read(host.paths, name).wanted is Wanted.RUNNING and host.paths.conf(name).exists()
    if should_run and not units.is_up(await units.unit_states(host), name):
        async with ports.hold_port(host, name):
            await lifecycle.start_container(host, progress, name)


@dataclass(frozen=True)
class _Settlement:
    plan: str
    done: str
    apply: Callable[[Host, Progress, str], Awaitable[None]]


_RESTART = _Settlement("start the container if it should run", "started the container if it should run", _start_again)
_SETTLEMENTS: dict[OperationKind, _Settlement] = {
    OperationKind.SPAWN: _Settlement("roll it back", "rolled it back", lifecycle.undo_spawn),
    OperationKind.START: _RESTART,
    OperationKind.RESTART: _RESTART,
    OperationKind.REBUILD: _RESTART,
    OperationKind.DESTROY: _Settlement("remove the rest", "removed the rest", lifecycle.remove),
    OperationKind.PURGE: _Settlement("delete the rest", "deleted the rest", lifecycle.remove_and_wipe),
}


# Temporary files


def temporary_files(paths: Paths, name: str) -> tuple[Path, ...]:
    """The temporary files of atomic writes that were killed: the engine's own, and the links of nix.

    They are stale only if nobody works on the agent meanwhile.
    """
    own = [
        temporary
        for target in (paths.conf(name), paths.limits(name), paths.intent(name))
        for temporary in target.parent.glob(f".{target.name}.*.tmp")
    ]
    folders = (paths.roots / name, paths.profile(name).parent)
    links = [path for folder in folders for path in folder.glob(".*") if path.is_symlink()]
    return (*own, *links)


def targets_of_temporary_files(paths: Paths) -> frozenset[str]:
    """The names of the files in the directories shared by all agents beside which a temporary file was left."""
    entries = (*_list(paths.containers), *_list(paths.intent("x").parent))
    return frozenset(target_of_temporary_file(entry) for entry in entries if entry.endswith(".tmp"))


def target_of_temporary_file(name: str) -> str:
    """FILE of `.FILE.RANDOM.tmp`, as `files.replace` names its temporary files."""
    return name.removesuffix(".tmp").rpartition(".")[0].removeprefix(".")


def may_have_temporary_files(paths: Paths, name: str, targets: frozenset[str]) -> bool:
    """A cheap check before `temporary_files`, by names alone; `targets` comes from `targets_of_temporary_files`."""
    if not targets.isdisjoint((paths.conf(name).name, paths.intent(name).name)):
        return True
    folders = (paths.roots / name, paths.profile(name).parent, paths.limits(name).parent)
    return any(entry.startswith(".") for folder in folders for entry in _list(folder))


def _list(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))  # noqa: PTH208  (a Path for each entry is the larger part of the cost)
    except (FileNotFoundError, NotADirectoryError):
        return ()
