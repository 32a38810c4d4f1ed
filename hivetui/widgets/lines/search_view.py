"""A view of lines that is searched: while the pattern is typed, forward, back and around the end, with a count.

    view.preview_search("oo")        # as it is typed; then one of
    view.search("oom")               # raises BadPattern
    view.cancel_search()             # back to where the view was, and to the search before
    view.action_next_match()

Looking for a match and counting all of them go over the lines in slices and never block the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hivetui.engine.model.patterns import BadPattern, Pattern
from hivetui.widgets.lines.search import Search
from hivetui.widgets.lines.slices import SlicedWork
from hivetui.widgets.lines.status_line import StatusLineView

_COUNTED_AT_ONCE = 512  # lines
Finder = Callable[[int, int, bool], Iterator[int | None]]
"""Gives the lines from one number to before another, or back, that are looked for; None after each short step."""


class SearchView(StatusLineView):
    """A `StatusLineView` with a search. A subclass says what its lines are, by number."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.searched = Search()
        self.notice = ""  # shown in the status line, with emphasis
        self._finding = SlicedWork(self, "search")
        self._counting = SlicedWork(self, "hits")
        self._go_back: Callable[[], None] | None = None  # while a pattern is typed: undoes what the preview did

    # For subclasses to override

    def searched_lines(self) -> range:
        """The numbers of the lines that are searched."""
        raise NotImplementedError

    def matching_lines(self, pattern: Pattern, low: int, high: int, back: bool) -> Iterator[int | None]:
        """A `Finder` of the shown lines that match a pattern."""
        raise NotImplementedError

    def number_at_top(self) -> int:
        """The number of the line at the top; 0 if there is none."""
        raise NotImplementedError

    def show_match(self, number: int) -> None:
        """Bring a line into view."""
        raise NotImplementedError

    def remember_place(self) -> Callable[[], None]:
        """What brings the view back to where it is now."""
        top, left = self.top, self.left

        def go_back() -> None:
            self.go_to(top)
            self.go_left_to(left)

        return go_back

    # Searching

    def search(self, text: str) -> None:
        """Mark what matches a pattern and go to the next match; "" ends the search. Raises BadPattern."""
        go_back, self._go_back = self._go_back, None
        if go_back is not None:
            if self.searched.pattern is not None and self.searched.pattern.text == text:
                return  # the view is there already
            go_back()
        self.searched.start(text)
        self._begin_search()

    def preview_search(self, text: str) -> None:
        """Search from where the view was when the first letter was typed; an unfinished pattern is no error."""
        if self._go_back is None:
            self._go_back = self._remember_search()
        self._go_back()
        if text:
            try:
                self.searched.start(text)
            except BadPattern as error:
                self.notice = str(error)
            else:
                self._begin_search()

    def cancel_search(self) -> None:
        """Undo the preview: the view goes back, and the search before goes on."""
        if self._go_back is not None:
            self._go_back()
            self._go_back = None

    def tell(self, text: str) -> None:
        """Say something in the status line; "" says nothing any more."""
        self.notice = text
        self.repaint()

    def _remember_search(self) -> Callable[[], None]:
        pattern, match, go_to_place = self.searched.pattern, self.searched.match, self.remember_place()

        def go_back() -> None:
            self._finding.cancel()
            if pattern is not self.searched.pattern:
                self.searched.resume(pattern, match)
                self.recount_hits()
            self.searched.match, self.notice = match, ""
            go_to_place()
            self.forget_strips()
            self.repaint()

        return go_back

    def _begin_search(self) -> None:
        self.notice = ""
        self._finding.cancel()
        self.forget_strips()
        self.repaint()
        self.recount_hits()
        self.action_next_match()

    @property
    def searching(self) -> bool:
        """Whether a pattern is searched for."""
        return self.searched.pattern is not None

    @property
    def current_match(self) -> int | None:
        """The number of the line that the last search went to."""
        return self.searched.match

    def action_next_match(self) -> None:
        """Go to the next match."""
        if (finder := self._pattern_finder()) is not None:
            self.find(finder, self.searched.next_start(self.number_at_top()))

    def action_previous_match(self) -> None:
        """Go to the previous match."""
        if (finder := self._pattern_finder()) is not None:
            self.find(finder, self.searched.previous_start(self.number_at_top()), back=True)

    def _pattern_finder(self) -> Finder | None:
        pattern = self.searched.pattern
        return None if pattern is None else lambda low, high, back: self.matching_lines(pattern, low, high, back)

    def find(self, finder: Finder, start: int, *, back: bool = False) -> None:
        """Go to the first line that is found from number `start` on (or back from it), then around the end."""
        self._finding.run(self._find(finder, start, back))

    def _find(self, finder: Finder, start: int, back: bool) -> Iterator[bool]:
        lines = self.searched_lines()
        start = max(lines.start, min(start, lines.stop))
        ranges = (lines.start, start), (start, lines.stop)
        for (low, high), wrapped in zip(ranges if back else reversed(ranges), (False, True), strict=True):
            for number in finder(low, high, back):
                if number is not None:
                    self._found(number, wrapped)
                    yield True
                yield False
        self.notice = "no match"
        self.repaint()
        yield True

    def _found(self, number: int, wrapped: bool) -> None:
        self.searched.match = number
        self.notice = "search wrapped around" if wrapped else ""
        self.show_match(number)
        self.forget_strips()
        self.repaint()

    # Counting

    def count_hits(self) -> None:
        """Count the matches in lines that were not counted yet."""
        if self.searched.pattern is not None and not self._counting.is_running:
            self._counting.run(self._count(self.searched.pattern))

    def recount_hits(self, first: int = 0) -> None:
        """Count the matches from a number on again: other lines are shown, or they changed places."""
        self._counting.cancel()
        self.searched.recount(first)
        self.count_hits()

    def _count(self, pattern: Pattern) -> Iterator[bool]:
        search = self.searched
        while search.pattern is pattern:
            lines = self.searched_lines()
            low = max(search.counted_to, lines.start)
            high = min(low + _COUNTED_AT_ONCE, lines.stop)
            if low >= high:
                break
            hits = []
            for number in self.matching_lines(pattern, low, high, back=False):
                if number is None:
                    yield False
                else:
                    hits.append(number)
            if search.pattern is pattern:
                search.add_hits(hits, high)
                if hits and search.match is None:
                    self.notice = ""  # that there is no match was so before these lines came
            self.changed()
        yield True

    @property
    def search_label(self) -> str:
        """The search in words, for the status line."""
        lines = self.searched_lines()
        return self.searched.label(lines.start, lines.stop)
