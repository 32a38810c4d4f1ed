"""Exclusive locks between processes. Standard library only, because the embedded stand-ins use them too.

There have to be two kinds: open file description locks (fcntl(2), F_OFD_SETLK) for files, the only ones that can be
tested without being taken, and flock(2) for directories, since the first kind needs a writable descriptor.
Both belong to the open file, not to a process: an inherited descriptor holds the lock too, and the last close frees it.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_file(path: Path) -> int:
    """Open a lock file, which is created when it is missing; not locked yet. OSError when that is impossible."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False when another holds it. Idempotent for the holder."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _entire_file(fcntl.F_WRLCK))
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int) -> None:
    """Lock an open file; blocks until it is free."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _entire_file(fcntl.F_WRLCK))


def is_locked(path: Path) -> bool:
    """Whether anybody holds the lock of a file, tested without taking it; a missing file is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _entire_file(fcntl.F_WRLCK))
    finally:
        os.close(descriptor)
    return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)


def try_lock_directory(path: Path) -> int | None:
    """Lock a directory and return its descriptor; None when another holds it, or it is gone or cannot be opened."""
    try:
        descriptor = os.open(path, _DIRECTORY_FLAGS)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:  # 0: removed between the open and the lock
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def lock_directory(path: Path) -> int:
    """Lock a directory and return its descriptor; blocks until it is free."""
    descriptor = os.open(path, _DIRECTORY_FLAGS)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _entire_file(kind: int) -> bytes:
    """`struct flock` of fcntl(2) for the whole file: type, whence, start, length, pid (which has to be 0)."""
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)
