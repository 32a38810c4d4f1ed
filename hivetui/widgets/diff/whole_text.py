"""A view that shows a text whole, however long its lines are: wrapped, and made only where it is visible.

    view.show(text)          # posts EndReached when its end has been painted

A long line is taken in parts, so that no step of painting or scrolling depends on the length of the text.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from textual.message import Message
from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import mixed_script
from hivetui.widgets.diff.line_text import TextLimits, shown_part
from hivetui.widgets.diff.painting import wrap_pieces
from hivetui.widgets.lines.status_line import StatusLineView
from hivetui.widgets.lines.strips import StyledText, make_strip
from hivetui.widgets.log import wrapping

_PART_ROWS = 16
"""So many rows a part of a line takes, if each of its characters is shown in one cell."""
_KEPT_PARTS = 256


class _Part(NamedTuple):
    """A line of the text, or a part of a long one: where it starts and ends, and whether the line ends there."""

    start: int
    end: int
    ends_line: bool


class WholeText(StatusLineView):
    """Shows one text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"whole--count", "whole--strange"}
    DEFAULT_CSS = read_stylesheet(__file__)

    class EndReached(Message):
        """The end of the text has been painted that was shown with this number."""

        def __init__(self, view: WholeText, number: int) -> None:
            super().__init__()
            self.view, self.number = view, number

        @property
        def control(self) -> WholeText:
            """The view."""
            return self.view

    def __init__(self) -> None:
        super().__init__()
        self.can_focus = False
        self._text, self._number = "", 0
        self._parts: list[_Part] = []
        self._rows: dict[int, list[Strip]] = {}
        self._top_row = 0  # the first visible row of the part at the top
        self._is_at_end = False  # whether the end is visible
        self.is_read = False
        """Whether the end of the text has been painted."""

    def show(self, text: str, number: int = 0) -> None:
        """Show a text from its beginning; `number` comes back with the message that it was read."""
        self._text, self._number, self.is_read = text, number, False
        self.top = self._top_row = 0
        self._split()
        self.repaint()

    def resized(self) -> None:
        """Take other parts; what is at the top stays there."""
        start = self._parts[self.top].start if self._parts else 0
        self._split()
        self.top = next((at for at, part in enumerate(self._parts) if part.end >= start), 0)
        self._top_row = 0

    def _split(self) -> None:
        """Split the text into lines, and long lines into parts."""
        size, start = self._width * _PART_ROWS, 0
        self._parts, self._rows = [], {}
        for line in self._text.split("\n"):
            end = start + len(line)
            for at in (*range(start + size, end, size), end):
                self._parts.append(_Part(start, at, at == end))
                start = at
            start = end + 1

    @property
    def _width(self) -> int:
        return max(2, self.line_width)

    # Moving

    def line_count(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    @property
    def last_top(self) -> int:
        """The part that is at the top when the end is at the bottom."""
        return wrapping.bottom(self._heights(), self.page).position

    def scroll_rows(self, rows: int) -> None:
        """Move by rows."""
        place = wrapping.scroll(self._heights(), self.page, wrapping.Place(self.top, self._top_row), rows)
        self._go_to_place(place)

    def go_to(self, top: int) -> None:
        """Make a part the first visible one."""
        self._go_to_place(min(wrapping.Place(max(0, top)), wrapping.bottom(self._heights(), self.page)))

    def action_last(self) -> None:
        """Go to the end."""
        self._go_to_place(wrapping.bottom(self._heights(), self.page))

    def _go_to_place(self, place: wrapping.Place) -> None:
        self.top, self._top_row = place
        self.repaint()

    def _heights(self) -> wrapping.LineHeights:
        return wrapping.LineHeights(0, len(self._parts), lambda at: len(self._rows_of(at)))

    # Painting

    def forget_strips(self) -> None:
        """Forget the painted rows."""
        self._rows = {}

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows; notes whether the end is among them."""
        strips: list[Strip] = []
        at, skip = self.top, self._top_row
        while at < len(self._parts) and len(strips) < height:
            strips += self._rows_of(at)[skip:]
            at, skip = at + 1, 0
        self._is_at_end = at == len(self._parts) and len(strips) <= height
        if self._is_at_end and not self.is_read:
            self.is_read = True
            self.post_message(self.EndReached(self, self._number))
        return strips[:height]

    def _rows_of(self, at: int) -> list[Strip]:
        rows = self._rows.get(at)
        if rows is None:
            if len(self._rows) > _KEPT_PARTS:
                self._rows.clear()
            rows = self._rows[at] = [make_strip(row) for row in wrap_pieces(self._pieces(at), self._width)]
        return rows

    def _pieces(self, at: int) -> list[StyledText]:
        """The shown text of a part, in pieces with their styles."""
        part = self._parts[at]
        shown = shown_part(self._text[part.start : part.end], TextLimits(self._width), part.ends_line)
        marks = [(*span, "count") for span in shown.blanks] + [(*span, "strange") for span in mixed_script(shown.text)]
        pieces, end = [], 0
        for low, high, name in sorted(marks):
            pieces.append((shown.text[end:low], self.plain))
            pieces.append((shown.text[max(low, end) : high], self.style_of(f"whole--{name}")))
            end = max(end, high)
        return [*pieces, (shown.text[end:], self.plain)]

    def status_parts(self) -> list[str]:
        """How far it is."""
        if self._is_at_end:
            return ["end"]
        seen = self._parts[self.top].start if self._parts else 0
        return [f"{100 * seen // max(1, len(self._text))} %, more below"]
