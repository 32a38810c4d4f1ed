"""Files of our own: replaced whole or not at all, durable when a call returns, and errors of the system in words.

Nothing here reads; a reader of a file that was written here sees the old bytes or the new ones, never a part.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from hivetui.engine.model.errors import CannotCreate, HiveError, NotAllowed

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FORBIDDEN = (errno.EPERM, errno.EACCES)
_PROBES = 4  # files of a block each: more than what a program that gave up has just given back
_FIXES = {
    errno.ENOSPC: "Make room on that file system and try again.",
    errno.EDQUOT: "Make room within the quota, or raise it, and try again.",
    errno.EROFS: "Mount it writable, or put the hive elsewhere.",
    errno.EMFILE: "Close programs, or raise the limit of open files.",
    errno.ENFILE: "Close programs, or raise the limit of open files.",
}


def describe_os_error(error: OSError, what: str) -> HiveError:
    """The failure of a write: `what` says what could not be done, the rest follows from the error's number."""
    why = error.strerror or str(error)
    if error.errno in _FORBIDDEN:
        return NotAllowed(what, why, "Do it as the user that owns the hive; on a real host that is root.")
    return CannotCreate(what, why, fix_for(error) or "Look at that place, mend it and try again.")


def disk_full_error(said: str) -> OSError | None:
    """The full disk or read-only place that a program's output tells of (in English, as with LC_ALL=C)."""
    return _named(said, _FULL)


def write_refusal(said: str, folder: Path) -> OSError | None:
    """Why a program that failed could not write in `folder`: by what it said, else by trying; None when it could."""
    if (found := _named(said, (*_FULL, *_FORBIDDEN))) is not None:
        return found
    try:
        with ExitStack() as stack:
            for _ in range(_PROBES):
                stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0)).write(bytes(4096))
    except OSError as error:
        return error if error.errno in (*_FULL, *_FORBIDDEN) else None
    return None


def is_write_refusal(error: HiveError) -> bool:
    """Whether a write failed since nothing may be written there at all, by this user or by anybody."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EROFS, *_FORBIDDEN)


def fix_for(error: OSError) -> str:
    """What to do about it, "" when nothing special is known."""
    return _FIXES.get(error.errno or 0, "")


def _named(said: str, numbers: Sequence[int]) -> OSError | None:
    said = said.replace("Out of diskspace", os.strerror(errno.ENOSPC))  # git's own words for it
    found = (number for number in numbers if os.strerror(number) in said)
    return next((OSError(number, os.strerror(number)) for number in found), None)


@contextmanager
def translate_os_errors(what: str) -> Iterator[None]:
    """Turn an OSError of the block into CannotCreate or NotAllowed that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise describe_os_error(error, what) from error


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make `path` a file of exactly `data` and `mode`, at once and durably; a failure leaves it as it was."""
    with translate_os_errors(f"{path} could not be written"):
        temporary = _written_beside(path, data, mode)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Make the folder and the parents that are missing, durably; one that exists keeps its mode."""
    with translate_os_errors(f"{path} could not be made"):
        _make_folder(path, mode)


def remove(path: Path) -> None:
    """Remove a file or symbolic link, durably; a missing one is no error."""
    with translate_os_errors(f"{path} could not be removed"), suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def _written_beside(path: Path, data: bytes, mode: int) -> Path:
    """A synced temporary file of the same folder, so that a rename is all that is left to do."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
            sync_open_file(file)
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
    sync_directory(path.parent)


def sync_directory(path: Path, dir_fd: int | None = None) -> None:
    """Make the entries of a directory durable: a power cut can undo a rename or a removal until then (fsync(2))."""
    _sync(path, os.O_DIRECTORY, dir_fd)


def sync(path: Path) -> None:
    """Make one file, or the entries of one directory, durable; OSError for a symbolic link."""
    _sync(path, os.O_NOFOLLOW)


def sync_tree(root: Path) -> None:
    """Make everything below `root`, and `root` itself, durable."""
    for directory, _, names in os.walk(root):
        for path in (*(Path(directory, name) for name in names), Path(directory)):
            if path.is_file() or path.is_dir():
                sync(path)


def sync_open_file(file: IO[bytes]) -> None:
    """Make what was written to a file durable."""
    file.flush()
    sync_descriptor(file.fileno())


def sync_descriptor(descriptor: int) -> None:
    """Make what was written to an open descriptor durable."""
    os.fsync(descriptor)


def _sync(path: Path, flags: int, dir_fd: int | None = None) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=dir_fd)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)
