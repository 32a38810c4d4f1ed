"""How much work one assessment may be. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_SECONDS = 3.0
MAX_STEPS = 150_000
"""Expressions that are visited; a module of 1000 lines has about 6000."""
MAX_DEPTH = 120
"""Expressions within each other, through variables and imports too."""
MAX_FILE = 1 << 20
"""Bytes of a file of which the text is read, and of one that is parsed."""
MAX_BYTES = 16 << 20
"""Bytes of all files of one side."""
MAX_FILES = 5000
MAX_SETTINGS = 20_000
"""Options and elements of lists that one side sets."""
MAX_LINES = 50_000
"""Changed lines whose text is read."""
MAX_FINDINGS = 500


class TooMuch(Exception):
    """A limit was reached; the message names it."""


class Budget:
    """Counts the work of one assessment."""

    def __init__(self, seconds: float = MAX_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._deadline, self._seconds = clock, clock() + seconds, seconds
        self._steps = 0

    def step(self, depth: int = 0) -> None:
        """Count one expression that is `depth` levels deep; TooMuch at a limit."""
        if depth > MAX_DEPTH:
            raise TooMuch(f"it nests deeper than {MAX_DEPTH} levels")
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooMuch(f"it takes more than {MAX_STEPS} steps to read")
        if self._steps % 256 == 0:
            self.check_time()

    def check_time(self) -> None:
        """TooMuch when the time is over."""
        if self._clock() > self._deadline:
            raise TooMuch(f"it takes longer than {self._seconds:.0f} s to read")
