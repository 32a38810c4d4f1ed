"""The logs of an embedded host: for every container a bounded file of JSON lines.

A line is `{"t": µs since the epoch, "p": priority, "i": identifier, "m": message}`; bytes of the message
that are not UTF-8 become surrogate escapes. When the file is full it replaces the older one, and a new one is started.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from hivetui.embedded.layout import Layout

LARGEST_FILE = 128 << 20
"""Bytes of one file; two are kept."""
CURRENT, OLDER = "current.jsonl", "older.jsonl"


class Line(NamedTuple):
    """One line of a log."""

    time: int
    priority: int
    identifier: str
    message: str


def append(
    layout: Layout, container: str, message: str, priority: int = 6, identifier: str = "systemd", at: int = 0
) -> None:
    """Append a line to the container's log, at `at` µs since the epoch or now; a full disk drops it, as in journald.

    Raises FileNotFoundError when the directory of the host is gone, which is not created again.
    """
    line = {"t": at or time.time_ns() // 1000, "p": priority, "i": identifier, "m": message}
    try:
        _append_bytes(layout.log(container), json.dumps(line).encode() + b"\n")
    except FileNotFoundError:
        raise
    except OSError:
        return


def _append_bytes(directory: Path, line: bytes) -> None:
    directory.mkdir(exist_ok=True)
    fd = os.open(directory / CURRENT, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, line)
        if os.fstat(fd).st_size > LARGEST_FILE:
            (directory / CURRENT).rename(directory / OLDER)
    finally:
        os.close(fd)


def parse_line(raw: bytes) -> Line | None:
    """A line of a log file; None for one that is incomplete after a crash."""
    try:
        fields = json.loads(raw.decode("utf-8", "surrogatepass"))  # loads would first guess the encoding of bytes
        return Line(int(fields["t"]), int(fields["p"]), str(fields["i"]), str(fields["m"]))
    except (ValueError, KeyError, TypeError):
        return None


def files(layout: Layout, container: str) -> list[Path]:
    """The log files that a container has, the older one first."""
    return [path for path in (layout.log(container) / OLDER, layout.log(container) / CURRENT) if os.path.lexists(path)]
