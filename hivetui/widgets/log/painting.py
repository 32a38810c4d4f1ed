"""Paints the lines of a log: each as a strip, or as several rows if lines are wrapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.style import Style
from textual.strip import Strip

from hivetui.engine.model.text import cells
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.search import Search
from hivetui.widgets.lines.strips import StyledText, make_strip, wrap_strip
from hivetui.widgets.log.levels import level_of
from hivetui.widgets.log.line_prefix import LinePrefix
from hivetui.widgets.log.line_text import (
    LEVEL_GLYPHS,
    Piece,
    hidden_bytes,
    shown_pieces,
    shown_text,
    split_at_spans,
)
from hivetui.widgets.log.selection import Selection
from hivetui.widgets.log.shown_lines import ShownLines
from hivetui.widgets.log.store import Line, Source

_KEPT_LINES = 1024
LineLevel = Callable[[Source | None, str], str]
"""Tells the level of a line (a key of `LEVEL_GLYPHS`) from its source and its shown text."""


def level_of_line(source: Source | None, text: str) -> str:
    """The level of a line of an agent's log."""
    return level_of(text, source.priority if source is not None else None)


class LinePainter:
    """Makes the rows of lines when they become visible, and caches them by number."""

    def __init__(
        self,
        styles: ComponentStyles,
        shown: ShownLines,
        prefix: LinePrefix,
        search: Search,
        selection: Selection,
        level: LineLevel,
    ) -> None:
        self._styles = styles
        self._shown = shown
        self._prefix = prefix
        self._search = search
        self._selection = selection
        self.level = level
        self._rows: dict[int, list[Strip]] = {}

    def forget_from(self, number: int) -> None:
        """Forget the rows of lines from this number on."""
        self._rows = {kept: rows for kept, rows in self._rows.items() if kept < number}

    def forget(self) -> None:
        """Forget all rows, except of lines that a frozen view shows and the store has dropped."""
        self.forget_from(self._shown.store.first if self._shown.frozen else 0)

    def rows(self, position: int, wrap_at: int | None) -> list[Strip]:
        """The rows of the line at a position, below a heading if it begins another day.

        One row, or as many as it takes if lines are wrapped at so many cells.
        """
        number = self._shown.number(position)
        rows = self._rows.get(number)
        if rows is None:
            if len(self._rows) >= _KEPT_LINES:
                self.forget()
            strip = self._strip(number)
            rows = [strip] if wrap_at is None else wrap_strip(strip, wrap_at)
            heading = self._day_heading(position)
            self._rows[number] = rows = [heading, *rows] if heading is not None else rows
        return rows

    def _day_heading(self, position: int) -> Strip | None:
        is_first = position <= self._shown.first
        try:
            time = self._shown.store.time(self._shown.number(position))
            before = None if is_first else self._shown.store.time(self._shown.number(position - 1))
        except IndexError:  # dropped
            return None
        text = self._prefix.day_heading(time, before)
        return make_strip([(text, self._styles.of("log--day"))]) if text else None

    def match_columns(self, number: int) -> tuple[int, int] | None:
        """The columns of the first match in a line, if a pattern is searched for and the line matches."""
        line = self._shown.store.line(number)
        text = shown_text(line.raw)
        span = None if self._search.pattern is None else self._search.pattern.find(text)
        if span is None:
            return None
        before = "".join(words for words, _ in self._prefix.pieces(line)) + LEVEL_GLYPHS[""] + " "
        start = cells(before + text[: span[0]])
        return start, start + cells(text[span[0] : span[1]])

    def _strip(self, number: int) -> Strip:
        try:
            line = self._shown.store.line(number)
        except IndexError:
            return make_strip([("(dropped)", self._styles.of("log--cut"))])
        return make_strip([*self._prefix.pieces(line), *self._text(number, line), *self._cut_notice(line)])

    def _text(self, number: int, line: Line) -> Iterator[StyledText]:
        pieces = shown_pieces(line.raw)
        text = "".join(piece.text for piece in pieces)
        level = self.level(line.source, text)
        base = self._styles.of(f"log--{level}") if level else self._styles.plain
        if number == self._search.match:
            base += self._styles.of("log--here")
        if self._selection.has_number(number):
            base += self._styles.of("log--selected")
        yield LEVEL_GLYPHS[level] + " ", base
        for piece, is_match in split_at_spans(pieces, self._search.spans(text)):
            yield piece.text, self._piece_style(piece, is_match, base)

    def _piece_style(self, piece: Piece, is_match: bool, base: Style) -> Style:
        style = base
        if piece.hue:
            style += Style(color=self._styles.of(f"log--{piece.hue}").color)
        if piece.bold:
            style += Style(bold=True)
        return style + self._styles.of("log--match") if is_match else style

    def _cut_notice(self, line: Line) -> Iterator[StyledText]:
        count = hidden_bytes(line.raw, line.cut)
        if count:
            yield f"… (+{count} bytes)", self._styles.of("log--cut")
