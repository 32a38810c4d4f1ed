"""The event log: one JSON event a line, appended by whichever process did something. For people; it decides nothing.

It is kept to two files of `MOST_BYTES`: the older one is `events.jsonl.1`. Appending is one write under a lock, so that
lines never mix and nothing is written to a file that was put aside; a line torn by a crash is left out when read.
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
_LONGEST_TEXT = 2000
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 64 * 1024


def append(paths: Paths, event: Event, most_bytes: int = MOST_BYTES) -> bool:
    """Add an event; False when it could not be written, which must not undo what has happened."""
    text = event.text[:_LONGEST_TEXT]
    line = event.model_copy(update={"text": text}).model_dump_json(exclude_defaults=True).encode() + b"\n"
    try:
        with locks.hold_briefly(paths.locks / "event-log"):
            _put_aside(paths.event_log, most_bytes)
            return _write(paths.event_log, line)
    except (OSError, HiveError):
        return False


def tail(paths: Paths, count: int) -> list[Event]:
    """The last `count` events, oldest first."""
    events: list[Event] = []
    for path in (paths.event_log, _older(paths.event_log)):
        if len(events) < count:
            events = _last(path, count - len(events)) + events
    return events


async def follow(paths: Paths) -> AsyncGenerator[Event, None]:
    """What is appended from now on, by whichever process."""
    file, carry = _opened(paths.event_log), b""
    if file is not None:
        file.seek(0, os.SEEK_END)
    try:
        while True:
            newer = _newer(paths.event_log, file)  # before reading: to what was put aside nothing more comes
            chunk = file.read(_CHUNK_BYTES) if file is not None else b""
            *lines, carry = (carry + chunk).split(b"\n")
            for event in _parsed(lines):
                yield event
            if newer is not None and chunk:
                newer.close()
            elif newer is not None:
                file, carry = _taken_over(file, newer), b""
            elif not chunk:
                await asyncio.sleep(_POLL_SECONDS)
    finally:
        if file is not None:
            file.close()


def _write(path: Path, line: bytes) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = b"\n" + line if torn else line
        return os.write(descriptor, data) == len(data)
    finally:
        os.close(descriptor)


def _put_aside(path: Path, most_bytes: int) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size >= most_bytes:
            path.replace(_older(path))


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _last(path: Path, count: int) -> list[Event]:
    """The last `count` events of one file, read from its end."""
    try:
        with path.open("rb") as file:
            return list(_parsed(_last_lines(file, count)))[-count:] if count > 0 else []
    except FileNotFoundError:
        return []


def _last_lines(file: BinaryIO, count: int) -> list[bytes]:
    at, data = file.seek(0, os.SEEK_END), b""
    while at > 0 and data.count(b"\n") <= count:
        start = max(0, at - _CHUNK_BYTES)
        file.seek(start)
        data, at = file.read(at - start) + data, start
    lines = data.split(b"\n")
    return lines if at == 0 else lines[1:]


def _opened(path: Path) -> BinaryIO | None:
    with files.translate_os_errors(f"The event log {path} could not be read"), suppress(FileNotFoundError):
        return path.open("rb", buffering=0)
    return None


def _newer(path: Path, file: BinaryIO | None) -> BinaryIO | None:
    """The file that has taken the place of this one, if one has."""
    with suppress(FileNotFoundError):
        if file is None or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
            return _opened(path)
    return None


def _taken_over(file: BinaryIO | None, newer: BinaryIO) -> BinaryIO:
    if file is not None:
        file.close()
    return newer


def _parsed(lines: list[bytes]) -> Iterator[Event]:
    for line in lines:
        with suppress(ValidationError):
            yield Event.model_validate_json(line)
