"""Disk space that an operation reserves, so that its states and steps can be written even when the disk is full."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from hivetui.engine.host import files
from hivetui.engine.model.errors import HiveError
from hivetui.engine.operations.directory import OperationDirectory

_RESERVED_BYTES = 64 * 1024
_STEP_BYTES = 8 * 1024  # released at once: two blocks, one for the record and one for the state beside it


class ReservedSpace:
    """A file beside the record of one operation, which is shortened whenever a full disk refuses an essential write."""

    def __init__(self, directory: OperationDirectory) -> None:
        self._path = directory.spare

    def create(self) -> None:
        """Reserve all of it; CannotCreate when the disk does not have as much."""
        files.replace(self._path, os.urandom(_RESERVED_BYTES))  # random, so that no file system compresses it

    def is_intact(self) -> bool:
        """Whether none of it was released."""
        return self._size() >= _RESERVED_BYTES

    def refill(self) -> bool:
        """Reserve again what was released, if the disk has as much by now; whether it is intact."""
        if not self.is_intact():
            with suppress(HiveError):
                self.create()
        return self.is_intact()

    def write(self, action: Callable[[], None]) -> None:
        """Perform an essential write; while it fails, release some of the space and try again.

        Raises what `action` raises once nothing is left to release.
        """
        while True:
            try:
                return action()
            except (OSError, HiveError):
                if not self._release_step():
                    raise

    def remove(self) -> None:
        """Release all of it: nothing essential is left to write."""
        with suppress(HiveError):
            files.remove(self._path)

    def _release_step(self) -> bool:
        """Release a part; the last part is the file itself, since a disk can run out of inodes too."""
        size = self._size()
        try:
            if size > 0:
                os.truncate(self._path, max(0, size - _STEP_BYTES))
            else:
                self._path.unlink()
        except OSError:  # it does not exist, or its file system has become read-only
            return False
        return True

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0
