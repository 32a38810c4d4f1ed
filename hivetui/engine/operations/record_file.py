"""The file `record.jsonl` as its one writer sees it: a queue of lines that survives a full disk."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from pathlib import Path

from hivetui.engine.host import files
from hivetui.engine.operations.directory import OperationDirectory
from hivetui.engine.operations.reserved_space import ReservedSpace


class RecordFile:
    """The record's file, open for appending, and the lines queued for it.

    On a full disk ordinary lines are dropped and counted, and essential ones get the reserved space.
    """

    def __init__(self, directory: OperationDirectory) -> None:
        with files.translate_os_errors(f"The record {directory.entries} could not be opened"):
            self._fd = os.open(directory.entries, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._is_torn, self._dropped = not _ends_with_newline(directory.entries), 0
        self.queued_bytes = 0
        self.reserve = ReservedSpace(directory)
        self.reserve.refill()

    def add(self, line: bytes, essential: bool = False) -> None:
        """Queue a line; an essential one is retried at every flush until it is written."""
        self._queue.append((line, essential))
        self.queued_bytes += len(line)

    def flush(self, durable: bool = False) -> None:
        """Write what is queued; `durable` also waits until it is on the disk."""
        if not self.reserve.refill():
            self._drop_ordinary()
        try:
            self._write()
        except OSError:
            self._drop_ordinary()
            with suppress(OSError):
                self.reserve.write(self._write)
        if durable:
            with suppress(OSError):
                files.sync_descriptor(self._fd)

    def take_dropped(self, at_end: bool = False) -> int:
        """How many lines were dropped since the last call; 0 until the disk has space again, or the end has come."""
        if self._queue or not self._dropped or not (at_end or self.reserve.refill()):
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self, ended: bool) -> None:
        """Close it; after the end of the operation the reserved space is released."""
        os.close(self._fd)
        if ended:
            self.reserve.remove()

    def _write(self) -> None:
        while self._queue:
            start = b"\n" if self._is_torn else b""
            written = os.write(self._fd, start + b"".join(line for line, _ in self._queue))
            self._remove_written(written - len(start))

    def _remove_written(self, count: int) -> None:
        """Remove the lines that were written completely; one that was written in part is torn and written again."""
        while self._queue and count >= len(self._queue[0][0]):
            count -= len(self._queue[0][0])
            self.queued_bytes -= len(self._queue.popleft()[0])
        self._is_torn = count > 0

    def _drop_ordinary(self) -> None:
        essential = deque(item for item in self._queue if item[1])
        self._dropped += len(self._queue) - len(essential)
        self._queue, self.queued_bytes = essential, sum(len(line) for line, _ in essential)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() in (b"", b"\n")
