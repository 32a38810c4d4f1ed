"""What a git that was killed leaves in the applied repos: lock files, partial objects and temporary directories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hivetui.engine.git.applied import CREATION_PREFIX, applied_names
from hivetui.engine.git.untrusted import quarantine
from hivetui.engine.host import temp_dirs
from hivetui.engine.host.host import Host


def stale_files(git_dir: Path) -> tuple[Path, ...]:
    """Every lock file and partial object of a repo. They are stale only if nobody writes to the repo meanwhile."""
    found = [*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock")]
    found += (git_dir / "objects").glob("pack/tmp_*")
    found += (git_dir / "objects").glob("??/tmp_obj_*")
    return tuple(found)


def stale_directories(host: Host) -> tuple[Path, ...]:
    """The directories of dead processes in which a repo was being made or a commit was being fetched."""
    return tuple(
        path for parent, prefix in _temporary_directories(host) for path in temp_dirs.find_stale(parent, prefix)
    )


def remove_stale_directories(host: Host) -> None:
    """Remove `stale_directories`; one whose owner lives is left alone."""
    for parent, prefix in _temporary_directories(host):
        temp_dirs.remove_stale(parent, prefix)


def _temporary_directories(host: Host) -> Iterator[tuple[Path, str]]:
    yield host.paths.applied, CREATION_PREFIX
    for name in applied_names(host):
        yield host.paths.applied_of(name), quarantine.PREFIX
