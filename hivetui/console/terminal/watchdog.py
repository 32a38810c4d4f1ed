"""End the process within a second when it is told to, whatever hangs, and without ending any operation.

Signals and a terminal that hangs up come in any thread and at any moment, also while the event loop is blocked by a
terminal that takes no output. So the end is requested from outside of the loop, and a timer enforces it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

SECONDS = 0.8
"""How long an orderly end may take before the process is ended by force."""
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class ShutdownWatchdog:
    """Once started, ends the process unless it is cancelled in time.

    Before a forced exit `kill_children` kills child processes and `restore_terminal` gives the terminal back; both are
    called in the timer's thread.
    """

    def __init__(self, restore_terminal: Callable[[], None], kill_children: Callable[[], None]) -> None:
        self._restore_terminal, self._kill_children = restore_terminal, kill_children
        self._timer: Timer | None = None
        self.status = 0

    @property
    def is_running(self) -> bool:
        """Whether the end has been requested."""
        return self._timer is not None

    def start(self, status: int) -> None:
        """Start the timer; the exit status of the first call counts."""
        if self.is_running:
            return
        self.status = status
        self._timer = Timer(SECONDS, self._force_exit)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Stop the timer, because the app has ended in order."""
        if self._timer is not None:
            self._timer.cancel()

    def _force_exit(self) -> None:
        try:
            self._kill_children()
            self._restore_terminal()
        finally:
            os._exit(self.status)


@contextmanager
def on_signals(shut_down: Callable[[int], None]) -> Iterator[None]:
    """Handle SIGNALS by calling `shut_down` with 128 plus the signal's number, the status that shells give."""

    def handle(number: int, frame: FrameType | None) -> None:
        shut_down(128 + number)

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
