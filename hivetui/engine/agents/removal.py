"""Removing what agents wrote: trees full of links, odd modes and surprises, without following any of them.

An agent's folders are first moved, each by one rename, to a place no container sees; only there are they emptied. So a
kill leaves them whole or gone from where they were, and nobody can change them while they are taken apart.
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

_DEEPEST = 100
_LIFTED = ".hivetui-lifted-" + os.urandom(8).hex() + "-"  # no name that is there already
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


async def wipe(host: Host, name: str) -> None:
    """Remove the repos, kept directories, runtime directory and build roots of an agent, and forget its intent.

    Safe to repeat after a kill. CannotCreate, with the path, when something in them cannot be removed (immutable, a
    mount point); it lies in `trash` then, out of the way of a new agent of that name.
    """
    paths = host.paths
    names.check(name)
    for folder in (paths.proposed(name).parent, paths.applied_of(name)):
        _move_away(folder, trash(paths))
    for folder in (paths.runtime_of(name), paths.roots / name):
        await asyncio.to_thread(_remove_tree, folder)
    intent.forget(paths, name)
    await empty_trash(paths)


async def empty_trash(paths: Paths) -> int:
    """Remove what earlier wipes moved away; how many trees that were."""
    found = await asyncio.to_thread(lambda: sorted(trash(paths).glob("*")))
    for tree in found:
        await asyncio.to_thread(_remove_tree, tree)
    return len(found)


def trash(paths: Paths) -> Path:
    """Where trees wait for their removal: on the file system of the repos, and in no container's sight."""
    return paths.engine / "trash"


def _move_away(folder: Path, to: Path) -> None:
    files.make_directory(to, 0o700)
    with files.translate_os_errors(f"a folder in {to} could not be made"):
        target = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=to))
    try:
        folder.rename(target / "tree")
    except FileNotFoundError:
        target.rmdir()
    except OSError as error:
        target.rmdir()
        if error.errno != errno.EXDEV:
            raise _cannot(folder, error) from error
        _remove_tree(folder)


def _remove_tree(tree: Path) -> None:
    """Remove `tree`; a link in its place is removed and not followed."""
    try:
        if tree.is_symlink():
            tree.unlink()
        else:
            _flatten(tree)
            shutil.rmtree(tree)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(tree, error) from error


def _flatten(tree: Path) -> None:
    """Move what lies too deep to the top, as often as it takes: rmtree opens a file, and calls itself, for each level.

    An agent can make a folder in a folder by the thousand, and would otherwise not be purged.
    """
    top = os.open(tree, _FOLDER)
    try:
        numbers = count()
        while _lift(top, top, _DEEPEST, numbers):
            pass
    finally:
        os.close(top)


def _lift(folder: int, top: int, levels: int, numbers: Iterator[int]) -> bool:
    """Whether a folder `levels` below this open one was there, and was moved to `top`. No link is followed."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    if levels == 0:
        for name in names:
            os.rename(name, f"{_LIFTED}{next(numbers)}", src_dir_fd=folder, dst_dir_fd=top)
        return bool(names)
    moved = [_lift_below(folder, name, top, levels - 1, numbers) for name in names]
    return True in moved


def _lift_below(folder: int, name: str, top: int, levels: int, numbers: Iterator[int]) -> bool:
    below = os.open(name, _FOLDER, dir_fd=folder)
    try:
        return _lift(below, top, levels, numbers)
    finally:
        os.close(below)


def _cannot(tree: Path, error: OSError) -> CannotCreate:
    path = error.filename if isinstance(error.filename, str) else str(tree)
    reason = error.strerror or str(error)
    return CannotCreate(
        f"{tree} could not be removed whole",
        f"{path}: {reason}",
        "Look for a mount point or an immutable file below it (findmnt, lsattr), then purge again.",
    )
