"""The event log: one JSON event a line, appended by every process that does something. It is informative only.

It is bounded to two files of `MOST_BYTES`; the older one is `events.jsonl.1`. An event is appended by one write under a
lock, so that lines never mix and nothing is written to a file that was rotated away. A reader leaves out torn lines.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.events import Event

MOST_BYTES = 8 * 1024 * 1024
_MAX_TEXT_CHARACTERS = 2000
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 64 * 1024


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


async def follow(paths: Paths) -> AsyncGenerator[Event, None]:
    """The events that any process appends from now on; it ends only when it is closed."""
    file, partial = _open(paths.event_log), b""
    if file is not None:
        file.seek(0, os.SEEK_END)
    try:
        while True:
            newer = _open_newer(paths.event_log, file)  # before the read: a rotated file gets no further events
            chunk = file.read(_CHUNK_BYTES) if file is not None else b""
            *lines, partial = (partial + chunk).split(b"\n")
            for event in _parse(lines):
                yield event
            if newer is not None and chunk:
                newer.close()  # the older file is read to its end first
            elif newer is not None:
                if file is not None:
                    file.close()
                file, partial = newer, b""
            elif not chunk:
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        if file is not None:
            file.close()


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


def _open(path: Path) -> BinaryIO | None:
    with files.translate_os_errors(f"The event log {path} could not be read"), suppress(FileNotFoundError):
        return path.open("rb", buffering=0)
    return None


def _open_newer(path: Path, file: BinaryIO | None) -> BinaryIO | None:
    """The file at `path` if it is not the one that is open as `file`."""
    with suppress(FileNotFoundError):
        if file is None or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
            return _open(path)
    return None


def _parse(lines: list[bytes]) -> Iterator[Event]:
    for line in lines:
        with suppress(ValidationError):
            yield Event.model_validate_json(line)
