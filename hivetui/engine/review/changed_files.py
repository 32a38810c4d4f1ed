"""The list of changed files, from git's machine-readable output; the headers of a patch are never read. Pure.

The format is that of `git diff-tree -r --raw --numstat -z` (git-diff-tree(1), "RAW OUTPUT FORMAT"; git-diff(1),
"OTHER DIFF FORMATS"): all raw entries, then all counts, each part ended by a zero byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.proposals import FileChange, FileStatus

ABSENT = "0" * 40
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


class Raw(NamedTuple):
    """One raw entry: modes and blobs of both sides, status letter, the path before and after."""

    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    status: FileStatus
    old_path: bytes
    path: bytes


def parse_changes(output: bytes) -> list[FileChange]:
    """The changed files in git's order; OperationFailed for what git does not write."""
    parts = iter(output.split(b"\0")[:-1])
    raws: list[Raw] = []
    counts: dict[bytes, tuple[int | None, int | None]] = {}
    for part in parts:
        if part.startswith(b":"):
            raws.append(_raw(part, parts))
        else:
            path, lines = _count(part, parts)
            counts[path] = lines
    return [_change(raw, counts) for raw in raws]


def blobs(changes: list[FileChange]) -> list[str]:
    """The blobs on either side whose size can be asked for: not what is absent, nor the commit of a submodule."""
    sides = ((c.old_mode, c.old_blob) for c in changes), ((c.new_mode, c.new_blob) for c in changes)
    return sorted({blob for side in sides for mode, blob in side if blob != ABSENT and mode != "160000"})


def add_sizes(changes: list[FileChange], sizes: Mapping[str, int]) -> tuple[FileChange, ...]:
    """The same, with the size in bytes of each blob that has one."""
    return tuple(
        change.model_copy(update={"old_size": sizes.get(change.old_blob), "new_size": sizes.get(change.new_blob)})
        for change in changes
    )


def parse_sizes(output: bytes) -> dict[str, int]:
    """The sizes that `git cat-file --batch-check` told, of the blobs that are there."""
    rows = (line.split(b" ") for line in output.splitlines())
    return {row[0].decode("ascii"): int(row[2]) for row in rows if len(row) == 3 and row[1] == b"blob"}


def _raw(part: bytes, parts: Iterator[bytes]) -> Raw:
    match = _RAW.fullmatch(part)
    if match is None:
        raise _garbled(part)
    old_mode, new_mode, old_blob, new_blob = (group.decode("ascii") for group in match.groups()[:4])
    path = old_path = _next(parts)
    if match[5] in (b"R", b"C"):
        path = _next(parts)
    return Raw(old_mode, new_mode, old_blob, new_blob, _STATUS[match[5]], old_path, path)


def _count(part: bytes, parts: Iterator[bytes]) -> tuple[bytes, tuple[int | None, int | None]]:
    match = _COUNT.fullmatch(part)
    if match is None:
        raise _garbled(part)
    path = match[3]
    if not path:  # a rename: the path before and the path after follow
        _next(parts)
        path = _next(parts)
    return path, (_lines(match[1]), _lines(match[2]))


def _lines(digits: bytes) -> int | None:
    return None if digits == b"-" else int(digits)


def _next(parts: Iterator[bytes]) -> bytes:
    part = next(parts, None)
    if part is None:
        raise _garbled(b"")
    return part


def _change(raw: Raw, counts: Mapping[bytes, tuple[int | None, int | None]]) -> FileChange:
    additions, deletions = counts.get(raw.path, (None, None))
    return FileChange(
        path=_text(raw.path),
        old_path=_text(raw.old_path) if raw.old_path != raw.path else None,
        status=raw.status,
        additions=additions,
        deletions=deletions,
        old_mode=raw.old_mode,
        new_mode=raw.new_mode,
        old_blob=raw.old_blob,
        new_blob=raw.new_blob,
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _garbled(part: bytes) -> OperationFailed:
    return OperationFailed("The list of changed files could not be read", f"git wrote {part[:80]!r}.")
