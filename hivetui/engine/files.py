"""Files of our own: replaced whole or not at all, durable when a call returns, and errors of the system in words.

Nothing here reads; a reader of a file that was written here sees the old bytes or the new ones, never a part.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import CannotCreate, HiveError, NotAllowed

_FIXES = {
    errno.ENOSPC: "Make room on that file system and try again.",
    errno.EDQUOT: "Make room within the quota, or raise it, and try again.",
    errno.EROFS: "Mount it writable, or put the hive elsewhere.",
    errno.EMFILE: "Close programs, or raise the limit of open files.",
    errno.ENFILE: "Close programs, or raise the limit of open files.",
}


def in_words(error: OSError, what: str) -> HiveError:
    """The failure of a write: `what` says what could not be done, the rest follows from the error's number."""
    why = error.strerror or str(error)
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotAllowed(what, why, "Do it as the user that owns the hive; on a real host that is root.")
    fix = _FIXES.get(error.errno or 0, "Look at that place, mend it and try again.")
    return CannotCreate(what, why, fix)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn an OSError of the block into CannotCreate or NotAllowed that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise in_words(error, what) from error


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make `path` a file of exactly `data` and `mode`, at once and durably; a failure leaves it as it was."""
    with told(f"{path} could not be written"):
        temporary = _written_beside(path, data, mode)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make the folder and the parents that are missing, durably; one that exists keeps its mode."""
    with told(f"{path} could not be made"):
        _make_folder(path, mode)


def remove(path: Path) -> None:
    """Remove a file or symbolic link, durably; a missing one is no error."""
    with told(f"{path} could not be removed"), suppress(FileNotFoundError):
        path.unlink()
        _sync_folder(path.parent)


def _written_beside(path: Path, data: bytes, mode: int) -> Path:
    """A synced temporary file of the same folder, so that a rename is all that is left to do."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _make_folder(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    except FileNotFoundError:
        _make_folder(path.parent, 0o755)
        _make_folder(path, mode)
        return
    path.chmod(mode)  # whatever the umask took away
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in it durable: a rename alone can be lost by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
