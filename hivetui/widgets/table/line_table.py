"""A table of rows that change often: cursor, marks and folding follow the key of a row, not its place.

    table = LineTable([Column("name", "NAME", 4, 9, priority=9), …], fold_title="destroyed")
    table.set_rows([Row("iris", ("iris", Cell("● running", "good"), Cell("8178", sort=8178))), …])
    table.filter("ir"); table.sort("port", reverse=True); table.current; table.marked

Rows may be set many times a second: the view is repainted only if a visible row differs. Texts are made safe here. The
actions of `LineView` move the cursor; a screen binds keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from hivetui.widgets.table.order import FOLD_KEY
from hivetui.widgets.table.rows import Column, Row
from hivetui.widgets.table.table_window import TableWindow


class LineTable(TableWindow):
    """A table with a cursor and marks."""

    class RowHighlighted(Message):
        """The cursor moved to another row; `key` is None if there is none, or it is the title of the folded group."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class RowChosen(Message):
        """The row under the cursor was chosen, by Enter or a double click."""

        def __init__(self, table: LineTable, key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class SelectionChanged(Message):
        """Rows were marked or unmarked."""

        def __init__(self, table: LineTable, keys: tuple[str, ...]) -> None:
            super().__init__()
            self.table, self.keys = table, keys

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        fold_title: str = "folded",
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(columns, fold_title=fold_title, empty=empty, id=id, classes=classes)
        self.current: str | None = None  # the key of the row under the cursor, or of the title of the folded group
        self.wanted: str | None = None  # the key to put the cursor on once there is such a row, unless it is moved
        self._marks: set[str] = set()

    # Rows

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows, in this order unless sorted. Keys are unique; cursor and marks stay with their keys."""
        before = self.order.rows
        self.order.rows = {row.key: row for row in rows}
        removed = self._marks.difference(self.order.rows)
        self._marks -= removed
        if self.column_layout.grow(rows):
            self._window = None
        self._arrange(before)
        if removed:
            self.post_message(self.SelectionChanged(self, self.marked))

    def forget_widths(self) -> None:
        """Fit the columns to the rows that are set next only: a person asked for other rows."""
        self.column_layout.forget()

    def rearrange(self) -> None:
        """Arrange and repaint all rows: a person asked for another order or other rows."""
        self._window = None
        self._arrange({})

    def _arrange(self, before: dict[str, Row]) -> None:
        """Arrange the rows; repaint if visible ones differ from the rows `before`."""
        place, old_top = self._place(), self.top
        self.order.arrange()
        keys = self.order.keys
        if self.wanted in self.order.places:
            self._set_current(self.wanted)
            self.wanted = None
        elif self.current not in self.order.places:
            self._set_current(keys[min(place, len(keys) - 1)] if keys else None)
        self._keep_cursor_visible()
        self.repaint_changes(old_top, before)

    def filter(self, text: str) -> None:
        """Show only rows with this text, and put the cursor on the row that it fits best."""
        super().filter(text)
        if (best := self.order.best_match()) is not None:
            self.go_to_key(best)

    def paint_row(self, key: str) -> Strip:
        """The strip of a row, or of the title of the folded group."""
        is_current = key == self.current
        if key == FOLD_KEY:
            return self.painter.fold_title(self.fold_label(), self.line_width, is_current)
        return self.painter.row(self.order.rows[key], self.line_width, is_current, key in self._marks)

    def resized(self) -> None:
        """Keep the cursor in view."""
        self._keep_cursor_visible()

    # Cursor

    def go_to_key(self, key: str) -> None:
        """Put the cursor on a row, if it is shown."""
        if key in self.order.places:
            self._put_cursor(self.order.places[key])

    def scroll_rows(self, rows: int) -> None:
        """Move the cursor by rows."""
        if self.order.keys:
            place = self._place() + rows
            self._put_cursor(max(0, min(place, self.line_count() - 1)))

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self.scroll_rows(-self.line_count())

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self.scroll_rows(self.line_count())

    def action_choose(self) -> None:
        """Choose the row under the cursor, or unfold the group."""
        if self.current == FOLD_KEY:
            self.action_toggle_fold()
        elif self.current is not None:
            self.post_message(self.RowChosen(self, self.current))

    def _set_current(self, key: str | None) -> None:
        self.current = key
        self.post_message(self.RowHighlighted(self, None if key == FOLD_KEY else key))

    def _put_cursor(self, place: int) -> None:
        before, key, old_top = self.current, self.order.keys[place], self.top
        self.wanted = None
        if key != before:
            self._set_current(key)
            self._keep_cursor_visible()
            self.repaint_rows(old_top, before, key)

    def _keep_cursor_visible(self) -> None:
        place = self._place()
        self.top = max(0, min(max(self.top, place - self.page + 1), place, self.last_top))

    def _place(self) -> int:
        """The place of the cursor."""
        return self.order.places.get(self.current or "", 0)

    # Marks

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of marked rows, in the order in which rows were given."""
        return tuple(key for key in self.order.rows if key in self._marks)

    def mark(self, keys: Iterable[str]) -> None:
        """Mark these rows, of those there are, and no others."""
        marks = self.order.rows.keys() & set(keys)
        if marks != self._marks:
            self._marks = marks
            self.repaint()
            self.post_message(self.SelectionChanged(self, self.marked))

    def action_toggle_mark(self) -> None:
        """Mark or unmark the row under the cursor, and move to the next."""
        if self.current is not None and self.current in self.order.rows:
            self.mark(self._marks ^ {self.current})
            self.scroll_rows(1)

    def action_mark_all(self) -> None:
        """Mark every row that is shown; if all are marked, unmark them."""
        shown = set(self.shown)
        self.mark(self._marks - shown if shown <= self._marks else self._marks | shown)

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """Sort by a clicked title; move the cursor to a clicked row; choose by a double click."""
        offset = event.get_content_offset_capture(self)
        place = offset.y + self.top - 1
        if offset.y == 0:
            if (column := self.column_layout.column_at(offset.x)) is not None:
                self.sort(*self.order.next_sort(column.id))
        elif offset.x < self.line_width and place < self.line_count():
            self._put_cursor(place)
            if event.chain > 1 or self.current == FOLD_KEY:
                self.action_choose()
