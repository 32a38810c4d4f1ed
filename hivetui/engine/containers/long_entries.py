"""Entries of a journal as they come out of journalctl, one a line; of one that is too long, a short one in its place.

Nobody reads ten megabytes in one line, and taking them apart would keep everything else waiting; but a line that is
left out hides something. So its beginning is kept, and how long it was is said in its text.
"""

from __future__ import annotations

import json
import re

LONGEST = 512 * 1024
"""Bytes of an entry that is taken whole. A line that journald cut itself (48 KiB) fits, whatever is in it."""
_KEPT = 3000  # bytes of a long message: fewer than the console shows of a line, so that its size is seen after them
_BEGINNING = 6 * _KEPT  # of the JSON that they are written in
_OVERLAP = 2 * _BEGINNING  # bytes that are looked at again with what comes next, as a field may be torn
_CHARACTER = rb'[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
# A quotation mark within a string of JSON has a \ before it: no text can look like a field
_FIELD = re.compile(
    rb'"(__REALTIME_TIMESTAMP|_SYSTEMD_UNIT|UNIT|SYSLOG_IDENTIFIER)"\s*:\s*("(?:%b){0,256}")' % _CHARACTER
)
_MESSAGE = re.compile(rb'"MESSAGE"\s*:\s*(?=["\[])')
_TEXT = re.compile(rb'"(?:%b)*' % _CHARACTER)
_BYTES = re.compile(rb"\[\s*(?:\d{1,3}\s*[,\]]\s*)*")  # a number that is cut has nothing after it


class Entries:
    """Takes chunks of bytes, cut anywhere, and gives whole entries, as many at once as there are."""

    def __init__(self) -> None:
        self._rest = b""
        self._long: _LongEntry | None = None

    def take(self, chunk: bytes) -> list[bytes]:
        """The entries that end in this chunk."""
        whole: list[bytes] = []
        if self._long is not None:
            end = chunk.find(b"\n")
            self._long.take(chunk if end < 0 else chunk[:end])
            if end < 0:
                return whole
            whole.append(self._long.shortened())
            self._long, chunk = None, chunk[end + 1 :]
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        whole += [line if len(line) <= LONGEST else _shortened(line) for line in lines]
        if len(self._rest) > LONGEST:
            self._long, self._rest = _LongEntry(self._rest), b""
        return whole


def _shortened(entry: bytes) -> bytes:
    return _LongEntry(entry).shortened()


class _LongEntry:
    """What is kept of an entry that is too long while it passes."""

    def __init__(self, beginning: bytes) -> None:
        self._size = 0
        self._fields: dict[str, str] = {}
        self._message = b""
        self._last = b""
        self.take(beginning)

    def take(self, piece: bytes) -> None:
        """Look through the next bytes."""
        self._size += len(piece)
        window = self._last + piece
        for name, value in _FIELD.findall(window):
            self._fields.setdefault(name.decode(), value.decode("utf-8", "replace"))
        found = _MESSAGE.search(window)
        if found is not None:
            self._message = max(self._message, window[found.end() : found.end() + _BEGINNING], key=len)
        self._last = window[-_OVERLAP:]

    def shortened(self) -> bytes:
        """An entry of its fields and the beginning of its message, with the size of all of it."""
        said = f" … (an entry of {self._size} bytes: only the beginning of it is read)"
        fields: dict[str, object] = {name: json.loads(value, strict=False) for name, value in self._fields.items()}
        fields["MESSAGE"] = list(_beginning(self._message)[:_KEPT] + said.encode())
        return json.dumps(fields).encode()


def _beginning(message: bytes) -> bytes:
    """What a message begins with, told by what its JSON begins with: a string, or a list of bytes."""
    if text := _TEXT.match(message):
        written = text.group().decode("utf-8", "ignore")
        read: str = json.loads(f'{written}"', strict=False)
        return read.encode("utf-8", "replace")
    if numbers := _BYTES.match(message):
        return bytes(int(number) & 0xFF for number in re.findall(rb"\d+", numbers.group()))
    return b""
