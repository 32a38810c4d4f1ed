"""Whether an earlier crash may have left something of an agent: told by the names in a few folders, so that a hundred
agents in order cost a few milliseconds. What it says yes to is then looked at properly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hivetui.engine.agents import intent
from hivetui.engine.git import objects
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.proposals import claims
from hivetui.engine.recovery import migration

ENDS = ("deployed", "failed", "denied", "withdrawn")
_LISTED = (*ENDS, "approved", "building")


def needs_check(host: Host, name: str, begun_writes: frozenset[str]) -> bool:
    """Whether something may be left of the agent; `begun_writes` is of `files_of_begun_writes`."""
    paths = host.paths
    if intent.read(paths, name).doing is not None or _has_begun_write(paths, name, begun_writes):
        return True
    if not paths.applied_of(name).is_dir():
        return False
    git_dir = paths.applied_git(name)
    tags = _tags(git_dir)
    return migration.needs_migration(host, name) or _is_open(git_dir, tags) or _has_lock(git_dir, tags)


def spawns_without_end(host: Host) -> frozenset[str]:
    """The agents whose spawn was asked for and approved, and came to no end."""
    git_dir = host.paths.meta / ".git"
    return claims.agents_with_unfinished_spawn(host) if _is_open(git_dir, _tags(git_dir)) else frozenset()


def _tags(git_dir: Path) -> dict[str, tuple[str, ...]]:
    return {state: _names(git_dir / "refs/tags" / state) for state in _LISTED}


def targets_of_partial_writes(paths: Paths) -> frozenset[str]:
    """The names of the files beside which an atomic write of a configuration or an intent has left its own."""
    found = (*_names(paths.containers), *_names(paths.intent("x").parent))
    return frozenset(target_of_partial_write(name) for name in found if name.endswith(".tmp"))


def target_of_partial_write(name: str) -> str:
    """The file that `.FILE.RANDOM.tmp`, as `files.replace` names it, was to become."""
    return name.removesuffix(".tmp").rpartition(".")[0].removeprefix(".")


def _has_begun_write(paths: Paths, name: str, begun: frozenset[str]) -> bool:
    if not begun.isdisjoint((paths.conf(name).name, paths.intent(name).name)):
        return True
    beside = (paths.roots / name, paths.profile(name).parent, paths.limits(name).parent)
    return any(found.startswith(".") for folder in beside for found in _names(folder))


def _is_open(git_dir: Path, tags: dict[str, tuple[str, ...]]) -> bool:
    """Whether a tag is without its end. Packed tags are rare, since the engine packs none, and are read whole."""
    if (git_dir / "packed-refs").exists():
        refs = [ref.split("/") for ref in objects.refs(git_dir, "refs/tags")]
        tags = {state: tuple(ref[-1] for ref in refs if ref[2] == state) for state in _LISTED}
    ended = {number for state in ENDS for number in tags[state]}
    return bool(tags["building"]) or not ended.issuperset(tags["approved"])


def _has_lock(git_dir: Path, tags: dict[str, tuple[str, ...]]) -> bool:
    folders: Iterable[tuple[str, ...]] = (_names(git_dir), _names(git_dir / "refs/heads"), *tags.values())
    locked = any(name.endswith(".lock") for names in folders for name in names)
    return locked or any(name.startswith("tmp_") for name in _names(git_dir / "objects/pack"))


def stale_git_files(git_dir: Path) -> Iterator[Path]:
    """Every lock and half-written object in a repo of ours."""
    yield from git_dir.glob("*.lock")
    yield from (git_dir / "refs").rglob("*.lock")
    yield from (git_dir / "objects").glob("pack/tmp_*")
    yield from (git_dir / "objects").glob("??/tmp_obj_*")


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))  # noqa: PTH208  (a Path for each name is what costs)
    except (FileNotFoundError, NotADirectoryError):
        return ()
