"""Waiting for a state, with a generous limit: a busy machine is slow and not wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60.0
_PAUSE = 0.02


def until(is_reached: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Look again and again whether a state is reached; AssertionError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline, "the state was not reached"
        time.sleep(_PAUSE)
