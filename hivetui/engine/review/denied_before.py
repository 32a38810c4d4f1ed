"""The denied proposal that a proposal answers, and which of its notes on lines are answered by a change.

The lines of both commits are compared blob by blob, so that no path is read from the text of a patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.notes import DeniedBefore, LineNote, Mark, MarkedNote
from hivetui.engine.model.proposals import FileChange, FileStatus, ProposalKind
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import show_bytes
from hivetui.engine.proposals.tag_messages import Deployed, parse_message
from hivetui.engine.proposals.tags import ProposalTags, list_tags
from hivetui.engine.review.difference import TIMEOUT, diff_blobs_args
from hivetui.engine.review.overview import list_changed_files

_HUNK = re.compile(rb"^@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@", re.M)
_PATCH_BYTES = 64 << 20
_ABSENT = "000000"  # git's mode of a side on which the file does not exist


class Hunk(NamedTuple):
    """A hunk without context: the first line and the number of lines that were removed, and of those in their place."""

    old: int
    old_count: int
    new: int
    new_count: int

    def removes(self, line: int) -> bool:
        """Whether it removes or replaces a line of the old side."""
        return self.old <= line < self.old + self.old_count


class FileLines:
    """What became of the lines of one file between two commits; `hunks` is None when the file is gone."""

    def __init__(self, hunks: tuple[Hunk, ...] | None) -> None:
        self._hunks = hunks

    def removed(self, first: int, last: int) -> frozenset[int]:
        """Which of these lines the new side does not have."""
        if self._hunks is None:
            return frozenset(range(first, last + 1))
        ranges = (range(max(first, one.old), min(last + 1, one.old + one.old_count)) for one in self._hunks)
        return frozenset(line for lines in ranges for line in lines)

    def now(self, line: int) -> int | None:
        """The line of the new side that a line has become, or that stands in its place; None when there is none."""
        if self._hunks is None:
            return None
        moved = 0
        for hunk in self._hunks:
            if hunk.removes(line):
                return hunk.new + min(line - hunk.old, hunk.new_count - 1) if hunk.new_count else hunk.new or None
            if hunk.old >= line:
                break
            moved += hunk.new_count - hunk.old_count
        return line + moved


class Comparison:
    """Two commits of an agent, compared file by file as far as it is asked for."""

    def __init__(self, applied: AppliedRepo, old: str, new: str) -> None:
        self._applied, self._old, self._new = applied, old, new
        self._changes: dict[str, FileChange] | None = None
        self._files: dict[str, FileLines] = {}

    async def file(self, name: str) -> FileLines:
        """What became of a file of the old side; `name` has tokens for bytes that are not UTF-8, as records do."""
        if name not in self._files:
            self._files[name] = await self._compare(name)
        return self._files[name]

    async def _compare(self, name: str) -> FileLines:
        if self._changes is None:
            found = await list_changed_files(self._applied, self._old, self._new)
            self._changes = {show_bytes(one.old_path or one.path): one for one in found if one.old_mode != _ABSENT}
        change = self._changes.get(name)
        if change is None or change.old_blob == change.new_blob:
            return FileLines(())
        if change.status is FileStatus.DELETED:
            return FileLines(None)
        args = diff_blobs_args(change.old_blob, change.new_blob)
        patch = await self._applied.git.run(*args, timeout=TIMEOUT, keep=_PATCH_BYTES)
        return FileLines(tuple(parse_hunks(patch.stdout)))


def parse_hunks(patch: bytes) -> Iterator[Hunk]:
    """The hunks of a patch between two blobs."""
    for match in _HUNK.finditer(patch):
        yield Hunk(*(1 if part is None else int(part) for part in match.groups()))


async def add_previous(host: Host, review: Review) -> Review:
    """The review with the denied proposal that it answers; one that cannot be compared is told among the messages."""
    if review.proposal.kind is not ProposalKind.DEPLOY:
        return review
    try:
        previous = await find_denied_before(host, review.proposal.agent, review.proposal.id)
    except HiveError as error:
        message = f"what was denied before cannot be compared: {error.what}"
        return review.model_copy(update={"tool_messages": (*review.tool_messages, message)})
    return review.model_copy(update={"previous": previous})


async def find_denied_before(host: Host, agent: str, number: int) -> DeniedBefore | None:
    """The last proposal of an agent that was denied before `number` was submitted.

    None when there is none, and when another proposal was deployed since.
    """
    applied = AppliedRepo(host, agent)
    tags = {one.number: one for one in list_tags(applied)}
    mine = tags.get(number)
    if mine is None or mine.kind is not ProposalKind.DEPLOY or mine.submitted is None:
        return None
    denied = _last_denied(tags.values(), mine.submitted.at, number)
    if denied is None or denied.refused is None or _is_settled(tags.values(), denied.refused.at, mine):
        return None
    record = denied.refused
    return DeniedBefore(
        id=denied.number,
        commit=denied.commit,
        base=record.base,
        note=record.note,
        decided_by=record.operator,
        decided_at=record.at,
        lines=await mark_notes(applied, record.lines, record.base, denied.commit, mine.commit),
    )


def _last_denied(found: Iterable[ProposalTags], before: datetime, number: int) -> ProposalTags | None:
    denied = [
        one
        for one in found
        if "denied" in one.tags and one.refused and one.number < number and one.refused.at <= before
    ]
    return max(denied, key=lambda one: one.number, default=None)


def _is_settled(found: Iterable[ProposalTags], denied_at: datetime, mine: ProposalTags) -> bool:
    """Whether another proposal was deployed after the denial, and before this one was decided if it is."""
    until = mine.decision.at if mine.decision else None
    for one in found:
        deployed = parse_message(one.tags["deployed"].message, Deployed) if "deployed" in one.tags else None
        if deployed is None or one.number == mine.number:
            continue
        if denied_at < deployed.at and (until is None or deployed.at <= until):
            return True
    return False


async def mark_notes(
    applied: AppliedRepo, notes: Iterable[LineNote], base: str, denied: str, commit: str
) -> tuple[MarkedNote, ...]:
    """Mark the notes on the change from `base` to `denied` by what `commit` has made of their lines.

    A note on the old side is touched when a line that the denied proposal removed is back, or the other way round.
    """
    since, before, now = (Comparison(applied, *pair) for pair in ((denied, commit), (base, denied), (base, commit)))
    marked = []
    for note in notes:
        lines = (note.first, note.last)
        if note.side == "new":
            file = await since.file(note.file)
            is_touched = bool(file.removed(*lines))
        else:
            file = await now.file(note.file)
            is_touched = file.removed(*lines) != (await before.file(note.file)).removed(*lines)
        mark = Mark.TOUCHED if is_touched else Mark.UNTOUCHED
        marked.append(MarkedNote.model_validate(note.model_dump() | {"mark": mark, "now": file.now(note.first)}))
    return tuple(marked)
