"""The lines of a log that are selected, as positions."""

from __future__ import annotations

from hivetui.widgets.log.shown_lines import ShownLines


class Selection:
    """A range of positions, from where it began to where it was extended."""

    def __init__(self, shown: ShownLines) -> None:
        self._shown = shown
        self._start: int | None = None
        self.end = 0

    @property
    def is_active(self) -> bool:
        """Whether lines are selected."""
        return self._start is not None

    @property
    def is_single(self) -> bool:
        """Whether just one line is selected."""
        return self._start == self.end

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The positions of the first and the last selected line."""
        if self._start is None:
            return None
        return min(self._start, self.end), max(self._start, self.end)

    def begin(self, position: int) -> None:
        """Select one line."""
        self._start = self.end = position

    def extend(self, rows: int) -> None:
        """Move the end of the selection by rows, within the lines there are."""
        self.end = max(self._shown.first, min(self.end + rows, self._shown.end - 1))

    def clear(self) -> None:
        """Select nothing."""
        self._start = None

    def has_number(self, number: int) -> bool:
        """Whether the line of that number is selected."""
        bounds = self.bounds
        return bounds is not None and bounds[0] <= self._shown.position(number) <= bounds[1]
