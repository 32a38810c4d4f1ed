"""Temporary directories that a crash cannot leave behind for good.

Each is locked while its owner lives; the next owner removes those whose lock is free.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.engine.host import file_lock


@contextmanager
def temporary_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new private directory in `parent`, removed at the end of the block unless the block renamed it.

    Stale ones of the same prefix are removed first.
    """
    remove_stale(parent, prefix)
    path, lock = _create_locked(parent, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def remove_stale(parent: Path, prefix: str) -> tuple[Path, ...]:
    """Remove the directories whose owner has died, and return their paths."""
    return tuple(path for path in sorted(parent.glob(prefix + "*")) if _remove_if_stale(path))


def find_stale(parent: Path, prefix: str) -> tuple[Path, ...]:
    """The directories whose owner has died. None of them is changed."""
    return tuple(path for path in sorted(parent.glob(prefix + "*")) if _is_stale(path))


@contextmanager
def directory_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a directory for the block, waiting for it: only for blocks of milliseconds."""
    lock = file_lock.lock_directory(path)
    try:
        yield
    finally:
        os.close(lock)


def _create_locked(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:  # another process may take a new directory for a stale one before it is locked
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = file_lock.try_lock_directory(path)
        if lock is not None:
            return path, lock


def _is_stale(path: Path) -> bool:
    lock = file_lock.try_lock_directory(path)
    if lock is None:
        return False
    os.close(lock)
    return True


def _remove_if_stale(path: Path) -> bool:
    lock = file_lock.try_lock_directory(path)
    if lock is None:
        return False
    try:
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
    return True
