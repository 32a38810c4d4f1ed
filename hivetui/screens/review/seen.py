"""What of a diff was on the operator's screen, for the record of the decision. Does not depend on Textual.

A hunk counts when all of its lines were visible: as git writes it with three lines of context, whatever the context on
the screen is. The whole of a new file counts by its blob besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from hivetui.engine.model.proposals import FileChange, FileStatus
from hivetui.engine.model.records import Seen
from hivetui.widgets.diff.index import DiffIndex, FilePart

CONTEXT = 3
"""The lines of context of a hunk that is hashed; of a diff with less no hunk is known whole."""


class _Unit(NamedTuple):
    """A line of a hunk, with the note below it that no newline follows."""

    lines: range
    is_change: bool


def find_seen(
    index: DiffIndex, files: Sequence[FileChange], context: int, is_read: Callable[[int], bool]
) -> Seen | None:
    """What was seen of a diff with `context` lines of context; None if it is too much for a record."""
    new_blobs = {change.path: change.new_blob for change in files if change.status is FileStatus.ADDED}
    blobs, hunks = [], []
    for part in index.files:
        units = [list(_units(index, hunk.line + 1)) for hunk in part.hunks]
        if context >= CONTEXT:
            hunks += [_digest(index, one) for body in units for one in _split(body) if _all_read(one, is_read)]
        if (blob := new_blobs.get(part.path)) is not None and _is_whole(part, units, is_read):
            blobs.append(blob)
    return Seen.if_few(blobs, hunks)


def _units(index: DiffIndex, start: int) -> Iterator[_Unit]:
    """The lines of the hunk whose first line this is."""
    line = start
    while line < index.count and index.kind(line) in " +-":
        end = line + 1
        while end < index.count and index.kind(end) == "\\":
            end += 1
        yield _Unit(range(line, end), index.kind(line) != " ")
        line = end


def _split(body: list[_Unit]) -> Iterator[list[_Unit]]:
    """The hunks that git would make of a hunk with more context."""
    changes = [at for at, unit in enumerate(body) if unit.is_change]
    start = 0
    for number, at in enumerate(changes):
        if number + 1 == len(changes) or changes[number + 1] - at - 1 > 2 * CONTEXT:
            yield body[max(0, changes[start] - CONTEXT) : at + CONTEXT + 1]
            start = number + 1


def _all_read(units: list[_Unit], is_read: Callable[[int], bool]) -> bool:
    return all(is_read(unit.lines.start) for unit in units)


def _is_whole(part: FilePart, hunks: list[list[_Unit]], is_read: Callable[[int], bool]) -> bool:
    """Whether all of a new file was visible; of an empty one, that there is one."""
    return all(_all_read(units, is_read) for units in hunks) if hunks else is_read(part.line)


def _digest(index: DiffIndex, units: list[_Unit]) -> str:
    lines = (index.raw(line) + b"\n" for unit in units for line in unit.lines)
    return sha256(b"".join(lines)).hexdigest()
