"""What this process waits for at the moment, in words: a program of the host, or an engine in another process.

It imports nothing of the engine, so the console can be given it before the engine is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

SECONDS = 2.0
"""What has not come after this long is worth a word."""
_running: dict[int, tuple[str, float, object, bool]] = {}
"""What is waited for, by an id of its own: what has not happened, since when, by whom, and whether it is an act."""
_listeners: set[Callable[[], object]] = set()
"""What is called, from any thread, when something is waited for."""


@contextmanager
def noted(text: str, by: object = None, is_act: bool = False) -> Iterator[None]:
    """Note that something is waited for; `text` says what has not happened: "`systemctl show` has not ended".

    An act is what a person asked for and waits for: it is told before what is only read.
    """
    entry = (text, monotonic(), by, is_act)
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
    """What is waited for the longest, acts first, and for how long; None if there is nothing that takes long.

    With `by`, such as a hive, only what is waited for by that.
    """
    slow = _find_slow(by)
    if not slow:
        return None
    oldest = min(slow, key=lambda entry: (not entry[3], entry[1]))
    seconds = monotonic() - oldest[1]
    return f"{oldest[0]} for {seconds:.0f} s"


def describe_slow_act(by: object) -> str | None:
    """What `by` has been asked to do without an answer for long, and for how long; None if there is no such act."""
    return describe_slow_program(by) if any(entry[3] for entry in _find_slow(by)) else None


def _find_slow(by: object) -> list[tuple[str, float, object, bool]]:
    entries = (entry for entry in tuple(_running.values()) if by is None or entry[2] is by)
    return [entry for entry in entries if monotonic() - entry[1] >= SECONDS]
