"""Parses the list of changed files from git's machine-readable output, never from the headers of a patch. Pure.

The format is that of `git diff-tree -r --raw --numstat -z` (git-diff-tree(1), "RAW OUTPUT FORMAT"; git-diff(1),
"OTHER DIFF FORMATS"): all raw entries, then all line counts, each part terminated by a zero byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hivetui.engine.git.decoding import decode
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.proposals import FileChange, FileStatus

_ABSENT = "0" * 40  # the blob of a side on which the file does not exist
_SUBMODULE_MODE = "160000"
_RAW = re.compile(rb":([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([AMDTRC])[0-9]*")
_COUNT = re.compile(rb"(-|[0-9]+)\t(-|[0-9]+)\t(.*)", re.DOTALL)
_STATUS = {
    b"A": FileStatus.ADDED,
    b"C": FileStatus.ADDED,
    b"M": FileStatus.MODIFIED,
    b"D": FileStatus.DELETED,
    b"R": FileStatus.RENAMED,
    b"T": FileStatus.TYPE_CHANGED,
}


class RawEntry(NamedTuple):
    """One raw entry: modes and blobs of both sides, the status, the path before and after."""

    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    status: FileStatus
    old_path: bytes
    path: bytes


def parse_changes(output: bytes) -> list[FileChange]:
    """The changed files in git's order; OperationFailed for output that is not in the format."""
    parts = iter(output.split(b"\0")[:-1])
    entries: list[RawEntry] = []
    line_counts: dict[bytes, tuple[int | None, int | None]] = {}
    for part in parts:
        if part.startswith(b":"):
            entries.append(_parse_entry(part, parts))
        else:
            path, lines = _parse_line_count(part, parts)
            line_counts[path] = lines
    return [_file_change(entry, line_counts) for entry in entries]


def list_blobs(changes: list[FileChange]) -> list[str]:
    """The blobs on either side that have a size: without absent ones, and without the commits of submodules."""
    sides = ((c.old_mode, c.old_blob) for c in changes), ((c.new_mode, c.new_blob) for c in changes)
    return sorted({blob for side in sides for mode, blob in side if blob != _ABSENT and mode != _SUBMODULE_MODE})


def add_sizes(changes: list[FileChange], sizes: Mapping[str, int]) -> tuple[FileChange, ...]:
    """The changes with the size in bytes of each blob that has one."""
    return tuple(
        change.model_copy(update={"old_size": sizes.get(change.old_blob), "new_size": sizes.get(change.new_blob)})
        for change in changes
    )


def parse_sizes(output: bytes) -> dict[str, int]:
    """The size in bytes of each existing blob, from the output of `git cat-file --batch-check`."""
    rows = (line.split(b" ") for line in output.splitlines())
    return {row[0].decode("ascii"): int(row[2]) for row in rows if len(row) == 3 and row[1] == b"blob"}


def _parse_entry(part: bytes, parts: Iterator[bytes]) -> RawEntry:
    match = _RAW.fullmatch(part)
    if match is None:
        raise _unreadable(part)
    old_mode, new_mode, old_blob, new_blob = (group.decode("ascii") for group in match.groups()[:4])
    path = old_path = _next_part(parts)
    if match[5] in (b"R", b"C"):
        path = _next_part(parts)
    return RawEntry(old_mode, new_mode, old_blob, new_blob, _STATUS[match[5]], old_path, path)


def _parse_line_count(part: bytes, parts: Iterator[bytes]) -> tuple[bytes, tuple[int | None, int | None]]:
    match = _COUNT.fullmatch(part)
    if match is None:
        raise _unreadable(part)
    path = match[3]
    if not path:  # of a rename the path before and the path after follow as parts of their own
        _next_part(parts)
        path = _next_part(parts)
    return path, (_parse_lines(match[1]), _parse_lines(match[2]))


def _parse_lines(digits: bytes) -> int | None:
    """A number of lines; git writes `-` for a binary file."""
    return None if digits == b"-" else int(digits)


def _next_part(parts: Iterator[bytes]) -> bytes:
    part = next(parts, None)
    if part is None:
        raise _unreadable(b"")
    return part


def _file_change(entry: RawEntry, line_counts: Mapping[bytes, tuple[int | None, int | None]]) -> FileChange:
    additions, deletions = line_counts.get(entry.path, (None, None))
    return FileChange(
        path=decode(entry.path),
        old_path=decode(entry.old_path) if entry.old_path != entry.path else None,
        status=entry.status,
        additions=additions,
        deletions=deletions,
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
        old_blob=entry.old_blob,
        new_blob=entry.new_blob,
    )


def _unreadable(part: bytes) -> OperationFailed:
    return OperationFailed("The list of changed files could not be read", f"git wrote {part[:80]!r}.")
