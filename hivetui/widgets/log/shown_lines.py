"""Which lines of a log are shown: those that a filter leaves, up to the end or to where the view was frozen."""

from __future__ import annotations

from collections.abc import Iterator

from hivetui.widgets.log.line_filter import STEP, LineFilter, Matcher, matching_numbers
from hivetui.widgets.log.store import LogStore


class ShownLines:
    """Translates between positions, which count shown lines, and numbers, which count lines of the store."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.filter: LineFilter | None = None
        self._frozen_end: int | None = None

    @property
    def first(self) -> int:
        """The position of the oldest shown line."""
        return self.store.first if self.filter is None else self.filter.first

    @property
    def end(self) -> int:
        """One past the position of the newest shown line."""
        return self.position(self.end_number)

    @property
    def end_number(self) -> int:
        """One past the number of the newest line, shown or not, or of the newest one when the view was frozen."""
        return self.store.end if self._frozen_end is None else self._frozen_end

    def number(self, position: int) -> int:
        """The number of the line at a position."""
        return position if self.filter is None else self.filter.number(position)

    def position(self, number: int) -> int:
        """The position of a line, or of the next shown line."""
        return number if self.filter is None else self.filter.position(number)

    # Freezing

    @property
    def frozen(self) -> bool:
        """Whether lines that arrive are left out."""
        return self._frozen_end is not None

    @property
    def new_lines(self) -> int:
        """How many lines arrived since the view was frozen."""
        return self.store.end - self.end_number

    def freeze(self) -> None:
        """Leave out the lines that arrive from now on."""
        self._frozen_end = self.store.end

    def unfreeze(self) -> None:
        """Show all lines that arrived."""
        self._frozen_end = None

    # Searching

    def matching(self, matcher: Matcher, low: int, high: int, back: bool, step: int = STEP) -> Iterator[int | None]:
        """The shown lines from number `low` to before `high` that match, or back; None after each step of the work."""
        return matching_numbers(self.store, matcher, low, high, back=back, shown=self.filter, step=step)
