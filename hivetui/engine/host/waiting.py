"""The programs whose end this process waits for, so that a person can be told which one hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from hivetui.engine.host.host import Command

_WORDS = 2
"""So many words of a command line name what is waited for: `systemctl show`."""
_running: dict[int, tuple[str, float]] = {}
"""What runs, by an id of its own: its first words and when it was started."""


@contextmanager
def noted(command: Command) -> Iterator[None]:
    """Note that a command is waited for, unless nobody has to wait for it."""
    if not command.awaited:
        yield
        return
    words = [Path(command.argv[0]).name, *command.argv[1:_WORDS]]
    entry = (" ".join(words), monotonic())
    _running[id(entry)] = entry
    try:
        yield
    finally:
        del _running[id(entry)]


def longest_wait() -> tuple[str, float] | None:
    """The command that is waited for the longest, by its first words, and for how many seconds."""
    oldest = min(tuple(_running.values()), key=lambda entry: entry[1], default=None)
    return None if oldest is None else (oldest[0], monotonic() - oldest[1])
