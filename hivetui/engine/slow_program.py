"""What this process waits for at the moment, in words: a program of the host, or an engine in another process.

It imports nothing of the engine, so the console can be given it before the engine is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

SECONDS = 2.0
"""What has not come after this long is worth a word."""
_running: dict[int, tuple[str, float, object]] = {}
"""What is waited for, by an id of its own: what has not happened, since when, and by whom."""
_listeners: set[Callable[[], object]] = set()
"""What is called, from any thread, when something is waited for."""


@contextmanager
def noted(text: str, by: object = None) -> Iterator[None]:
    """Note that something is waited for; `text` says what has not happened: "`systemctl show` has not ended"."""
    entry = (text, monotonic(), by)
    _running[id(entry)] = entry
    for listener in tuple(_listeners):
        listener()
    try:
        yield
    finally:
        del _running[id(entry)]


@contextmanager
def listening(listener: Callable[[], object]) -> Iterator[None]:
    """Call this each time that something begins to be waited for, from the thread that waits."""
    _listeners.add(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def is_waiting() -> bool:
    """Whether anything is waited for, for however short a time."""
    return bool(_running)


def describe_slow_program(by: object = None) -> str | None:
    """What is waited for the longest, and for how long; None if there is nothing that takes long.

    With `by`, such as a hive, only what is waited for by that.
    """
    entries = (entry for entry in tuple(_running.values()) if by is None or entry[2] is by)
    oldest = min(entries, key=lambda entry: entry[1], default=None)
    if oldest is None or (seconds := monotonic() - oldest[1]) < SECONDS:
        return None
    return f"{oldest[0]} for {seconds:.0f} s"
