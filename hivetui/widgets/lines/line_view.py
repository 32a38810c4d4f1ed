"""A window onto lines that moves: by row, page and column, by mouse wheel and scrollbar."""

from __future__ import annotations

from textual import events

from hivetui.widgets.lines.line_window import LineWindow

_WHEEL_ROWS = 3
_COLUMN_STEP = 8


class LineView(LineWindow, can_focus=True):
    """A `LineWindow` with actions to move it, a left column and mouse support.

    Lines have one row each; a subclass whose lines may take several overrides `scroll_rows`.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.left = 0  # the first visible column

    def moved(self) -> None:
        """Called after the top line changed; for subclasses to override."""

    def scroll_rows(self, rows: int) -> None:
        """Move the window by rows, down if positive."""
        self.go_to(self.top + rows)

    def go_to(self, top: int) -> None:
        """Make `top` the first visible line, within the lines there are."""
        top = max(self.first_line(), min(top, self.last_top))
        if top != self.top:
            self.top = top
            self.moved()
            self.repaint()

    def show_line(self, line: int) -> None:
        """Bring a line into the window; if it was outside, a third of the window stays above it."""
        if not self.top <= line < self.top + self.page:
            self.go_to(line - self.page // 3)

    def go_left_to(self, column: int) -> None:
        """Make `column` the first visible one."""
        column = max(0, column)
        if column != self.left:
            self.left = column
            self.repaint()

    def show_columns(self, start: int, end: int, width: int) -> None:
        """Bring columns into view, in a window `width` cells wide; if they were outside, a third stays before them."""
        if start < self.left or end > self.left + width:
            self.go_left_to(0 if end <= width else start - width // 3)

    def action_line_down(self) -> None:
        """Move one row down."""
        self.scroll_rows(1)

    def action_line_up(self) -> None:
        """Move one row up."""
        self.scroll_rows(-1)

    def action_page_down(self) -> None:
        """Move one page down, with one row of overlap."""
        self.scroll_rows(max(1, self.page - 1))

    def action_page_up(self) -> None:
        """Move one page up, with one row of overlap."""
        self.scroll_rows(-max(1, self.page - 1))

    def action_first(self) -> None:
        """Go to the first line."""
        self.go_to(self.first_line())

    def action_last(self) -> None:
        """Go to the last line."""
        self.go_to(self.last_top)

    def action_left(self) -> None:
        """Move to the left."""
        self.go_left_to(self.left - _COLUMN_STEP)

    def action_right(self) -> None:
        """Move to the right."""
        self.go_left_to(self.left + _COLUMN_STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down with the wheel."""
        event.stop()
        event.prevent_default()
        self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up with the wheel."""
        event.stop()
        event.prevent_default()
        self.scroll_rows(-_WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go to the place that was pressed on the scrollbar."""
        offset = event.get_content_offset_capture(self)
        if offset.x == self.line_width and self.line_count() > self.page:
            event.stop()
            first = self.first_line()
            self.go_to(first + round((self.last_top - first) * offset.y / max(1, self.page - 1)))
