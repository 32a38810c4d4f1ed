"""Reads a directory that a hostile user may change meanwhile: follows no link, never blocks, bounds every read.

Every step is an openat(2) with O_NOFOLLOW, first with O_PATH, so that no FIFO or device is ever opened. Anything but a
regular file or a directory is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.engine.model.errors import BadData, NotFound

_OPEN_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_NAMES = 50_000
"""The most entries of one directory that are read."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
}


class Directory:
    """An open directory; `shown` is its path in messages. Use `open_directory` and `inside`, which close it."""

    def __init__(self, descriptor: int, shown: str) -> None:
        self.descriptor, self.shown = descriptor, shown

    @contextmanager
    def inside(self, *names: str) -> Iterator[Directory]:
        """The directory `names[0]/names[1]/…` below this one; BadData for anything else, NotFound without it."""
        directory, descriptor = self, os.dup(self.descriptor)
        try:
            for name in names:
                inner = directory._open_path(name, stat.S_IFDIR, descriptor)
                os.close(descriptor)
                descriptor = inner
                directory = Directory(descriptor, f"{directory.shown}/{name}")
            yield directory
        finally:
            os.close(descriptor)

    def _open_path(self, name: str, kind: int, directory: int) -> int:
        """Open `name`, which must be of `kind` (S_IFMT), with O_PATH."""
        shown = f"{self.shown}/{name}"
        try:
            descriptor = os.open(name, _OPEN_PATH, dir_fd=directory)
        except FileNotFoundError as error:
            raise NotFound(f"{shown} does not exist") from error
        except OSError as error:
            raise BadData(f"{shown} cannot be read", os.strerror(error.errno or errno.EIO)) from error
        actual = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if actual == kind:
            return descriptor
        os.close(descriptor)
        raise wrong_kind(shown, actual, kind)

    def read(self, *names: str, most: int, start: int = 0) -> bytes:
        """At most `most` bytes of a regular file from `start` on; BadData and NotFound as for `inside`."""
        with self.inside(*names[:-1]) as directory, directory._file(names[-1]) as descriptor:
            return os.pread(descriptor, most, start)

    @contextmanager
    def _file(self, name: str) -> Iterator[int]:
        path_descriptor = self._open_path(name, stat.S_IFREG, self.descriptor)
        try:
            descriptor = os.open(f"/proc/self/fd/{path_descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BadData(f"{self.shown}/{name} cannot be read", os.strerror(error.errno or errno.EIO)) from error
        finally:
            os.close(path_descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def holds_file(self, *names: str) -> bool:
        """Whether there is an entry at this path that is not a directory; False below something that is a file.

        A link or the like counts, so that reading it is refused; BadData where one stands for a directory.
        """
        kind = self._kind(names[0])
        if len(names) == 1 or kind in (None, stat.S_IFREG):
            return len(names) == 1 and kind not in (None, stat.S_IFDIR)
        with self.inside(names[0]) as directory:
            return directory.holds_file(*names[1:])

    def _kind(self, name: str) -> int | None:
        """The type (S_IFMT) of an entry, None when there is none."""
        try:
            return stat.S_IFMT(os.lstat(name, dir_fd=self.descriptor).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def entries(self) -> list[tuple[str, os.stat_result]]:
        """Name and status of each entry, at most MAX_NAMES; BadData beyond."""
        entries: list[tuple[str, os.stat_result]] = []
        with self._scan() as scanned:
            for entry in scanned:
                if len(entries) == MAX_NAMES:
                    raise BadData(f"{self.shown} has too many entries", f"at most {MAX_NAMES} are read")
                try:
                    entries.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue  # deleted since it was listed
        return entries

    @contextmanager
    def _scan(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        try:
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.descriptor)
        except OSError as error:
            raise BadData(f"{self.shown} cannot be read", os.strerror(error.errno or errno.EIO)) from error
        try:
            with os.scandir(descriptor) as entries:
                yield entries
        finally:
            os.close(descriptor)

    def has(self, name: str) -> bool:
        """Whether there is an entry `name` of any kind."""
        return self._kind(name) is not None


@contextmanager
def open_directory(path: Path) -> Iterator[Directory]:
    """Open the directory at a path of the engine (a link as its last part is not followed); NotFound without it."""
    try:
        descriptor = os.open(path, _OPEN_PATH | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist") from error
    except OSError as error:
        raise BadData(f"{path} is not a directory", os.strerror(error.errno or errno.EIO)) from error
    try:
        yield Directory(descriptor, str(path))
    finally:
        os.close(descriptor)


def wrong_kind(shown: str, actual: int, wanted: int) -> BadData:
    """The error for an entry of another kind (S_IFMT) than expected."""
    if shown.endswith("/.git") and (actual, wanted) == (stat.S_IFREG, stat.S_IFDIR):
        return BadData(
            f"{shown} is a file, not a directory",
            "the repo itself is elsewhere, as that of a linked worktree or of git init --separate-git-dir",
            "Clone the repo anew into that place with the git of its container.",
        )
    return BadData(
        f"{shown} is {_KINDS.get(actual, 'of an unknown kind')}, not {_KINDS[wanted]}",
        "a proposed repo may only contain regular files and directories",
        "Replace it in the proposed repo, or move the repo aside and clone it again.",
    )
