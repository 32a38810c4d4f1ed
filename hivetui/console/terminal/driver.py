"""Textual's driver for terminals that are slow, blocked, or suddenly gone.

It writes frames to stdout, so that stderr may be a file; it ends the app at once and without a traceback when the
terminal hangs up; and it enters the alternate screen only if the splash screen has not done so.
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
from hivetui.console.terminal.painted_screen import PaintedScreen

if TYPE_CHECKING:
    from textual.app import App

_DEFAULT_SIZE = (80, 24)
_MOUSE_MODES = (1000, 1002, 1006)
"""Of xterm: buttons and wheel; movements while a button is held; places as decimal numbers."""
_RESTORE = (
    "\x1b[r\x1b[m\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?1016l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Switches off every mode that the driver switches on (xterm's control sequences; `<u`: kitty's keyboard protocol), and
ends a scroll region, which moves the cursor and so comes before the main screen."""


class TerminalObserver(Protocol):
    """An app that the driver notifies, in any thread."""

    def on_terminal_lost(self) -> None:
        """The terminal has hung up."""

    def on_input_error(self, error: Exception) -> None:
        """The input thread failed, which is a bug."""


class TerminalFile(io.TextIOBase):
    """A file that writes to the terminal at each flush, and drops everything once the terminal has hung up."""

    def __init__(self, descriptor: int, on_lost: Callable[[], None]) -> None:
        self._descriptor, self._on_lost = descriptor, on_lost
        self._parts: list[str] = []
        self._is_lost = False

    def fileno(self) -> int:
        """The descriptor of the terminal."""
        return self._descriptor

    def isatty(self) -> bool:
        """Always True."""
        return True

    def write(self, text: str) -> int:
        """Buffer it until the flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Write the buffer to the terminal, as fast as it takes it."""
        data = memoryview("".join(self._parts).encode("utf-8", "replace"))
        self._parts.clear()
        while data and not self._is_lost:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                self._handle_error(error)

    def _handle_error(self, error: OSError) -> None:
        if error.errno == errno.EAGAIN:  # another process has made it non-blocking
            select.select([], [self._descriptor], [], 1)
        else:
            self._is_lost = True
            self._on_lost()


class TerminalDriver(LinuxDriver):
    """The driver of an app that is a `TerminalObserver`."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=False, size=size)  # not before the settings are known
        self._observer = cast(TerminalObserver, app)
        assert sys.__stdout__ is not None
        self._output = TerminalFile(sys.__stdout__.fileno(), self._observer.on_terminal_lost)
        self._file = cast(TextIOWrapper, self._output)
        self.painted_screen = PaintedScreen()
        self.has_terminal = True
        Thread(target=self._wait_for_hang_up, name="hang-up", daemon=True).start()

    def _wait_for_hang_up(self) -> None:
        """A hang-up is not input, and sends no signal to a process outside the terminal's session."""
        poll = select.poll()
        poll.register(self.fileno, 0)  # POLLHUP and POLLERR are always reported
        poll.poll()
        self._observer.on_terminal_lost()

    def start_application_mode(self) -> None:
        """Take the terminal, also when the shell continues the console: other programs may have written to it."""
        self.painted_screen.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def suspend_application_mode(self) -> None:
        """Leave the terminal to another program, and write nothing meanwhile."""
        super().suspend_application_mode()
        self.has_terminal = False

    def resume_application_mode(self) -> None:
        """Take the terminal back."""
        self.has_terminal = True
        super().resume_application_mode()

    def take_mouse(self) -> None:
        """Ask the terminal for clicks, the wheel and dragging."""
        self._mouse = True
        self._enable_mouse_support()

    def _enable_mouse_support(self) -> None:
        """Without xterm's 1003, which Textual switches on: it sends every movement, over SSH too."""
        if self._mouse:
            self.write("".join(f"\x1b[?{mode}h" for mode in _MOUSE_MODES))
            self.flush()

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("".join(f"\x1b[?{mode}l" for mode in reversed(_MOUSE_MODES)))
            self.flush()

    def write(self, data: str) -> None:
        """As Textual's, but without entering the alternate screen if the splash screen is on it."""
        if self.has_terminal and (data != splash.ENTER_ALTERNATE_SCREEN or not splash.take_over()):
            super().write(data)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The size that the terminal reports; COLUMNS and LINES of the environment may be outdated."""
        try:
            columns, rows = os.get_terminal_size(self._output.fileno())
        except OSError:
            return _DEFAULT_SIZE
        return (columns, rows) if columns and rows else _DEFAULT_SIZE

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._observer.on_terminal_lost()
        except Exception as error:  # noqa: BLE001  an exception in a thread would be lost
            self._observer.on_input_error(error)

    def force_restore(self) -> None:
        """Restore the terminal from any thread without blocking; the process is about to end."""
        descriptor = self._output.fileno()
        with suppress(OSError, termios.error):
            os.set_blocking(descriptor, False)
            try:
                os.write(descriptor, _RESTORE.encode())
            finally:
                os.set_blocking(descriptor, True)  # the shell shares the open file description
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
