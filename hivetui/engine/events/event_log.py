"""The event log: one JSON event a line, appended by every process that does something. It is informative only.

It is bounded to two files of `MOST_BYTES`; the older one is `events.jsonl.1`. An event is appended by one write under a
lock, so that lines never mix and nothing is written to a file that was rotated away. A reader leaves out torn lines.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event

MOST_BYTES = 8 * 1024 * 1024
_MAX_TEXT_CHARACTERS = 2000


def append(paths: Paths, event: Event, most_bytes: int = MOST_BYTES) -> bool:
    """Append an event. False when that failed, which is no reason to undo what has happened."""
    text = event.text[:_MAX_TEXT_CHARACTERS]
    line = event.model_copy(update={"text": text}).model_dump_json(exclude_defaults=True).encode() + b"\n"
    try:
        with locks.hold_briefly(paths.locks / "event-log"):
            _rotate(paths.event_log, most_bytes)
            return _write(paths.event_log, line)
    except (OSError, HiveError):
        return False


def _write(path: Path, line: bytes) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = b"\n" + line if is_torn else line
        return os.write(descriptor, data) == len(data)
    finally:
        os.close(descriptor)


def _rotate(path: Path, most_bytes: int) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size >= most_bytes:
            path.replace(path.with_name(path.name + ".1"))
