"""Reading in a folder that somebody hostile may change meanwhile: no link is followed, nothing hangs, all is bounded.

Every step is an `openat` without following, first with O_PATH, so that no FIFO or device is ever opened. What is not
a plain folder or file is refused in words.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hivetui.engine.model.errors import BadData, NotFound

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_NAMES = 50_000
"""How many entries of one folder are looked at."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
}


class Folder:
    """An open folder; `shown` is its path, for people. Use `opened` and `inside`, which close it."""

    def __init__(self, descriptor: int, shown: str) -> None:
        self.descriptor, self.shown = descriptor, shown

    @contextmanager
    def inside(self, *names: str) -> Iterator[Folder]:
        """The folder `names[0]/names[1]/…` in this one; BadData when one is no plain folder, NotFound without it."""
        here, descriptor = self, os.dup(self.descriptor)
        try:
            for name in names:
                after = here._look(name, stat.S_IFDIR, descriptor)
                os.close(descriptor)
                descriptor = after
                here = Folder(descriptor, f"{here.shown}/{name}")
            yield here
        finally:
            os.close(descriptor)

    def _look(self, name: str, kind: int, folder: int) -> int:
        """An O_PATH descriptor of `name`, which is of `kind`."""
        shown = f"{self.shown}/{name}"
        try:
            descriptor = os.open(name, _LOOK, dir_fd=folder)
        except FileNotFoundError as error:
            raise NotFound(f"{shown} is not there") from error
        except OSError as error:
            raise BadData(f"{shown} cannot be read", os.strerror(error.errno or errno.EIO)) from error
        found = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if found == kind:
            return descriptor
        os.close(descriptor)
        raise not_plain(shown, found, kind)

    def read(self, *names: str, most: int, start: int = 0) -> bytes:
        """The bytes of a plain file from `start`, at most `most`; BadData, NotFound as `inside`."""
        with self.inside(*names[:-1]) as folder, folder._file(names[-1]) as descriptor:
            return os.pread(descriptor, most, start)

    @contextmanager
    def _file(self, name: str) -> Iterator[int]:
        looked = self._look(name, stat.S_IFREG, self.descriptor)
        try:
            descriptor = os.open(f"/proc/self/fd/{looked}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BadData(f"{self.shown}/{name} cannot be read", os.strerror(error.errno or errno.EIO)) from error
        finally:
            os.close(looked)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def entries(self) -> list[tuple[str, os.stat_result]]:
        """Name and status of each entry, at most MOST_NAMES; BadData beyond."""
        found: list[tuple[str, os.stat_result]] = []
        with self._listed() as entries:
            for entry in entries:
                if len(found) == MOST_NAMES:
                    raise BadData(f"{self.shown} has too many entries", f"at most {MOST_NAMES} are looked at")
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue  # it has just gone
        return found

    @contextmanager
    def _listed(self) -> Iterator[Iterator[os.DirEntry[str]]]:
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
        try:
            os.lstat(name, dir_fd=self.descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """The folder at a path of the engine's own (its last part is not followed); NotFound without it."""
    try:
        descriptor = os.open(path, _LOOK | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not there") from error
    except OSError as error:
        raise BadData(f"{path} is no folder", os.strerror(error.errno or errno.EIO)) from error
    try:
        yield Folder(descriptor, str(path))
    finally:
        os.close(descriptor)


def not_plain(shown: str, found: int, wanted: int) -> BadData:
    """The refusal of what is of another kind (S_IFMT) than it should be."""
    return BadData(
        f"{shown} is {_KINDS.get(found, 'of an unknown kind')}, not {_KINDS[wanted]}",
        "a proposed repo is read only when all of it is plain files and folders",
        "Replace it in the proposed repo, or move the repo aside and clone it again.",
    )
