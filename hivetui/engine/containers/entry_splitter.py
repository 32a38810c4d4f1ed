"""Splits the output of `journalctl --output=json` into entries, and shortens an entry that is too long to be read.

An agent can log a line of many megabytes. Parsing it would block everything else in this process, and leaving it out
would hide something from the operator. So the beginning of its message is kept and its size is appended.
"""

from __future__ import annotations

import json
import re

from hivetui.engine.model.text import to_bytes

MAX_ENTRY_BYTES = 512 * 1024
"""An entry up to this size is passed on unchanged: that includes any line that journald itself has cut (48 KiB)."""
_KEPT_BYTES = 3000
"""Of a long message; less than the console shows of a line, so that the size appended to it can be seen."""
_BEGINNING_BYTES = 6 * _KEPT_BYTES
"""Of JSON, in which a byte takes at most six (a \\u escape), that hold the kept bytes of the message."""
_OVERLAP_BYTES = 2 * _BEGINNING_BYTES
"""Searched again with the next chunk, since a field may be cut by the end of a chunk."""
_CHARACTER = rb'[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
# Inside a JSON string a quotation mark follows a backslash, so no text that an agent logs can match as a field
_FIELD = re.compile(
    rb'"(__REALTIME_TIMESTAMP|__CURSOR|_SYSTEMD_UNIT|UNIT|SYSLOG_IDENTIFIER|PRIORITY)"\s*:\s*("(?:%b){0,256}")'
    % _CHARACTER
)
_MESSAGE = re.compile(rb'"MESSAGE"\s*:\s*(?=["\[])')
_STRING = re.compile(rb'"(?:%b)*' % _CHARACTER)
_BYTE_LIST = re.compile(rb"\[\s*(?:\d{1,3}\s*[,\]]\s*)*")
"""Numbers with their separators: a number that is cut has none, and is left out."""


class EntrySplitter:
    """Takes chunks of output, cut anywhere, and returns the entries (one line of JSON each) that they complete."""

    def __init__(self) -> None:
        self._incomplete = b""
        self._long: _LongEntry | None = None

    def split(self, chunk: bytes) -> list[bytes]:
        """The entries that end in this chunk, without their newlines."""
        entries: list[bytes] = []
        if self._long is not None:
            end = chunk.find(b"\n")
            self._long.add(chunk if end < 0 else chunk[:end])
            if end < 0:
                return entries
            entries.append(self._long.shortened())
            self._long, chunk = None, chunk[end + 1 :]
        *lines, self._incomplete = (self._incomplete + chunk).split(b"\n")
        entries += [line if len(line) <= MAX_ENTRY_BYTES else _LongEntry(line).shortened() for line in lines]
        if len(self._incomplete) > MAX_ENTRY_BYTES:
            self._long, self._incomplete = _LongEntry(self._incomplete), b""
        return entries


class _LongEntry:
    """What is kept of a long entry while its bytes pass by: some fields and the beginning of the message."""

    def __init__(self, beginning: bytes) -> None:
        self._size = 0
        self._fields: dict[str, str] = {}
        self._message = b""
        self._overlap = b""
        self.add(beginning)

    def add(self, piece: bytes) -> None:
        """Search the next bytes."""
        self._size += len(piece)
        window = self._overlap + piece
        for name, value in _FIELD.findall(window):
            self._fields.setdefault(name.decode(), value.decode("utf-8", "surrogateescape"))
        match = _MESSAGE.search(window)
        if match is not None:
            self._message = max(self._message, window[match.end() : match.end() + _BEGINNING_BYTES], key=len)
        self._overlap = window[-_OVERLAP_BYTES:]

    def shortened(self) -> bytes:
        """A short entry with the same fields, the beginning of the message, and the size of the long one."""
        note = f" … (journal entry of {self._size} bytes, truncated)"
        fields: dict[str, object] = {name: json.loads(value, strict=False) for name, value in self._fields.items()}
        fields["MESSAGE"] = list(_decode_beginning(self._message)[:_KEPT_BYTES] + note.encode())
        return json.dumps(fields).encode()


def _decode_beginning(message: bytes) -> bytes:
    """The first bytes of a message from the first bytes of its JSON, a string or a list of numbers."""
    if string := _STRING.match(message):
        text: str = json.loads(string.group().decode("utf-8", "surrogateescape") + '"', strict=False)
        return to_bytes(text)
    if numbers := _BYTE_LIST.match(message):
        return bytes(int(number) & 0xFF for number in re.findall(rb"\d+", numbers.group()))
    return b""
