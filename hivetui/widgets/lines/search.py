"""What a view searches for."""

from __future__ import annotations

from hivetui.widgets.pattern import Pattern, Span, compile_pattern


class Search:
    """The pattern that is searched for, and the number of the line that the search went to."""

    def __init__(self) -> None:
        self.pattern: Pattern | None = None
        self.match: int | None = None

    def start(self, text: str) -> None:
        """Search for another pattern; "" ends the search. Raises BadPattern and changes nothing then."""
        self.pattern = compile_pattern(text) if text else None
        self.match = None

    def spans(self, text: str) -> list[Span]:
        """The parts of a line's text to highlight."""
        return [] if self.pattern is None else self.pattern.spans(text)

    def next_start(self, top: int) -> int:
        """The number of the line from which the next match is looked for, if `top` is at the top of the view."""
        return top if self.match is None else self.match + 1

    def previous_start(self, top: int) -> int:
        """The number of the line before which the previous match is looked for."""
        return top if self.match is None else self.match

    @property
    def label(self) -> str:
        """The search in words, for the status line."""
        return "" if self.pattern is None else f"search /{self.pattern.text}/"
