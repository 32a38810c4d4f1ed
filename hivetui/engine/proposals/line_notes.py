"""Checks the notes on lines of a proposal: each must stand at lines that its file has in the commit it is about."""

from __future__ import annotations

from collections.abc import Sequence

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.notes import MAX_NOTE_CHARS, MAX_NOTES, MAX_NOTES_CHARS, GivenNote, LineNote, read_note
from hivetui.engine.model.text import safe
from hivetui.engine.proposals.tag_messages import escape_undecodable
from hivetui.engine.proposals.tags import ProposalTags

_MAX_GIVEN = 8 << 10
_MAX_FILE = 16 << 20
_FORM = "FILE:SIDE:FROM[-TO]:TEXT, with SIDE old or new"


class NoteChecker:
    """Checks notes on one change, and reads each file that they are about once."""

    def __init__(self, tags: ProposalTags, base: str) -> None:
        self._tags = tags
        self._applied: AppliedRepo = tags.store
        self._commits = {"new": tags.commit, "old": base}
        self._line_counts: dict[tuple[str, str], int | None] = {}

    async def check(self, given: Sequence[GivenNote]) -> tuple[LineNote, ...]:
        """The notes with clean texts, none twice, in the order of files and lines.

        BadData for one that cannot be read, is too long, or is about a file or line that is not there.
        """
        if len(given) > MAX_NOTES:
            raise BadData(
                f"There are {len(given)} notes on lines", f"A denial has at most {MAX_NOTES}.", "Leave some out."
            )
        if given and not self._tags.store.name:
            why = "It has no lines that a note could be about."
            raise BadData(f"Proposal {self._tags.number} is a spawn request", why, "Give the reason as --note TEXT.")
        notes = dict.fromkeys([await self._check_one(one) for one in given])
        if (size := sum(len(note.text) for note in notes)) > MAX_NOTES_CHARS:
            why = f"Together they may have {MAX_NOTES_CHARS}."
            raise BadData(f"The notes on lines have {size} characters", why, "Shorten them, or leave some out.")
        return tuple(sorted(notes, key=lambda note: (note.file, note.first, note.side, note.last)))

    async def _check_one(self, given: GivenNote) -> LineNote:
        note = await self._choose_reading(given) if isinstance(given, str) else given
        count = await self._count_lines(note)
        if count is None:
            raise _unknown_file(note)
        if note.last > count:
            lines = "1 line" if count == 1 else f"{count} lines"
            side = "before the change" if note.side == "old" else "in the proposal"
            what = f"{safe(note.file, 200)} has no line {note.last}"
            raise BadData(what, f"It has {lines} {side}.", "Read the numbers in the diff.")
        text = escape_undecodable(note.text).strip()
        if not text or len(text) > MAX_NOTE_CHARS:
            why = f"It has {len(text)} characters; a note has 1 to {MAX_NOTE_CHARS}."
            raise BadData(f"The note on {safe(note.file, 200)}:{note.lines} cannot be sent", why, "Correct its text.")
        return note.model_copy(update={"text": text})

    async def _choose_reading(self, given: str) -> LineNote:
        """Of several readings the longest file that exists on its side counts."""
        readings = read_note(given) if len(given) <= _MAX_GIVEN else []
        for note in readings:
            if await self._count_lines(note) is not None:
                return note
        if readings:
            raise _unknown_file(readings[-1])
        raise BadData(
            f"{safe(given, 80)!r} is not a note on a line", f"It must be {_FORM}.", "For example: agent.nix:new:3:Why?"
        )

    async def _count_lines(self, note: LineNote) -> int | None:
        """How many lines the file of a note has on its side; None when it is not a file there."""
        key = (note.side, note.file)
        if key not in self._line_counts:
            self._line_counts[key] = await self._read_line_count(self._commits[note.side], note.file)
        return self._line_counts[key]

    async def _read_line_count(self, commit: str, file: str) -> int | None:
        if any(part in ("", ".", "..") for part in file.split("/")):
            return None
        blob = await self._applied.git.resolve(f"{commit}:{file}")
        if blob is None:
            return None
        read = await self._applied.git.run("cat-file", "blob", blob, check=False, keep=_MAX_FILE)
        if read.status:  # a directory, or the commit of a submodule
            return None
        return read.stdout.count(b"\n") + (read.stdout[-1:] not in (b"", b"\n"))


def _unknown_file(note: LineNote) -> BadData:
    """The error for a note whose file is in no reading of it there; the one with the shortest name is told."""
    side = "before the change" if note.side == "old" else "in the proposal"
    return BadData(
        "A note is about a file that is not there",
        f"There is no file {safe(note.file, 200)} {side}.",
        f"Write {_FORM}.",
    )
