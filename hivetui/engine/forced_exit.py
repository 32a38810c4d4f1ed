"""Killing what the engine runs when the process has to exit at once.

It imports nothing of the engine, so the console can be given it before the engine is loaded.
"""

from __future__ import annotations

import sys


def kill_children() -> None:
    """Kill every running child of the engine, from any thread and without waiting."""
    if (child := sys.modules.get("hivetui.engine.host.child")) is not None:
        child.kill_all()
