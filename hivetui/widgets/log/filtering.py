"""Keeps the filter of a log view up to date: a few steps at once, the rest of the work in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.lines.slices import run_sliced
from hivetui.widgets.log.line_filter import LineFilter
from hivetui.widgets.log.shown_lines import ShownLines

_STEPS_AT_ONCE = 4
_GROUP = "filter"  # of the worker


class Filtering:
    """Has the filter of a view test lines. `keep_at_top` puts the line of a number back at the top of the view."""

    def __init__(self, view: LineView, shown: ShownLines, keep_at_top: Callable[[int], None]) -> None:
        self._view = view
        self._shown = shown
        self._keep_at_top = keep_at_top

    def replace(self, line_filter: LineFilter | None, anchor: int) -> None:
        """Show other lines. Line `anchor`, or the next one that is shown, stays at the top."""
        self._view.workers.cancel_group(self._view, _GROUP)
        self._shown.filter = line_filter
        self._keep_at_top(anchor)
        self.test_new_lines(anchor)

    def test_new_lines(self, anchor: int | None = None) -> None:
        """Test the lines that were not tested yet. Line `anchor` stays at the top meanwhile."""
        line_filter = self._shown.filter
        if line_filter is None or self._is_testing():
            return
        if not self._shown.frozen:
            line_filter.trim()
        steps = self._steps(line_filter, anchor)
        if not any(next(steps, True) for _ in range(_STEPS_AT_ONCE)):
            self._view.run_worker(run_sliced(steps), group=_GROUP, exclusive=True)

    def _is_testing(self) -> bool:
        workers = self._view.workers
        return any(worker.node is self._view and worker.group == _GROUP and worker.is_running for worker in workers)

    def _steps(self, line_filter: LineFilter, anchor: int | None) -> Iterator[bool]:
        """Test step by step; True after the last one."""
        more = True
        while more:
            more = line_filter.step()
            if anchor is not None:
                self._keep_at_top(anchor)
            self._view.changed()
            yield not more
