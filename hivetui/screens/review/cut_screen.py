"""A screen with a diff of which everything that is cut can be opened whole."""

from __future__ import annotations

from hivetui.screens.review.cuts import STILL_MEASURED, Cut, count_unread, list_unread
from hivetui.screens.review.cuts_dialog import CutsDialog
from hivetui.screens.review.note_screen import NoteScreen
from hivetui.widgets.diff.diff_view import DiffView


class CutScreen(NoteScreen):
    """Subclasses measure `contents.head` when they show it."""

    def action_next_cut(self) -> None:
        """Open what is cut and was not read, one text after the other."""
        head, diff, index = self.contents.head, self.diff, self.diff.index

        def on_read(cut: Cut) -> None:
            if cut.line is None:
                head.mark_read(cut.text)
            elif diff.index is index:  # it may have been loaded again meanwhile
                diff.mark_read(cut.line)
            self.refresh_bindings()

        def on_close(cut: Cut | None) -> None:
            if cut is not None and diff.index is index:
                diff.go_to_line(cut.line)

        if cuts := list_unread(head, diff):
            self.app.push_screen(CutsDialog(cuts, count_unread(head, diff), on_read), on_close)

    def on_diff_view_reading_changed(self, message: DiffView.ReadingChanged) -> None:
        """Whether it may be approved has changed."""
        self.refresh_bindings()

    def unavailable_reason(self, action: str) -> str | None:
        """There is something to open as long as something is cut and was not read."""
        if action != "next_cut":
            return super().unavailable_reason(action)
        if not self.diff.is_measured:
            return STILL_MEASURED
        if count_unread(self.contents.head, self.diff):
            return None
        return "The diff is loading." if self.contents.is_loading else "Everything that is cut has been read."
