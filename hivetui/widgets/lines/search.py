"""What a view searches for, and how many lines match. Knows no Textual."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from hivetui.engine.model.patterns import Pattern, Span, compile_pattern


class Search:
    """The pattern that is searched for, the lines that match as far as they were counted, and the current one."""

    def __init__(self) -> None:
        self.pattern: Pattern | None = None
        self.match: int | None = None  # the number of the line that the search went to
        self.counted_to = 0  # one past the last line of which it is known whether it matches
        self._hits = array("Q")

    def start(self, text: str) -> None:
        """Search for another pattern; "" ends the search. Raises BadPattern and changes nothing then."""
        self.resume(compile_pattern(text) if text else None, None)

    def resume(self, pattern: Pattern | None, match: int | None) -> None:
        """Search for a pattern that was compiled before, at the line that the search had gone to."""
        self.pattern, self.match = pattern, match
        self.recount(0)

    def recount(self, first: int) -> None:
        """Count the matching lines from this number on again."""
        self.counted_to = min(self.counted_to, first)
        del self._hits[bisect_left(self._hits, first) :]

    def add_hits(self, numbers: list[int], counted_to: int) -> None:
        """Take the next lines that match, in ascending order, and how far they were counted."""
        self._hits.extend(numbers)
        self.counted_to = counted_to

    def spans(self, text: str) -> list[Span]:
        """The parts of a line's text to highlight."""
        return [] if self.pattern is None else self.pattern.spans(text)

    def next_start(self, top: int) -> int:
        """The number of the line from which the next match is looked for, if `top` is at the top of the view."""
        return top if self.match is None else self.match + 1

    def previous_start(self, top: int) -> int:
        """The number of the line before which the previous match is looked for."""
        return top if self.match is None else self.match

    def label(self, first: int, end: int) -> str:
        """The search in words, for the status line: `search /needle/ 3 of 41`.

        The lines are those from `first` to before `end`. While they are being counted, the count has a plus.
        """
        if self.pattern is None:
            return ""
        dropped = bisect_left(self._hits, first)
        count = bisect_left(self._hits, end) - dropped
        total = f"{count}{'' if self.counted_to >= end else '+'}"
        return f"search /{self.pattern.short_text}/ {self._rank(dropped)} of {total}"

    def _rank(self, dropped: int) -> str:
        """Which of the matches the search is at, as far as that is known."""
        if self.match is None:
            return "–"
        index = bisect_left(self._hits, self.match)
        if index < len(self._hits) and self._hits[index] == self.match:
            return str(index - dropped + 1)
        return "?" if self.match >= self.counted_to else "–"
