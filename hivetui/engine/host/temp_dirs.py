"""Temporary folders that cannot become litter: each is locked while its maker lives, and the dead ones are swept.

What is made in one becomes visible by a single rename.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new private folder in `parent`, removed at the end unless it was renamed; sweeps dead ones before."""
    remove_dead(parent, prefix)
    path, lock = _locked_folder(parent, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def remove_dead(parent: Path, prefix: str) -> tuple[Path, ...]:
    """Remove the folders of makers that died, and say which."""
    return tuple(path for path in sorted(parent.glob(prefix + "*")) if _remove_dead(path))


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock(path)
        if lock is not None:
            return path, lock


def _lock(path: Path) -> int | None:
    """A lock of the folder, None when another holds it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _remove_dead(path: Path) -> bool:
    lock = _lock(path)
    if lock is None:
        return False
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
    return True


@contextmanager
def directory_lock(path: Path) -> Iterator[None]:
    """Hold a lock of the folder, which others wait for: for blocks of milliseconds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Make everything below `root`, and `root` itself, durable."""
    for where, _, names in os.walk(root):
        for path in (*(Path(where, name) for name in names), Path(where)):
            if path.is_file() or path.is_dir():
                sync(path)


def sync(path: Path) -> None:
    """Make one file, or the entries of one folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
