"""Reading the log of a container: from the start, from the end, and what is appended to it.

A line that is damaged is None. OSError for a log that cannot be read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

from hivetui.embedded import journal
from hivetui.embedded.journal import Line
from hivetui.embedded.layout import Layout

_CHUNK = 1 << 20
_CHUNK_BACKWARD = 1 << 17
_PIECE = 1 << 18


class Tail:
    """Reads what is appended to the log of a container after this was created, also over a rotation.

    As the real journalctl, it stays with the directory that it has found, also when another one takes its place.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / journal.CURRENT
        self._directory: int | None = None
        self._partial_line = b""
        self.file = self._open()
        self.start = os.fstat(self.file).st_size if self.file is not None else 0
        if self.file is not None:
            self.start = os.lseek(self.file, self.start, os.SEEK_SET)

    def _open(self) -> int | None:
        try:
            if self._directory is None:
                self._directory = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            file = os.open(journal.CURRENT, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)
        except OSError:  # the readers of what it has tell why
            return None
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)  # another one may take its place
        return None

    def lines(self) -> Iterator[Line | None]:
        """Complete lines since the last call, in pieces: who writes without end must not keep them from being shown."""
        if (yield from self._appended()):
            return
        if self.file is None or self._rotated():
            current = self._open()
            if current is not None:
                while (yield from self._appended()):
                    pass
                if self.file is not None:
                    os.close(self.file)
                self.file, self._partial_line = current, b""
                yield from self._appended()

    def _rotated(self) -> bool:
        try:
            current = os.stat(journal.CURRENT, dir_fd=self._directory)
            return self.file is not None and current.st_ino != os.fstat(self.file).st_ino
        except FileNotFoundError:
            return False

    def _appended(self) -> Generator[Line | None, None, bool]:
        """The lines of one piece; whether there was one."""
        data = b"" if self.file is None else os.read(self.file, _PIECE)
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        yield from map(journal.parse_line, lines)
        return bool(data)


def forward(layout: Layout, container: str, tail: Tail) -> Iterator[Line | None]:
    """The lines of the log of a container up to where `tail` starts, oldest first."""
    for path in journal.files(layout, container):
        left = tail.start if path == tail.path else path.stat().st_size
        with path.open("rb") as file:
            partial = b""
            while data := file.read(min(_CHUNK, left)):
                left -= len(data)
                *lines, partial = (partial + data).split(b"\n")
                yield from map(journal.parse_line, lines)


def backward(layout: Layout, container: str, tail: Tail) -> Iterator[Line | None]:
    """The lines of the log of a container up to where `tail` starts, newest first."""
    for path in reversed(journal.files(layout, container)):
        left = tail.start if path == tail.path else path.stat().st_size
        with path.open("rb") as file:
            partial = b""
            while left:
                size = min(_CHUNK_BACKWARD, left)
                left -= size
                file.seek(left)
                partial, *lines = (file.read(size) + partial).split(b"\n")
                yield from (journal.parse_line(line) for line in reversed(lines) if line)
            if partial:
                yield journal.parse_line(partial)
