"""The console's way to its terminal: Textual's driver, for terminals that are slow, blocked, or suddenly gone.

What it adds: frames go to stdout, so that stderr may be a file; a terminal that hangs up ends the console at once and
without a traceback; and the alternate screen is entered only once.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from threading import Thread
from typing import TYPE_CHECKING, Protocol, cast

from textual.drivers.linux_driver import LinuxDriver

from hivetui.console.terminal import splash

if TYPE_CHECKING:
    from textual.app import App

_SIZE = (80, 24)
_RESTORED = (
    "\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""All that the driver switches on, off again (xterm's control sequences; `<u`: kitty's keyboard protocol)."""


class EndedByTerminal(Protocol):
    """What the driver tells the app."""

    def terminal_is_gone(self) -> None:
        """Nobody sees or types any more; called in any thread."""

    def input_failed(self, error: Exception) -> None:
        """A bug in the reading of keys; called in any thread."""


class TerminalFile(io.TextIOBase):
    """What is written reaches the terminal at the flush, and nothing, without an error, once the terminal is gone."""

    def __init__(self, descriptor: int, gone: Callable[[], None]) -> None:
        self._descriptor, self._gone = descriptor, gone
        self._parts: list[str] = []
        self._is_gone = False

    def fileno(self) -> int:
        """The terminal."""
        return self._descriptor

    def isatty(self) -> bool:
        """It is one."""
        return True

    def write(self, text: str) -> int:
        """Keep it until the flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Hand all of it to the terminal, as fast as that takes it."""
        data = memoryview("".join(self._parts).encode("utf-8", "replace"))
        self._parts.clear()
        while data and not self._is_gone:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.EAGAIN:  # someone else made it non-blocking
            select.select([], [self._descriptor], [], 1)
        else:
            self._is_gone = True
            self._gone()


class TerminalDriver(LinuxDriver):
    """For an app that is `EndedByTerminal`."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._told = cast(EndedByTerminal, app)
        assert sys.__stdout__ is not None
        self._output = TerminalFile(sys.__stdout__.fileno(), self._told.terminal_is_gone)
        self._file = cast(TextIOWrapper, self._output)
        Thread(target=self._wait_for_hang_up, name="hang-up", daemon=True).start()

    def _wait_for_hang_up(self) -> None:
        """A hang-up is no input, and brings no signal to a process that does not belong to the terminal."""
        poll = select.poll()
        poll.register(self.fileno, 0)  # POLLHUP and POLLERR come unasked
        poll.poll()
        self._told.terminal_is_gone()

    def write(self, data: str) -> None:
        """As Textual's, but for a screen that is there already."""
        if data != splash.ENTER or not splash.take_over():
            super().write(data)

    def _get_terminal_size(self) -> tuple[int, int]:
        """What the terminal says; COLUMNS and LINES of the environment are what a shell once knew."""
        try:
            columns, rows = os.get_terminal_size(self._output.fileno())
        except OSError:
            return _SIZE
        return (columns, rows) if columns and rows else _SIZE

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._told.terminal_is_gone()
        except Exception as error:  # noqa: BLE001  a thread's last chance to be heard
            self._told.input_failed(error)

    def restore_at_any_cost(self) -> None:
        """Give the terminal back from any thread, without waiting for anybody: the process is about to end."""
        descriptor = self._output.fileno()
        with suppress(OSError, termios.error):
            os.set_blocking(descriptor, False)
            try:
                os.write(descriptor, _RESTORED.encode())
            finally:
                os.set_blocking(descriptor, True)  # the shell has the same open file
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
