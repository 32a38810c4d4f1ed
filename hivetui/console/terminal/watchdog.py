"""How the console ends when it is told to: at once, whatever hangs, and without ending any operation.

Signals and a terminal that hangs up come in any thread and at any moment, also while the loop waits for a terminal
that takes nothing; so the end is asked for from outside of the loop, and a timer has the last word.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

SECONDS = 0.8
"""How long an end may take to be a proper one."""
SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class ShutdownWatchdog:
    """Ends this process unless `cancel` comes first: kills its children, and `say` restores the terminal."""

    def __init__(self, say: Callable[[], None], kill_children: Callable[[], None]) -> None:
        self._say, self._kill_children = say, kill_children
        self._timer: Timer | None = None
        self.status = 0

    @property
    def is_near(self) -> bool:
        """Whether the end has been asked for."""
        return self._timer is not None

    def begin(self, status: int) -> None:
        """From now on there are so many seconds; what began first counts."""
        if self.is_near:
            return
        self.status = status
        self._timer = Timer(SECONDS, self._end)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """The end was a proper one."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self._kill_children()
        self._say()
        os._exit(self.status)


@contextmanager
def on_signals(end: Callable[[int], None]) -> Iterator[None]:
    """Call `end` with the exit status that a signal stands for (128 and its number, as shells have it)."""

    def ended(number: int, frame: FrameType | None) -> None:
        end(128 + number)

    before = {number: signal.signal(number, ended) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
