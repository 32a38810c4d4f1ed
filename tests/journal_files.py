"""Writes journal files as systemd does, with any times: those of the real one are of a clock that no test may set.

The format is https://systemd.io/JOURNAL_FILE_FORMAT. Entries can be read in order; nothing is found by a match.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_HEADER_BYTES = 240
_DATA, _ENTRY, _DATA_TABLE, _FIELD_TABLE, _ENTRY_ARRAY = 1, 3, 4, 5, 6
_BOOT = bytes.fromhex("b" * 32)


class JournalEntry(NamedTuple):
    """A message, and when it was logged by the wall clock, in seconds since 1970."""

    message: str
    time: float


def write_journal(path: Path, entries: Iterable[JournalEntry], first: int = 1) -> None:
    """Write a file with these entries in their order; `first` is the sequence number of the first."""
    rows = list(entries)
    arena = bytearray()
    table = _append(arena, _DATA_TABLE, bytes(16 * 4))
    fields = _append(arena, _FIELD_TABLE, bytes(16 * 4))
    offsets = [_append_entry(arena, first + number, row) for number, row in enumerate(rows)]
    array = _append(arena, _ENTRY_ARRAY, struct.pack(f"<{len(offsets) + 1}Q", 0, *offsets))
    head = struct.pack("<8sIIB7x", b"LPKSHHRH", 0, 0, 0)
    head += bytes.fromhex("f" * 32) + bytes.fromhex(path.parent.name) + _BOOT + bytes.fromhex("5" * 32)
    times = [int(row.time * 1_000_000) for row in rows]
    numbers = (
        *(_HEADER_BYTES, len(arena), table + 16, 64, fields + 16, 64, array, 3 + 2 * len(rows), len(rows)),
        *(first + len(rows) - 1, first, array, times[0], times[-1], first + len(rows) - 1),
        *(len(rows), 0, 0, 1),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + struct.pack("<19Q", *numbers) + arena)


def _append(arena: bytearray, kind: int, content: bytes) -> int:
    """Append an object; its offset in the file."""
    arena += bytes(-len(arena) % 8)
    offset = _HEADER_BYTES + len(arena)
    arena += struct.pack("<BB6xQ", kind, 0, 16 + len(content)) + content
    return offset


def _append_entry(arena: bytearray, number: int, row: JournalEntry) -> int:
    message = row.message.encode("utf-8", "surrogateescape")
    payloads = [b"MESSAGE=" + message, b"PRIORITY=6"]
    items = b""
    for payload in payloads:
        # The entry that has it is unknown yet; any offset does, as nothing is looked up by it
        data = _append(arena, _DATA, struct.pack("<6Q", 0, 0, 0, _HEADER_BYTES, 0, 1) + payload)
        items += struct.pack("<QQ", data, 0)
    times = struct.pack("<QQQ", number, int(row.time * 1_000_000), number)
    return _append(arena, _ENTRY, times + _BOOT + bytes(8) + items)
