"""The list of files and the diff next to it, and which of the files is the current one."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.containers import Container

from hivetui.engine.model.proposals import FileChange
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe
from hivetui.screens.review import text
from hivetui.screens.review.contents import ViewedFiles
from hivetui.widgets.diff.diff_view import DiffView
from hivetui.widgets.paths import shorten_path, shorten_rename
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Column

_NOTICE_CELLS = 30


class FileList(LineTable):
    """The list of files; a click opens one. Paths that are too long are cut where they do not differ from others."""

    def __init__(self) -> None:
        self._changes: dict[str, FileChange] = {}  # by the text in the column of paths
        self._paths: tuple[str, ...] = ()
        columns = (
            Column("viewed", "", 1, 1, priority=9),
            Column("what", "", 0, 12, priority=8),
            Column("path", "FILE", 10, 90, priority=7, names=True, shorten=self._shorten),
            Column("lines", "+/-", 7, 15, priority=6, align="right", shorten=text.shorten_size),
        )
        super().__init__(columns, empty="Loading …")

    def show(self, changes: Sequence[FileChange], viewed: ViewedFiles) -> None:
        """List the files, with their marks."""
        self._changes = {text.name_of(change): change for change in changes}
        self._paths = tuple(change.path for change in changes)
        self.set_rows([text.build_file_row(change, change in viewed) for change in changes])
        self.set_class(len(changes) < 2, "few")
        self._explain_empty()

    def filter(self, text: str) -> None:
        """Show only the files whose paths contain a text, else any cell."""
        super().filter(text)
        self._explain_empty()

    def _explain_empty(self) -> None:
        text = self.order.filter
        self.empty = f"None of {self.rows_given} files contains {text!r}." if text else "no files changed"
        self.repaint()

    def _shorten(self, name: str, width: int) -> str:
        change = self._changes[name]
        if change.old_path:
            return shorten_rename(change.old_path, change.path, width)
        return shorten_path(change.path, width, self._paths)

    def on_click(self, event: events.Click) -> None:
        """Open the row that the click puts the cursor on."""
        if event.get_content_offset_capture(self).y > 0:
            self.call_next(self.action_choose)


class FilePanes(Container):
    """Keeps the list and the diff on the same file. While `is_choosing`, keys move in the list and the diff follows."""

    def __init__(self, viewed: ViewedFiles) -> None:
        self.files, self.diff = FileList(), DiffView()
        self.files.can_focus = False
        super().__init__(self.files, self.diff, id="main")
        self.is_choosing = False
        self._viewed = viewed
        self._changes: tuple[FileChange, ...] = ()

    def show_files(self, review: Review) -> None:
        """List the files of the review, with their marks."""
        self._changes = review.files
        self.files.show(review.files, self._viewed)

    @property
    def current(self) -> FileChange | None:
        """The file that is being read: the one at the top of the diff, and nothing else decides it.

        None while the diff has no file yet, or has not yet loaded the one that is being chosen.
        """
        path = self.diff.current_path
        if self.is_choosing and path != self.files.current:
            return None
        return next((change for change in self._changes if change.path == path), None)

    def step(self, count: int) -> None:
        """Go `count` files on, in the order of the diff, unless there is none."""
        current = self.current
        place = self._changes.index(current) + count if current is not None else -1
        if 0 <= place < len(self._changes):
            self._jump(self._changes[place].path)

    def choose(self, is_choosing: bool) -> None:
        """Start or stop moving in the list."""
        if is_choosing and (path := self.diff.current_path) is not None:
            self.files.go_to_key(path)
        self.is_choosing = is_choosing
        self.files.set_class(is_choosing, "choosing")
        self.screen.refresh_bindings()
        if not is_choosing:
            self.filter_files("")

    def on_diff_view_file_reached(self, message: DiffView.FileReached) -> None:
        """Follow in the list, unless a file is being chosen in it."""
        if not self.is_choosing:
            self.files.go_to_key(message.path)

    def on_line_table_row_highlighted(self, message: LineTable.RowHighlighted) -> None:
        """The diff follows while a file is being chosen."""
        if self.is_choosing and message.key is not None:
            self._jump(message.key)

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Go to that file, and let the keys move in the diff again."""
        self._jump(message.key)
        self.choose(False)

    def _jump(self, path: str) -> None:
        if self.diff.go_to_file(path):
            self.files.go_to_key(path)
        if self.is_choosing:
            self._show_notice()

    def filter_files(self, text: str) -> None:
        """Show only the files that contain a text, and how many they are."""
        self.files.filter(text)
        self._show_notice()

    def _show_notice(self) -> None:
        """Below the diff: how many files a filter leaves, and that the one that is chosen has nothing in the diff."""
        given, path = self.files.rows_given, self.files.current
        count = f"{self.files.line_count()} of {given} files" if self.files.order.filter else ""
        is_absent = (
            self.is_choosing and path is not None and self.diff.complete and self.diff.index.find_file(path) is None
        )
        absent = f"{safe(path or '', _NOTICE_CELLS)} has no difference here" if is_absent else ""
        self.diff.notice = "  ".join(filter(None, (count, absent)))
        self.diff.repaint()
