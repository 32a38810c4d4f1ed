"""Removing the directory trees of a purged agent, which may contain anything: links, odd modes, extreme depth.

Each tree is first renamed into a trash directory that no container can see, and removed there. So a kill leaves it
either complete in its place or out of it, no agent can change it while it is removed, and no link is followed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from hivetui.engine.agents import intent
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.errors import CannotCreate

_MAX_DEPTH = 100
_LIFTED = ".hivetui-lifted-" + os.urandom(8).hex() + "-"  # random, since an agent could take any fixed name
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


async def wipe(host: Host, name: str) -> None:
    """Remove the repos, kept directories, runtime directory, build roots and intent of an agent.

    Safe to repeat after a kill. CannotCreate, with the path, when something cannot be removed (an immutable file, a
    mount point); it is in `trash` then, and does not block a new agent of that name.
    """
    paths = host.paths
    names.check(name)
    for folder in (paths.proposed(name).parent, paths.applied_of(name)):
        _move_to_trash(folder, paths)
    for folder in (paths.runtime_of(name), paths.roots / name):
        await asyncio.to_thread(_remove_tree, folder)
    intent.forget(paths, name)
    await empty_trash(paths)


async def empty_trash(paths: Paths) -> int:
    """Remove what this and earlier wipes have moved to the trash; the number of trees."""
    trees = await asyncio.to_thread(lambda: sorted(trash(paths).glob("*")))
    for tree in trees:
        await asyncio.to_thread(_remove_tree, tree)
    return len(trees)


def trash(paths: Paths) -> Path:
    """Where trees are removed: on the same file system as the repos, so that a rename suffices, and in no container."""
    return paths.engine / "trash"


def _move_to_trash(folder: Path, paths: Paths) -> None:
    """Rename `folder` into the trash; where that is on another file system, remove it in place."""
    files.make_directory(trash(paths), 0o700)
    with files.translate_os_errors(f"No directory could be created in {trash(paths)}"):
        target = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=trash(paths)))
    try:
        folder.rename(target / "tree")
    except FileNotFoundError:
        target.rmdir()
    except OSError as error:
        target.rmdir()
        if error.errno != errno.EXDEV:
            raise _cannot_remove(folder, error) from error
        _remove_tree(folder)


def _remove_tree(tree: Path) -> None:
    """Remove `tree`, or the link that is in its place."""
    try:
        if tree.is_symlink():
            tree.unlink()
        else:
            _flatten(tree)
            shutil.rmtree(tree)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot_remove(tree, error) from error


def _flatten(tree: Path) -> None:
    """Move directories that are nested too deeply to the top of `tree`, until none is left.

    shutil.rmtree opens a file and recurses for each level, so an agent could prevent its purge by nesting directories
    a thousand levels deep.
    """
    top = os.open(tree, _DIRECTORY)
    try:
        numbers = count()
        while _lift(top, top, _MAX_DEPTH, numbers):
            pass
    finally:
        os.close(top)


def _lift(folder: int, top: int, levels: int, numbers: Iterator[int]) -> bool:
    """Move the directories `levels` below this open one to `top`; whether there were any. No link is followed."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    if levels == 0:
        for name in names:
            os.rename(name, f"{_LIFTED}{next(numbers)}", src_dir_fd=folder, dst_dir_fd=top)
        return bool(names)
    moved = [_lift_below(folder, name, top, levels - 1, numbers) for name in names]
    return True in moved


def _lift_below(folder: int, name: str, top: int, levels: int, numbers: Iterator[int]) -> bool:
    below = os.open(name, _DIRECTORY, dir_fd=folder)
    try:
        return _lift(below, top, levels, numbers)
    finally:
        os.close(below)


def _cannot_remove(tree: Path, error: OSError) -> CannotCreate:
    path = error.filename if isinstance(error.filename, str) else str(tree)
    reason = error.strerror or str(error)
    return CannotCreate(
        f"{tree} could not be removed completely",
        f"{path}: {reason}",
        "Look for a mount point or an immutable file below it (findmnt, lsattr), then purge again.",
    )
