"""The directory of a journal that is followed, and whether another one has taken its place."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class HeldDirectory:
    """A directory that is held open while it is followed.

    File systems give the inode number of a deleted directory to the next one, so only while it is held does its number
    tell it from one that was made in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._hold()

    def is_replaced(self) -> bool:
        """Whether there is another directory now at its path. One that did not exist yet is held from now on."""
        if self._descriptor is None:
            self._hold()
            return False
        try:
            there = os.lstat(self._path)
        except OSError:
            return False
        return not os.path.samestat(there, os.fstat(self._descriptor))

    def close(self) -> None:
        """Hold it no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _hold(self) -> None:
        with suppress(OSError):  # it does not exist yet
            self._descriptor = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
