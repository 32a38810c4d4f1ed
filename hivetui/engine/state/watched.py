"""Which directories the state of a hive depends on, and what a change in each of them makes dirty. Pure but for lists.

The files are replaced by renames, and tags are created; a directory therefore tells every change of what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.state.dirty import Dirty

ANY_STATE_FILE = "end.json"
"""The name of an entry that makes its operation or agent dirty."""
_STATE_FILES = ("now.json", ANY_STATE_FILE, "progress.json", "worker.json", "request.json")

Effect = Callable[[str], Dirty]
"""What is dirty after a change of the entry with this name."""


def shared_directories(paths: Paths) -> Iterator[tuple[Path, Effect]]:
    """The directories that are there once, whether or not they exist yet."""
    yield paths.containers, _of_configuration
    yield paths.intent("x").parent, _of_intent
    yield paths.operations, _of_operation
    yield paths.applied, _of_agent
    for directory in _refs(paths.meta / ".git"):
        yield directory, _of_meta


def agent_directories(paths: Paths, name: str) -> Iterator[tuple[Path, Effect]]:
    """The directories of one agent."""

    def effect(_entry: str) -> Dirty:
        return Dirty(agents={name})

    yield from ((directory, effect) for directory in _refs(paths.applied_git(name)))
    yield paths.limits(name).parent, effect
    yield paths.profile(name).parent, effect


def operation_directory(paths: Paths, number: int) -> tuple[Path, Effect]:
    """The directory of one operation, in which only the files of its state count."""

    def effect(entry: str) -> Dirty:
        return Dirty(operations={number}) if entry in _STATE_FILES else Dirty()

    return paths.operations / str(number), effect


def signature(paths: Paths, name: str) -> tuple[tuple[int, int, int], ...]:
    """Inode, size and time of everything that the row of an agent is read from, to find a change that nothing told."""
    looked_at = [directory for directory, _ in agent_directories(paths, name)]
    return _identities([*looked_at, paths.conf(name), paths.intent(name), paths.limits(name), paths.profile(name)])


def meta_signature(paths: Paths) -> tuple[tuple[int, int, int], ...]:
    """The same of meta."""
    return _identities([*_refs(paths.meta / ".git")])


def _identities(looked_at: list[Path]) -> tuple[tuple[int, int, int], ...]:
    found = []
    for path in looked_at:
        with suppress(OSError):
            stat = os.lstat(path)
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _refs(git_dir: Path) -> Iterator[Path]:
    """The directories of a repo's refs that count: git's own, its branches, and each kind of tag."""
    yield git_dir
    yield git_dir / "refs/heads"
    yield git_dir / "refs/tags"
    with suppress(OSError):
        yield from (git_dir / "refs/tags" / entry.name for entry in os.scandir(git_dir / "refs/tags") if entry.is_dir())


def _of_configuration(entry: str) -> Dirty:
    if not _is_visible(entry, ".conf"):
        return Dirty()
    container = entry.removesuffix(".conf")
    name = names.agent_of(container)
    return Dirty(agents={name} if name else set(), units={container}, hive=True)


def _of_intent(entry: str) -> Dirty:
    return _of_agent(entry.removesuffix(".json")) if _is_visible(entry, ".json") else Dirty()


def _of_agent(entry: str) -> Dirty:
    return Dirty(agents={entry}) if names.problem(entry) is None else Dirty()


def _of_operation(entry: str) -> Dirty:
    return Dirty(operations={int(entry)}) if entry.isascii() and entry.isdigit() else Dirty()


def _of_meta(_entry: str) -> Dirty:
    return Dirty(meta=True, hive=True)


def _is_visible(entry: str, suffix: str) -> bool:
    return entry.endswith(suffix) and not entry.startswith(".")
