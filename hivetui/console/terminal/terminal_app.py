"""A Textual app for real terminals: slow or lost ones, keys typed ahead, tmux, job control, signals, crashes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from hivetui.console.clipboard import tmux_passthrough
from hivetui.console.terminal import foreground, splash, watchdog
from hivetui.console.terminal.driver import TerminalDriver
from hivetui.console.terminal.key_input import TypeAhead
from hivetui.console.terminal.painted_screen import Changes

HANG_UP = 128 + signal.SIGHUP
"""The exit status that shells give to SIGHUP."""


class TerminalApp(App[int], inherit_bindings=False):
    """An app whose return value is the exit status.

    `failure` is the expected error that ended it, `bug` the unexpected one. `kill_children` is called from another
    thread before a forced exit; it kills child processes without waiting for them.
    """

    ALLOW_SELECT = False
    """Textual's own selection has no key here that would copy it, and fails on a click while a screen is removed."""

    def __init__(self, kill_children: Callable[[], None]) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.failure: Exception | None = None
        self.bug: BaseException | None = None
        self.shutdown_watchdog = watchdog.ShutdownWatchdog(self._before_forced_exit, kill_children)
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self.type_ahead = TypeAhead(self, super().on_event)

    def on_mount(self) -> None:
        """Remember the loop, which other threads use to end the app."""
        self._event_loop = asyncio.get_running_loop()
        if self.shutdown_watchdog.is_running:  # a signal came while Textual was starting
            self.exit(self.shutdown_watchdog.status)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write only the cells that differ from what the terminal shows."""
        driver = self._driver
        if (
            isinstance(renderable, CompositorUpdate)
            and isinstance(driver, TerminalDriver)
            and self._running
            and not self._closed
            and not self._batch_count
        ):
            colors = None if self.no_color else self.console._color_system
            changes = driver.painted_screen.changes(renderable, self.screen.outer_size, colors)
            has_moved = self.cursor_position != self._previous_cursor_position
            renderable = Changes(changes) if changes or has_moved else None
        super()._display(screen, renderable)

    async def on_event(self, event: events.Event) -> None:
        """Let keys and pastes wait for those before them."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.type_ahead.add(event)
        else:
            await super().on_event(event)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by OSC 52, inside tmux also in tmux's passthrough."""
        super().copy_to_clipboard(text)
        if self._driver is not None and os.environ.get("TMUX"):
            self._driver.write(tmux_passthrough(text))

    def write_to_terminal(self, sequences: str) -> None:
        """Write what moves no cursor and paints nothing, unless another program has the terminal now."""
        if sequences and isinstance(self._driver, TerminalDriver) and self._driver.has_terminal:
            self._driver.write(sequences)
            self._driver.flush()

    async def lend_terminal(self, argv: Sequence[str]) -> int:
        """Leave the terminal to a program until it ends; its exit status."""
        with self.suspend():
            return await asyncio.to_thread(foreground.run, argv, sys.__stdin__.fileno() if sys.__stdin__ else 0)

    def action_suspend(self) -> None:
        """Stop the process group, if a shell can continue it; the whole group, or a parent such as make would go on."""
        if os.getsid(0) == os.getpid():
            self.notify("cannot suspend: the console was not started from a shell", markup=False)
        else:
            self.type_ahead.drop_waiting()  # it was for the shell that comes back
            self.app_suspend_signal.publish(self)
            os.killpg(os.getpgrp(), signal.SIGTSTP)

    def take_mouse(self, wanted: bool | str) -> None:
        """Use the mouse if that is wanted; "auto": unless the terminal is at the other end of an SSH connection."""
        if wanted == "auto":
            wanted = not (os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))
        if wanted and isinstance(self._driver, TerminalDriver):
            self._driver.take_mouse()

    def action_redraw(self) -> None:
        """Paint everything again, because another program has written to the terminal."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.painted_screen.forget()
        self.screen.refresh(layout=True)

    async def action_exit(self) -> None:
        """End the app; operations keep running."""
        self.shut_down(0)

    def shut_down(self, status: int) -> None:
        """Exit within the watchdog's time, whatever hangs. May be called from any thread and in a signal handler."""
        if self.shutdown_watchdog.is_running:
            return
        self.shutdown_watchdog.start(status)
        if self._event_loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._event_loop.call_soon_threadsafe(self.exit, status)

    def on_terminal_lost(self) -> None:
        """The terminal has hung up; called by the driver in any thread."""
        self.shut_down(HANG_UP)

    def on_input_error(self, error: Exception) -> None:
        """The driver's input thread failed, which is a bug; called in that thread."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self._handle_exception, error)

    def _before_forced_exit(self) -> None:
        splash.remove()
        if isinstance(self._driver, TerminalDriver):
            self._driver.force_restore()
        if self.bug is not None:
            print_crash_report(self.bug)

    def _handle_exception(self, error: Exception) -> None:
        """End and keep the error for the crash report; Textual's own traceback would show the values of variables."""
        if self.bug is None and not self.is_headless:  # what the bug interrupted may keep the app from ending
            self.shutdown_watchdog.start(os.EX_SOFTWARE)
        if self.bug is None:
            self.bug = getattr(error, "error", None) or error  # the error of a failed worker is inside
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._return_code = os.EX_SOFTWARE
        self._close_messages_no_wait()


def run_to_end(app: TerminalApp) -> int:
    """Run the app and return its exit status; raises the expected error that ended it, if there was one."""
    with watchdog.on_signals(app.shut_down):
        try:
            status = app.run()
        except Exception as error:  # noqa: BLE001  nothing above can restore the terminal and write the report
            app.bug = app.bug or error
            status = None
        app.shutdown_watchdog.cancel()
    if app.bug is not None:
        print_crash_report(app.bug)
        return os.EX_SOFTWARE
    if app.failure is not None:
        raise app.failure
    return status if status is not None else app.return_code or 0


def print_crash_report(bug: BaseException) -> None:
    """Write the report to its file and print where it is."""
    from hivetui.console.terminal import crash_report  # traceback and platform, which only a crash needs

    splash.remove()
    with suppress(OSError):
        print("\n".join(crash_report.write_report(bug, os.environ)), file=sys.__stderr__, flush=True)
