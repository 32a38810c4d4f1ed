"""Notes on lines as a review shows them: below the lines of its diff, in its head, on pages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hivetui.console.keymap import current_key
from hivetui.engine.model.notes import DeniedBefore, LineNote, Mark, MarkedNote
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.review import Review
from hivetui.screens.dialogs.pages import Page
from hivetui.screens.state_labels import describe_denial
from hivetui.widgets import wording
from hivetui.widgets.diff.note_places import ShownNote


def place_notes(review: Review, drafts: Sequence[LineNote], is_other_base: bool) -> list[ShownNote]:
    """Where in the diff of a review the notes stand: the operator's own, those of its denial, those of the one before.

    `is_other_base` says that the diff is not the one against what runs, so its old lines are others.
    """
    own = [*drafts, *review.proposal.lines]
    shown = [
        ShownNote(note.side, note.file, note.last, note.text) for note in own if note.side == "new" or not is_other_base
    ]
    if review.previous is not None:
        shown += _of_denied(review.previous, review.proposal.base)
    return shown


def _of_denied(denied: DeniedBefore, base: str | None) -> Iterator[ShownNote]:
    for note in denied.lines:
        label, style = f"#{denied.id} {note.mark}:", note.mark.value
        if (note.side, base) in (("new", denied.commit), ("old", denied.base)):
            yield ShownNote("old", note.file, note.last, note.text, label, style)
        elif note.now is not None:
            length = note.last - note.first if note.mark is Mark.UNTOUCHED else 0
            yield ShownNote("new", note.file, note.now + length, note.text, label, style)


def describe_denied(review: Review) -> tuple[str, str]:
    """What the head says of the denied proposal that this one answers, and of its notes; "" for none."""
    denied, itself = review.previous, review.proposal.denied_before
    if denied is None:
        return "", ""
    is_said = itself is not None and itself.id == denied.id  # by `describe_denial`
    head = "" if is_said else f"▲ DENIED BEFORE as #{denied.id} by {denied.decided_by}: {denied.note}"
    if not denied.lines:
        return head, ""
    touched = sum(note.mark is Mark.TOUCHED for note in denied.lines)
    count = wording.format_count(len(denied.lines), "note")
    return head, f"{count} on lines: {touched} touched, {len(denied.lines) - touched} untouched"


def denial_detail(proposal: Proposal) -> tuple[str, ...]:
    """What a question says of a proposal whose very commit was denied before."""
    return tuple(filter(None, (describe_denial(proposal),)))


def describe_drafts(drafts: Sequence[LineNote], hidden: int) -> str:
    """What the head says of the operator's own notes; "" for none."""
    if not drafts:
        return ""
    not_here = f", {hidden} not at lines of this diff" if hidden else ""
    note = wording.format_count(len(drafts), "note")
    return f"✎ {note} on lines, to be sent with a denial{not_here} ({current_key('review.commits')})"


def draft_detail(drafts: Sequence[LineNote]) -> tuple[str, ...]:
    """What the question of an approval says of notes that are not sent."""
    if not drafts:
        return ()
    notes = "1 note on lines is" if len(drafts) == 1 else f"{len(drafts)} notes on lines are"
    return (f"▲ {notes} not sent: only a denial sends them",)


def denial_details(drafts: Sequence[LineNote]) -> tuple[str, ...]:
    """What the question of a denial says of the notes that go with it."""
    return tuple(f"✎ {place_of(note)}: {note.text}" for note in drafts)


def build_note_pages(review: Review, drafts: Sequence[LineNote]) -> Iterator[Page]:
    """The notes in full: one's own or those of the denial, and those of the denied proposal before."""
    own = [*drafts, *review.proposal.lines]
    if own:
        yield Page(f"{wording.format_count(len(own), 'note')} on lines", "\n\n".join(map(_paragraph, own)))
    if (denied := review.previous) is not None:
        notes = "\n\n".join(map(_paragraph, denied.lines))
        yield Page(f"denied before as #{denied.id}: {denied.note}", f"{denied.note}\n\n{notes}")


def _paragraph(note: LineNote) -> str:
    mark = f", {note.mark}" if isinstance(note, MarkedNote) else ""
    return f"{place_of(note)}{mark}\n{note.text}"


def place_of(note: LineNote) -> str:
    """The file and lines of a note, not yet safe to show."""
    return f"{note.file}:{note.lines}" + (" (old)" if note.side == "old" else "")
