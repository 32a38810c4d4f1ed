"""What the engine waits for at the moment, in words.

It imports nothing of the engine, so the console can be given it before the engine is loaded.
"""

from __future__ import annotations

import sys

SECONDS = 2.0
"""A program that has not ended after this long is worth a word."""


def describe_slow_program() -> str | None:
    """The program that has not ended for a while, and for how long; None if there is none."""
    module = sys.modules.get("hivetui.engine.host.waiting")
    waits = module.longest_wait() if module is not None else None
    if waits is None or waits[1] < SECONDS:
        return None
    return f"`{waits[0]}` has not ended for {waits[1]:.0f} s"
