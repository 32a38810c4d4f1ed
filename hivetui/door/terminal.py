"""The server's end of the pseudo-terminal of one session: bytes in both directions, each side as fast as the other."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable

_CHUNK_BYTES = 64 << 10
_MAX_COLUMNS, _MAX_ROWS = 1000, 500
"""A client may name any size, and a console has a cell for each place."""
_DEFAULT_COLUMNS, _DEFAULT_ROWS = 80, 24
_LOCAL_FLAGS = 3
"""The index in what tcgetattr returns."""


class Terminal:
    """A pty whose other end, `inner`, is for the console.

    `on_output` gets what the console writes, `on_end` is called when nothing more will come, and `on_room` when all
    input was taken after `write` has said that there is none left.
    """

    def __init__(
        self, on_output: Callable[[bytes], None], on_end: Callable[[], None], on_room: Callable[[], None]
    ) -> None:
        self._on_output, self._on_end, self._on_room = on_output, on_end, on_room
        self._loop = asyncio.get_running_loop()
        self._outer, self.inner = os.openpty()
        os.set_blocking(self._outer, False)
        attributes = termios.tcgetattr(self.inner)
        attributes[_LOCAL_FLAGS] &= ~(termios.ECHO | termios.ICANON)  # of keys that come before the console is there
        termios.tcsetattr(self.inner, termios.TCSANOW, attributes)
        self._input = bytearray()
        self._is_closed = self.has_ended = False
        self.resume()

    def resize(self, columns: int, rows: int) -> None:
        """Set the size; the kernel tells the console (SIGWINCH). A size of 0 is not known."""
        columns = min(columns or _DEFAULT_COLUMNS, _MAX_COLUMNS)
        rows = min(rows or _DEFAULT_ROWS, _MAX_ROWS)
        if not self._is_closed:
            fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def give_away(self) -> None:
        """Close the inner end here, because the console has it."""
        os.close(self.inner)

    def write(self, data: bytes) -> bool:
        """Pass input on; False when the console does not take it, and no more should come."""
        if self._is_closed:
            return True
        self._input += data
        self._write_input()
        return not self._input

    def pause(self) -> None:
        """Take no more output: the console waits."""
        if not self._is_closed:
            self._loop.remove_reader(self._outer)

    def resume(self) -> None:
        """Take output again."""
        if not self._is_closed and not self.has_ended:
            self._loop.add_reader(self._outer, self._read_output)

    def close(self) -> None:
        """Hang up: the console gets SIGHUP, in the middle of a frame too."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._outer)
            self._loop.remove_writer(self._outer)
            os.close(self._outer)

    def _read_output(self) -> None:
        try:
            data = os.read(self._outer, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the other end any more
            data = b""
        if data:
            self._on_output(data)
            return
        self.has_ended = True
        self._loop.remove_reader(self._outer)
        self._on_end()

    def _write_input(self) -> None:
        try:
            while self._input:
                del self._input[: os.write(self._outer, self._input[:_CHUNK_BYTES])]
        except OSError as error:
            if error.errno == errno.EAGAIN:
                self._loop.add_writer(self._outer, self._write_rest)
                return
            self._input.clear()
        self._loop.remove_writer(self._outer)

    def _write_rest(self) -> None:
        self._write_input()
        if not self._input:
            self._on_room()
