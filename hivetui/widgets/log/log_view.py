"""A log view: a window onto a log that can be searched, filtered, selected from, copied and saved.

    view = LogView(empty="iris has written nothing since it started")
    view.search("oom"); view.action_next_match()        # raises BadPattern; see `search_view`
    view.filter("GET /", inverse=True); view.filter("")

Searching and filtering go over the lines in slices and never block the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from textual import events
from textual.message import Message

from hivetui.engine.model.patterns import Pattern, compile_pattern
from hivetui.widgets.log.export import clipboard_text, exact_lines
from hivetui.widgets.log.line_filter import LineFilter, match_pattern
from hivetui.widgets.log.line_text import shown_block
from hivetui.widgets.log.log_window import LogWindow
from hivetui.widgets.log.store import LogStore, Source

_LEVELS_AT_ONCE = 64  # lines, as telling the level of a line takes longer than searching it


class LogView(LogWindow):
    """Everything a person does with a log."""

    class CopyRequested(Message):
        """A person wants this text in the clipboard: shown text, safe, each line ended by a line feed."""

        def __init__(self, view: LogView, text: str) -> None:
            super().__init__()
            self.view, self.text = view, text

    def clear(self) -> None:
        """Forget every line, and follow; search and filter stay."""
        current, self.shown.filter = self.shown.filter, None
        self.shown.store = LogStore(self.store.limit)
        self.top, self.searched.match, self.notice = 0, None, ""
        self.recount_hits()
        self.selection.clear()
        self.follow()
        if current is not None:
            self._set_filter(current.pattern, current.inverse, current.hides)
        self.repaint_lines()

    # How lines are shown

    def action_toggle_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap = not self.wrap
        self.left = 0
        self.repaint_lines()

    def action_toggle_times(self) -> None:
        """Show or hide when each line was written."""
        self.prefix.show_times = not self.prefix.show_times
        self.repaint_lines()

    def action_toggle_sources(self) -> None:
        """Show or hide who wrote each line."""
        self.prefix.show_sources = not self.prefix.show_sources
        self.repaint_lines()

    # Searching

    def searched_lines(self) -> range:
        """All lines, without those that arrived since the view was frozen."""
        return range(self.store.first, self.shown.end_number)

    def matching_lines(self, pattern: Pattern, low: int, high: int, back: bool) -> Iterator[int | None]:
        """The shown lines that match a pattern."""
        return self.shown.matching(match_pattern(pattern), low, high, back)

    def show_match(self, number: int) -> None:
        """Bring a line of the store into view, and stop following."""
        position = self.shown.position(number)
        if not self.is_in_window(position):
            self.go_to(position - self.page // 3)
        self.following = False
        columns = None if self.wrap else self.painter.match_columns(number)
        if columns is not None:
            self.show_columns(*columns, self.line_width)

    def remember_place(self) -> Callable[[], None]:
        """What brings the view back to the line at the top, or to following the end."""
        following, number, left = self.following, self.number_at_top(), self.left

        def go_back() -> None:
            self.following = following and not self.frozen
            self.keep_at_top(number)
            self.go_left_to(left)

        return go_back

    def action_next_error(self) -> None:
        """Go to the next line that reports an error."""
        self.find_error(self.searched.next_start(0))

    def find_error(self, start: int) -> None:
        """Go to the first line that reports an error from number `start` on, then around the end."""
        self.find(self._error_lines, start)

    def _error_lines(self, low: int, high: int, back: bool) -> Iterator[int | None]:
        return self.shown.matching(self._errors, low, high, back, step=_LEVELS_AT_ONCE)

    def _errors(self, raws: list[bytes], sources: Sequence[int]) -> Iterator[int]:
        """A `Matcher` of the lines that report an error."""
        for index, text in enumerate(shown_block(raws).decode().split("\n")):
            source = self.store.sources[sources[index]] if sources else None
            if self.painter.level(source, text) == "error":
                yield index

    # Filtering

    def filter(self, text: str, inverse: bool = False) -> None:
        """Show only lines that match (or, if inverse, that do not); "" shows all. Raises BadPattern."""
        current = self.shown.filter
        self._set_filter(compile_pattern(text) if text else None, inverse, None if current is None else current.hides)

    def hide_sources(self, hides: Callable[[Source], bool] | None) -> None:
        """Hide the lines of the sources for which `hides` is true; None shows all."""
        current = self.shown.filter
        self._set_filter(None if current is None else current.pattern, current is not None and current.inverse, hides)

    def _set_filter(self, pattern: Pattern | None, inverse: bool, hides: Callable[[Source], bool] | None) -> None:
        anchor = self.number_at_top()
        line_filter = LineFilter(self.store, pattern, inverse, hides) if pattern or hides else None
        self.filtering.replace(line_filter, anchor)
        self.recount_hits()
        self.repaint_lines()

    # Selecting, copying, saving

    @property
    def selecting(self) -> bool:
        """Whether moving extends a selection."""
        return self.selection.is_active

    def action_select(self) -> None:
        """Start to select lines, at the current match or else at the top; when selecting, stop."""
        if not self.selection.is_active and self.line_count():
            match = self.searched.match
            self.following = False
            self.selection.begin(self.top if match is None else self.shown.position(match))
        else:
            self.selection.clear()
        self.repaint_lines()

    def scroll_rows(self, rows: int) -> None:
        """Extend the selection if there is one, else move."""
        if self.selection.is_active:
            self._extend_selection(rows)
        else:
            super().scroll_rows(rows)

    def _extend_selection(self, rows: int) -> None:
        self.selection.extend(rows)
        end = self.selection.end
        if not self.is_in_window(end):
            self.go_to(end if end <= self.top else end - self.page + 1)
            for _ in range(self.page):  # headings of days take rows too
                if self.is_in_window(end):
                    break
                self.go_to(self.top + 1)
            self.following = False
        self.repaint_lines()

    def selected_text(self) -> str:
        """The shown text of the selected lines, or else of the visible ones, each ended by a line feed."""
        visible = self.top, min(self.shown.end, self.top + self.page) - 1
        low, high = self.selection.bounds or visible
        return clipboard_text(self.shown, range(max(low, self.first_line()), high + 1))

    def action_copy(self) -> None:
        """Ask for the selected or visible lines to be copied to the clipboard."""
        self.post_message(self.CopyRequested(self, self.selected_text()))
        self.selection.clear()
        self.repaint_lines()

    def saved(self) -> Iterator[bytes]:
        """All lines that the filter leaves, exact, with time and source if known, in chunks for a file."""
        return exact_lines(self.shown)

    def position_at(self, row: int) -> int:
        """The position of the line at a row of the window, or beyond its edges."""
        if 0 <= row < len(self.row_positions):
            return self.row_positions[row]
        return self.top + row if row < 0 else self.top + len(set(self.row_positions)) + row - len(self.row_positions)

    def is_in_window(self, position: int) -> bool:
        """Whether all of the line at a position is visible."""
        if not self.top <= position < self.top + self.page:
            return False
        heights = sum(len(self._rows(one)) for one in range(self.top, min(position + 1, self.shown.end)))
        return heights - self._top_row <= self.page

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a selection at the line that was pressed."""
        offset = event.get_content_offset_capture(self)
        position = self.position_at(offset.y)
        if offset.x < self.line_width and offset.y < self.page and position < self.shown.end:
            self.selection.begin(position)
            self.following = False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Extend the selection to the line that the mouse is dragged to."""
        if self.selection.is_active and self.app.mouse_captured is self:
            row = event.get_content_offset_capture(self).y
            self._extend_selection(self.position_at(row) - self.selection.end)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End a drag; a click on its own selects nothing."""
        if self.app.mouse_captured is self:
            self.release_mouse()
            if self.selection.is_active and self.selection.is_single:
                self.selection.clear()
                self.repaint_lines()

    def resized(self) -> None:
        """Keep the match in view, also when the widgets above the log grow."""
        match = self.searched.match
        if match is not None and not self.following and not self.frozen:
            self.show_line(self.shown.position(match))
            self.following = False
