"""A screen with a diff in which notes on lines are written, and that shows what changed since a denial."""

from __future__ import annotations

from dataclasses import replace

from hivetui.engine.model.errors import HiveError, OperationFailed
from hivetui.engine.model.notes import MAX_NOTE_CHARS, MAX_NOTES, LineNote
from hivetui.engine.model.proposals import ProposalKind
from hivetui.screens.dialogs.text import TextDialog
from hivetui.screens.review import notes_text
from hivetui.screens.review.effect_screen import EffectScreen
from hivetui.widgets.diff.note_places import ChosenLines


class LineNoteDialog(TextDialog):
    """Asks for a note on lines and returns it; "" removes the one that is there."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"Note on {place}", (), "sent with a denial; empty: no note", value=text)

    def problem(self, text: str) -> str | None:
        """Accept an empty text, and none that is too long."""
        return None if len(text) <= MAX_NOTE_CHARS else f"A note has at most {MAX_NOTE_CHARS} characters."


class NoteScreen(EffectScreen):
    """Subclasses call `load_notes`, and `compare_with_denied` once."""

    async def load_notes(self) -> None:
        """Load the notes that the operator has kept for this proposal; the review is read without them too."""
        try:
            self.contents.notes = await self.hive.notes(self.contents.proposal_id)
        except OperationFailed as error:  # they cannot be read, for which a denial is refused
            self.show_error(error)

    def show_notes(self) -> None:
        """Show the notes at the lines of the diff."""
        contents = self.contents
        if contents.review is not None and self.is_ready:
            is_other_base = contents.options.base is not None
            self.diff.show_notes(notes_text.place_notes(contents.review, contents.notes, is_other_base))
            self.show_time()  # the head has a line about them

    def compare_with_denied(self) -> bool:
        """Whether the diff is to be made against the denied proposal, which a review that answers one begins with."""
        contents = self.contents
        review, is_first, contents.has_begun = contents.review, not contents.has_begun, True
        denied = review.previous if review is not None else None
        if not is_first or denied is None or contents.pending is None or contents.options.base is not None:
            return False
        if denied.commit == contents.pending.commit:  # proposed again as it was: nothing has changed since
            return False
        contents.options = replace(contents.options, base=f"denied/{denied.id}")
        return True

    def action_since(self) -> None:
        """Switch between what changed since the denial and what would change now."""
        options, review = self.contents.options, self.contents.review
        if review is not None and review.previous is not None:
            denied = f"denied/{review.previous.id}"
            self.change_options(replace(options, base=None if options.base == denied else denied))

    def action_note(self) -> None:
        """Choose a line; then write a note on what is chosen."""
        if self.diff.cursor is None:
            self._choose(True)
        elif (chosen := self.diff.chosen) is not None:
            self._ask_note(chosen)

    def action_open(self) -> None:
        """Write a note while lines are chosen."""
        if self.diff.cursor is None:
            super().action_open()
        elif self.unavailable_reason("note") is None:
            self.action_note()

    def _choose(self, is_choosing: bool) -> None:
        found = self.diff.choose_lines(is_choosing)
        if is_choosing and not found:
            self.notify("The diff has no line below that could have a note.", markup=False)
        self.refresh_bindings()

    def _ask_note(self, chosen: ChosenLines) -> None:
        before = next((one for one in self.contents.notes if _is_on(one, chosen)), None)
        place = before or LineNote(file=chosen.file, side=chosen.side, first=chosen.first, last=chosen.last, text="")

        def on_answer(text: str | None) -> None:
            if text is None:
                return
            others = tuple(one for one in self.contents.notes if one is not before)
            self._keep((*others, place.model_copy(update={"text": text})) if text else others)

        self.app.push_screen(LineNoteDialog(notes_text.place_of(place), place.text), on_answer)

    def _keep(self, notes: tuple[LineNote, ...]) -> None:
        """Show the notes at once, and keep them; when they cannot be kept, show what is kept."""
        self.contents.notes = notes
        self.diff.choose_one()
        self.show_notes()
        self.run_engine_work(self._keep_all(notes))

    async def _keep_all(self, notes: tuple[LineNote, ...]) -> None:
        try:
            await self.hive.keep_notes(self.contents.proposal_id, notes)
        except HiveError:
            await self.load_notes()
            self.show_notes()
            raise

    def end_innermost(self) -> bool:
        """Stop choosing lines."""
        if super().end_innermost():
            return True
        was_choosing = self.diff.cursor is not None
        if was_choosing:
            self._choose(False)
        return was_choosing

    def unavailable_reason(self, action: str) -> str | None:
        """Notes are for a pending proposal and its diff; nothing was denied before most proposals."""
        review = self.contents.review
        if action == "since":
            has_denied = review is not None and review.previous is not None
            return None if has_denied else "This proposal answers no denied one."
        if action != "note":
            return super().unavailable_reason(action)
        if review is None:
            return self.contents.load_error or "The review is still loading."
        if review.proposal.kind is ProposalKind.SPAWN:
            return "A spawn request has no lines."
        return self._note_obstacle()

    def _note_obstacle(self) -> str | None:
        if self.contents.pending is None:
            return "It is no longer pending, so notes could not be sent."
        if len(self.contents.notes) >= MAX_NOTES:
            return f"There are {MAX_NOTES} notes; a denial has no more."
        chosen = self.diff.chosen
        if chosen is not None and chosen.side == "old" and self.contents.options.base is not None:
            return "A removed line can have a note in the diff against what runs; this is another."
        return None


def _is_on(note: LineNote, chosen: ChosenLines) -> bool:
    """Whether a note stands at one of the chosen lines."""
    is_there = note.first <= chosen.last and chosen.first <= note.last
    return (note.side, note.file) == (chosen.side, chosen.file) and is_there
