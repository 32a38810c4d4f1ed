"""The logs of an embedded host: one bounded file of JSON lines a container, written by appending.

A line is `{"t": µs since the epoch, "p": priority, "i": identifier, "m": message}`; bytes that are not UTF-8 stand in
the message as Python's surrogate escapes. When the file is full it becomes the older one, and the one before goes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from hivetui.embedded.layout import Layout

FULL = 128 << 20  # bytes of one file; two are kept
CURRENT, OLDER = "current.jsonl", "older.jsonl"


class Line(NamedTuple):
    """One line of a log."""

    time: int
    priority: int
    identifier: str
    message: str


def say(
    layout: Layout, container: str, message: str, priority: int = 6, identifier: str = "systemd", at: int = 0
) -> None:
    """Append a line to the container's log, at `at` µs since the epoch or now; a full disk drops it, as journald does.

    Raises FileNotFoundError when the host's folder is gone, which it never makes again.
    """
    line = {"t": at or time.time_ns() // 1000, "p": priority, "i": identifier, "m": message}
    try:
        _append(layout.log(container), json.dumps(line).encode() + b"\n")
    except FileNotFoundError:
        raise
    except OSError:
        return


def _append(place: Path, line: bytes) -> None:
    place.mkdir(exist_ok=True)
    fd = os.open(place / CURRENT, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, line)
        if os.fstat(fd).st_size > FULL:
            (place / CURRENT).rename(place / OLDER)
    finally:
        os.close(fd)


def parse(raw: bytes) -> Line | None:
    """A line of a log file; None for one that a crash tore."""
    try:
        found = json.loads(raw)
        return Line(found["t"], found["p"], found["i"], found["m"])
    except (ValueError, KeyError, TypeError):
        return None


def files(layout: Layout, container: str) -> list[Path]:
    """The container's log files that are there, older first."""
    return [path for path in (layout.log(container) / OLDER, layout.log(container) / CURRENT) if path.exists()]
