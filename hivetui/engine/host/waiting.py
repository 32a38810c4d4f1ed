"""The programs whose end this process waits for, so that a person can be told which one hangs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from hivetui.engine.host.host import Command

_SETTING = re.compile(r"--[a-z-]+=")
_running: dict[int, tuple[str, float]] = {}
"""What runs, by an id of its own: its first words and when it was started."""


@contextmanager
def noted(command: Command) -> Iterator[None]:
    """Note that a command is waited for, unless nobody has to wait for it."""
    if not command.awaited:
        yield
        return
    entry = (_name(command.argv), monotonic())
    _running[id(entry)] = entry
    try:
        yield
    finally:
        del _running[id(entry)]


def _name(argv: Sequence[str]) -> str:
    """The words that name what is waited for: `systemctl show`, and `git diff-tree` behind what is set for git."""
    words = iter(argv[1:])
    for word in words:
        if word == "-c":
            next(words, None)
        elif not _SETTING.match(word):
            return f"{Path(argv[0]).name} {word}"
    return Path(argv[0]).name


def longest_wait() -> tuple[str, float] | None:
    """The command that is waited for the longest, by its first words, and for how many seconds."""
    oldest = min(tuple(_running.values()), key=lambda entry: entry[1], default=None)
    return None if oldest is None else (oldest[0], monotonic() - oldest[1])
