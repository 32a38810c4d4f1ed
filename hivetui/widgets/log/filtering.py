"""Keeps the filter of a log view up to date: a few steps at once, the rest of the work in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.lines.slices import SlicedWork
from hivetui.widgets.log.line_filter import LineFilter
from hivetui.widgets.log.shown_lines import ShownLines


class Filtering:
    """Has the filter of a view test lines. `keep_at_top` puts the line of a number back at the top of the view."""

    def __init__(self, view: LineView, shown: ShownLines, keep_at_top: Callable[[int], None]) -> None:
        self._view = view
        self._shown = shown
        self._keep_at_top = keep_at_top
        self._testing = SlicedWork(view, "filter")

    def replace(self, line_filter: LineFilter | None, anchor: int) -> None:
        """Show other lines. Line `anchor`, or the next one that is shown, stays at the top."""
        self._testing.cancel()
        self._shown.filter = line_filter
        self._keep_at_top(anchor)
        self.test_new_lines(anchor)

    def test_new_lines(self, anchor: int | None = None) -> None:
        """Test the lines that were not tested yet. Line `anchor` stays at the top meanwhile."""
        line_filter = self._shown.filter
        if line_filter is None or self._testing.is_running:
            return
        if not self._shown.frozen:
            line_filter.trim()
        self._testing.run(self._steps(line_filter, anchor))

    def _steps(self, line_filter: LineFilter, anchor: int | None) -> Iterator[bool]:
        """Test step by step; True after the last one."""
        more = True
        while more:
            more = line_filter.step()
            if anchor is not None:
                self._keep_at_top(anchor)
            self._view.changed()
            yield not more
