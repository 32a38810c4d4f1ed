"""Paints the lines of a diff: whole rows of a unified view, halves of rows of a side-by-side view."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from rich.style import Style
from textual.strip import Strip

from hivetui.engine.model.text import cells
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.sides import NONE
from hivetui.widgets.diff.text import DiffText, Mark
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.search import Search
from hivetui.widgets.lines.strips import StyledText, make_strip

_MAX_MARKS = 64  # on one line
_KEPT_STRIPS = 2048
_GUTTER, _SIDE_GUTTER, _SIGN = 12, 6, 2  # cells before the text: both line numbers, that of one side, + or -
_FOREGROUND_ONLY = ("comment", "string", "keyword", "constant", "name", "path", "here")
_BODY_STYLES = {"+": "diff--added", "-": "diff--removed"}
Side = Literal["old", "new"]


class DiffPainter:
    """Makes the strip of each line when it becomes visible, and caches it."""

    def __init__(self, styles: ComponentStyles, index: DiffIndex, text: DiffText, search: Search) -> None:
        self._styles = styles
        self._index = index
        self._text = text
        self._search = search
        self._strips: dict[tuple[int, Side | None], Strip] = {}

    def forget(self) -> None:
        """Forget all strips."""
        self._strips.clear()

    def trim(self) -> None:
        """Forget all strips if there are many."""
        if len(self._strips) > _KEPT_STRIPS:
            self.forget()

    def unified(self, line: int, width: int) -> Strip:
        """The row of a line, filled up to `width` cells; it may be longer."""
        strip = self._strips.get((line, None))
        if strip is None:
            if self._text.is_body(line):
                numbers = self._index.numbers(line)
                strip = self._body(line, f"{numbers.old or '':>5} {numbers.new or '':>5} ", width)
            else:
                strip = self._heading(line, width)
            self._strips[line, None] = strip
        return strip

    def pair(self, old: int, new: int, left: int, width: int) -> Strip:
        """A row of two halves, both from column `left` of their text on, `width` cells in all."""
        if old == new and not self._text.is_body(old):
            return scrolled(self.unified(old, width), left, width)
        half = (width - 1) // 2
        divider = make_strip([("│", self._styles.of("diff--number"))])
        halves = self._half(old, "old", left, half), self._half(new, "new", left, width - 1 - half)
        return Strip.join([halves[0], divider, halves[1]])

    def match_columns(self, line: int, width: int, is_paired: bool) -> tuple[int, int, int] | None:
        """The columns of the first match in a line, and how many columns are visible at once."""
        text = self._text.shown(line)[0]
        span = None if self._search.pattern is None else self._search.pattern.find(text)
        if span is None:
            return None
        is_paired = is_paired and self._text.is_body(line)  # then the gutter stays and only the text moves
        before = (_SIGN if is_paired else _GUTTER + _SIGN) if self._text.is_body(line) else 0
        start = before + cells(text[: span[0]])
        visible = (width - 1) // 2 - _SIDE_GUTTER if is_paired else width
        return start, start + cells(text[span[0] : span[1]]), visible

    def _half(self, line: int, side: Side, left: int, width: int) -> Strip:
        if line == NONE:
            return Strip.blank(width, self._styles.of("diff--blank"))
        strip = self._strips.get((line, side))
        if strip is None:
            number = getattr(self._index.numbers(line), side)
            strip = self._strips[line, side] = self._body(line, f"{number or '':>5} ", width)
        text = strip.crop(_SIDE_GUTTER + left, left + width)
        base = self._base(self._index.kind(line))
        return Strip.join([strip.crop(0, _SIDE_GUTTER), text.adjust_cell_length(width - _SIDE_GUTTER, base)])

    def _heading(self, line: int, width: int) -> Strip:
        text, part = self._text.heading(line)
        style = self._styles.of(f"diff--{part}")
        strip = make_strip([(text, style)])
        return strip if part == "header" else strip.extend_cell_length(max(strip.cell_length, width), style)

    def _base(self, kind: str) -> Style:
        return self._styles.of(_BODY_STYLES[kind]) if kind in _BODY_STYLES else self._styles.plain

    def _body(self, line: int, gutter: str, width: int) -> Strip:
        kind = self._index.kind(line)
        text, cut = self._text.shown(line)
        base = self._base(kind)
        if line == self._search.match:
            base += self._styles.of("diff--here")
        sign = kind if kind in "+-" else " "
        marks = [*self._text.marks(line, text), *((*span, "match") for span in self._search.spans(text))]
        pieces = [(gutter, self._styles.of("diff--number")), (sign + " ", base)]
        pieces += self._pieces(text, base, marks[-_MAX_MARKS:])
        if cut:
            pieces.append((f"… (+{cut} bytes)", self._styles.of("diff--cut")))
        strip = make_strip(pieces)
        return strip.extend_cell_length(max(strip.cell_length, width), base)

    def _pieces(self, text: str, base: Style, marks: list[Mark]) -> Iterator[StyledText]:
        """The text in pieces, each in the styles of the marks over it."""
        edges = sorted({0, len(text), *(edge for start, end, _ in marks for edge in (start, end))})
        for low, high in pairwise(edges):
            style = base
            for start, end, part in marks:
                if start <= low < end:
                    style += self._overlay(part)
            yield text[low:high], style

    def _overlay(self, part: str) -> Style:
        """The style that a mark lays over that of the line; colours of syntax bring no background."""
        style = self._styles.of(f"diff--{part}")
        return Style(color=style.color, italic=style.italic) if part in _FOREGROUND_ONLY else style


def scrolled(strip: Strip, left: int, width: int) -> Strip:
    """What of a strip is visible from column `left` on; the same strip if nothing is scrolled away."""
    return strip.crop(left, left + width) if left else strip
