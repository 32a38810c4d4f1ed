"""Notes in a diff, each in a row below its line, and the cursor that chooses the lines of a new one."""

from __future__ import annotations

from collections.abc import Sequence

from hivetui.engine.model.findings import Side
from hivetui.engine.model.proposals import FileChange
from hivetui.widgets.diff.diff_window import DiffWindow
from hivetui.widgets.diff.note_places import ChosenLines, ShownNote


class NotedDiff(DiffWindow):
    """A window onto a diff in which lines can have notes and be chosen."""

    def show_notes(self, notes: Sequence[ShownNote]) -> None:
        """Show these notes in place of earlier ones; those whose line has not been loaded yet follow with it."""
        self._notes = tuple(notes)
        self._place_notes()

    @property
    def hidden_notes(self) -> int:
        """How many notes are about lines that the diff does not have."""
        return len(self._notes) - len(self._placed)

    def _begin(self, files: Sequence[FileChange]) -> None:
        super()._begin(files)
        self.cursor: int | None = None
        self._anchor: int | None = None

    def _grown(self) -> None:
        if self.hidden_notes:
            self._place_notes()
        super()._grown()

    def _place_notes(self) -> None:
        found = ((self.index.find_line(one.file, one.number, one.side == "old"), one) for one in self._notes)
        placed = sorted(((line, one) for line, one in found if line is not None), key=lambda pair: pair[0])
        lines = tuple(line for line, _ in placed)
        top = self.line
        self._placed = tuple(one for _, one in placed)
        self._rows.insert(lines)
        if self.line_count():
            self.top = self._rows.row_of(top)
        self.forget_strips()
        self.repaint()

    # Choosing lines

    def choose_lines(self, is_choosing: bool) -> bool:
        """Show a cursor at the first line below the top that can have a note, or end that; whether there is one."""
        self._anchor = None
        self.cursor = self._next_choosable(self.top, 1) if is_choosing else None
        self._cursor_moved()
        return self.cursor is not None

    def choose_one(self) -> None:
        """Choose only the line at the cursor."""
        self._anchor = None
        self._cursor_moved()

    def toggle_anchor(self) -> None:
        """Choose all lines from this one on, as the cursor moves; or only one again."""
        self._anchor = self.cursor if self._anchor is None else None
        self._cursor_moved()

    @property
    def current_line(self) -> int:
        """The line from which the next and the previous hunk are counted."""
        if self.cursor is None:
            return self.line
        hunk = self.index.hunk_at(self.cursor)
        return hunk.line if hunk is not None and hunk.line + 1 == self.cursor else self.cursor

    @property
    def chosen(self) -> ChosenLines | None:
        """The chosen lines: on the old side if the cursor is at a removed line; None without a cursor."""
        if self.cursor is None:
            return None
        index = self.index.file_at(self.cursor)
        assert index is not None
        file, is_old = self.index.files[index], self.index.kind(self.cursor) == "-"
        numbers = [
            number
            for line in self._chosen_lines
            if self.index.file_at(line) == index
            and (number := self.index.numbers(line).old if is_old else self.index.numbers(line).new) is not None
        ]
        side: Side = "old" if is_old else "new"
        return ChosenLines(side, file.old_path if is_old else file.path, min(numbers), max(numbers))

    @property
    def _chosen_lines(self) -> range:
        if self.cursor is None:
            return range(0)
        ends = sorted((self.cursor, self.cursor if self._anchor is None else self._anchor))
        return range(ends[0], ends[1] + 1)

    def move_cursor(self, rows: int) -> None:
        """Move the cursor by rows, past those that cannot have a note, within the lines there are."""
        if self.cursor is None:
            return
        step = 1 if rows > 0 else -1
        row = max(0, min(self._rows.row_of(self.cursor) + rows, self.line_count() - 1))
        line = self._next_choosable(row, step)
        self.put_cursor(self._next_choosable(row, -step) if line is None else line)

    def put_cursor(self, line: int | None) -> None:
        """Put the cursor at a line that can have a note."""
        if line is not None:
            self.cursor = line
            self._show_row(self._rows.row_of(line))
            self._cursor_moved()

    def _next_choosable(self, row: int, step: int) -> int | None:
        while 0 <= row < self.line_count():
            line = self._rows.line_of(row)
            if self._rows.inserted_at(row) is None and self.index.kind(line) in " +-":
                return line
            row += step
        return None

    def _show_row(self, row: int) -> None:
        if row < self.top or (row == self.top and self._top_row):
            self.go_to(row)
            return
        top, free = row, self.page
        while top >= self.top and free > 0:  # the highest row from which on all up to this one fit
            free -= len(self.rows_of(top)) if self.wrap else 1
            top -= 1
        if top >= self.top and free <= 0:
            self.go_to(min(row, top + 1 + (free < 0)))

    def _cursor_moved(self) -> None:
        self._painter.chosen = self._chosen_lines
        self.forget_strips()
        self.repaint()

    # The keys that move the window move the cursor while there is one

    def scroll_rows(self, rows: int) -> None:
        """Move the window, or the cursor."""
        if self.cursor is None:
            super().scroll_rows(rows)
        else:
            self.move_cursor(rows)

    def action_first(self) -> None:
        """Go to the beginning."""
        super().action_first()
        if self.cursor is not None:
            self.put_cursor(self._next_choosable(0, 1))

    def action_last(self) -> None:
        """Go to the end."""
        super().action_last()
        if self.cursor is not None:
            self.put_cursor(self._next_choosable(self.line_count() - 1, -1))

    def go_to_line(self, line: int | None) -> None:
        """Put a line at the top, if there is one, and the cursor at it or below."""
        super().go_to_line(line)
        if line is not None and self.cursor is not None:
            self.put_cursor(self._next_choosable(self._rows.row_of(line), 1))
