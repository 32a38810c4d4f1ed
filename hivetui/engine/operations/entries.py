"""Reading the entries of an operation's record, from its end or as it grows."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hivetui.engine.host import locks
from hivetui.engine.model.errors import NotFound
from hivetui.engine.model.operations import Entry
from hivetui.engine.model.text import exact_bytes, show_bytes
from hivetui.engine.operations.directory import OperationDirectory

_MIN_POLL_SECONDS, _MAX_POLL_SECONDS = 0.03, 0.2  # between two reads of a record: while it grows, and when it is idle
_CHUNK_BYTES = 128 * 1024
_LAST_ENTRY_BYTES = 128 * 1024  # the last entry of a record starts within its last bytes, since lines are cut

_EXACT_TEXT = "text_base64"
"""The bytes of a text that is not all UTF-8, as in the JSON of the command line; other entries have no such field."""
_ENTRIES = TypeAdapter(list[Entry])


def last_entries(directory: OperationDirectory, max_bytes: int = 1 << 20) -> list[Entry]:
    """The entries within the last `max_bytes` of the record; torn lines are left out."""
    try:
        with directory.entries.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - max_bytes))
            return _parse(file.read().split(b"\n"))
    except FileNotFoundError:
        return []


def last_number(directory: OperationDirectory) -> int:
    """The number of the last entry, 0 for an empty record."""
    return max((entry.number for entry in last_entries(directory)), default=0)


def end_of(directory: OperationDirectory) -> Entry | None:
    """The entry that ends the record, None while there is none."""
    last = last_entries(directory, _LAST_ENTRY_BYTES)
    return last[-1] if last and is_end(last[-1]) else None


def is_end(entry: Entry) -> bool:
    """Whether no further entry follows."""
    return entry.state is not None and entry.state.ended


async def follow(directory: OperationDirectory, after: int = 0, wait: bool = True) -> AsyncIterator[tuple[Entry, ...]]:
    """Batches of the entries with a number above `after`, until the end of the record or the death of its worker.

    Without `wait`, until the last entry that is there now. NotFound when the record was removed.
    """
    with _open(directory) as file:
        partial, pause = b"", _MIN_POLL_SECONDS
        while True:
            is_dead = locks.is_free(directory.lock)  # tested before the read, which then gets all that it had written
            if chunk := file.read(_CHUNK_BYTES):
                *lines, partial = (partial + chunk).split(b"\n")
                entries = _parse(lines)
                if batch := tuple(entry for entry in entries if entry.number > after):
                    yield batch
                if entries and is_end(entries[-1]):
                    return
                pause = _MIN_POLL_SECONDS
                await asyncio.sleep(0)
            elif is_dead or not wait:
                return
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _MAX_POLL_SECONDS)


def _open(directory: OperationDirectory) -> io.FileIO:
    try:
        return io.FileIO(directory.entries)
    except FileNotFoundError as error:  # removed since it was listed
        what = f"The record of operation {directory.number} was removed"
        why = "Records are removed some time after the operation ended (deploy.keep_output_days)."
        raise NotFound(what, why, "List them with: hivetui operations --all") from error


def _parse(lines: Sequence[bytes]) -> list[Entry]:
    """The entries of complete lines: all at once, which is fast, or one by one if a crash or a full disk tore some."""
    try:
        return _ENTRIES.validate_json(b"[" + b",".join(filter(None, lines)) + b"]")
    except ValidationError:
        return list(_parse_intact(lines))


def _parse_intact(lines: Sequence[bytes]) -> Iterator[Entry]:
    for line in lines:
        with suppress(ValueError):
            yield _parse_exact(line) if _EXACT_TEXT.encode() in line else Entry.model_validate_json(line)


def with_exact_text(entry: dict[str, Any]) -> dict[str, Any]:
    """The fields of an entry with bytes that are not UTF-8: shown as tokens, and those of the text kept beside it."""
    shown = dict(entry)
    if "argv" in entry:
        shown["argv"] = tuple(map(show_bytes, entry["argv"]))
    if (exact := exact_bytes(entry.get("text", ""))) is not None:
        shown |= {"text": show_bytes(entry["text"]), _EXACT_TEXT: base64.b64encode(exact).decode("ascii")}
    return shown


def _parse_exact(line: bytes) -> Entry:
    fields = json.loads(line)
    exact = base64.b64decode(fields.pop(_EXACT_TEXT, ""))
    return Entry.model_validate({**fields, "text": exact.decode("utf-8", "surrogateescape")})
