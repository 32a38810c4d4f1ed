"""Writing the engine's own files: atomic, durable when a call returns, with the errors of the system translated.

A reader of a file that is replaced here sees the old contents or the new ones, never a part. Every fsync is in here.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from hivetui.engine.host import temp_files
from hivetui.engine.model.errors import CannotCreate, HiveError, NotAllowed, OperationFailed

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FORBIDDEN = (errno.EPERM, errno.EACCES)
_PROBES = 4  # files of one block each: more than what a program that failed has just freed
_FIXES = {
    errno.ENOSPC: "Free some space on that file system and try again.",
    errno.EDQUOT: "Free some space, or raise the quota, and try again.",
    errno.EROFS: "Mount it writable, or move the hive to another file system.",
    errno.EMFILE: "Close programs, or raise the limit on open files (ulimit -n).",
    errno.ENFILE: "Close programs, or raise the limit on open files (ulimit -n).",
}


def describe_os_error(error: OSError, what: str) -> HiveError:
    """The error for a failed write: `what` says what could not be done; reason and fix follow from the errno."""
    why = error.strerror or str(error)
    if error.errno in _FORBIDDEN:
        return NotAllowed(what, why, "Do it as the user that owns the hive; on a real host that is root.")
    return CannotCreate(what, why, fix_for(error) or "Check that file or directory, then try again.")


def describe_unusable_file(error: OSError) -> HiveError | None:
    """The error for a file of the host that nothing expected to be unusable; None if `error` names no file."""
    if error.filename is None:
        return None
    what = f"{os.fsdecode(error.filename)} could not be used"
    if error.errno in (*_NO_SPACE, *_FORBIDDEN):
        return describe_os_error(error, what)
    return OperationFailed(what, error.strerror or str(error), "Check that file or directory, and see: hivetui doctor")


def disk_full_error(output: str) -> OSError | None:
    """The full or read-only file system that the output of a program names (in English, as with LC_ALL=C)."""
    return _find_error(output, _NO_SPACE)


def write_refusal(output: str, directory: Path) -> OSError | None:
    """Why a program that failed could not write in `directory`: by its output, else by trying; None if it could."""
    if (named := _find_error(output, (*_NO_SPACE, *_FORBIDDEN))) is not None:
        return named
    try:
        with ExitStack() as stack:
            for _ in range(_PROBES):
                stack.enter_context(tempfile.TemporaryFile(dir=directory, buffering=0)).write(bytes(4096))
    except OSError as error:
        return error if error.errno in (*_NO_SPACE, *_FORBIDDEN) else None
    return None


def lacks_room(directory: Path, size: int) -> bool:
    """Whether a file of so many bytes cannot be written in `directory` for want of space, also of a quota."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def is_write_refusal(error: HiveError) -> bool:
    """Whether a write failed because this user, or anybody, may not write there at all."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EROFS, *_FORBIDDEN)


def fix_for(error: OSError) -> str:
    """What to do about an error, "" when its errno suggests nothing."""
    return _FIXES.get(error.errno or 0, "")


def _find_error(output: str, numbers: Sequence[int]) -> OSError | None:
    output = output.replace("Out of diskspace", os.strerror(errno.ENOSPC))  # git has its own message for it
    named = (number for number in numbers if os.strerror(number) in output)
    return next((OSError(number, os.strerror(number)) for number in named), None)


@contextmanager
def translate_os_errors(what: str) -> Iterator[None]:
    """Turn an OSError of the block into CannotCreate or NotAllowed whose message is `what`."""
    try:
        yield
    except OSError as error:
        raise describe_os_error(error, what) from error


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path`, atomically and durably, by a file with `data` and `mode`; a failure leaves it unchanged."""
    with translate_os_errors(f"{path} could not be written"):
        _rename_over(path, _write_temporary(path, data, mode))
        sync_directory(path.parent)


def replace_unsynced(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` atomically, but not durably: for what is replaced often and worth nothing after a crash."""
    with translate_os_errors(f"{path} could not be written"):
        _rename_over(path, _write_temporary(path, data, mode, durable=False))


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Create a directory and its missing parents, durably; one that exists keeps its mode."""
    with translate_os_errors(f"{path} could not be created"):
        _make_directory(path, mode)


def remove(path: Path) -> None:
    """Remove a file or symbolic link, durably; a missing one is not an error."""
    with translate_os_errors(f"{path} could not be removed"), suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def _write_temporary(path: Path, data: bytes, mode: int, durable: bool = True) -> Path:
    """A temporary file in the same directory, synced if it is to be `durable`, so that only a rename is left to do."""
    descriptor, name = tempfile.mkstemp(prefix=temp_files.prefix_of(path), suffix=temp_files.SUFFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
            if durable:
                sync_open_file(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _rename_over(path: Path, temporary: Path) -> None:
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _make_directory(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    except FileNotFoundError:
        _make_directory(path.parent, 0o755)
        _make_directory(path, mode)
        return
    path.chmod(mode)  # mkdir applies the umask to the mode
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
