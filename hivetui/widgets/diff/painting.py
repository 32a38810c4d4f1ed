"""Paints the lines of a diff: rows of a unified view, halves of rows of a side-by-side view.

Line numbers and signs stay in view when the text is scrolled. Text that does not fit ends with a mark that counts the
cells which are not visible, `… (+70)`, or is wrapped; so no text is left out without a word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, pairwise
from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from hivetui.engine.model.findings import Severity, Side
from hivetui.engine.model.text import cells, safe
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.line_text import SHOWN_BYTES, ShownLine, TextLimits
from hivetui.widgets.diff.reading import Reading
from hivetui.widgets.diff.sides import NONE
from hivetui.widgets.diff.text import DiffText, Mark
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.search import Search
from hivetui.widgets.lines.strips import StyledText, make_strip
from hivetui.widgets.wording import SEVERITY_LETTERS

_MAX_MARKS = 4096  # on one line
_KEPT_ROWS = 2048
_WRAPPED_BYTES = 64 * 1024  # how many bytes of a line are shown if lines are wrapped
MIN_DIGITS = 5
"""Line numbers have at least as many cells, so that few diffs are painted anew when higher ones arrive."""
_SIGN = 2  # cells between line numbers and text: + or -, and a blank
_MARK_CELLS = 10  # what the marks of hidden text take, if that is less than 1000 cells
_NOTE = "✎ "
_FOREGROUND_ONLY = ("comment", "string", "keyword", "constant", "name", "path", "here")
_BODY_STYLES = {"+": "diff--added", "-": "diff--removed"}
FindingPlace = tuple[str, str, int | None]
"""A side, the path of a file there, and the number of a line."""
Rows = list[Strip]


class Frame(NamedTuple):
    """The window that lines are painted for: its width in cells, the first column of the text, whether it wraps.

    `digits` is the width of a line number.
    """

    width: int
    left: int = 0
    wrap: bool = False
    is_paired: bool = False
    digits: int = MIN_DIGITS

    @property
    def halves(self) -> tuple[int, int]:
        """The widths of the old and the new side."""
        half = (self.width - 1) // 2
        return half, self.width - 1 - half

    @property
    def text_width(self) -> int:
        """The cells for the text of a line, after line numbers and sign; side by side, on the narrower side."""
        return max(1, (self.halves[0] if self.is_paired else self.width) - self.gutter_width - _SIGN)

    @property
    def gutter_width(self) -> int:
        """The cells for the line numbers before each line: both, or side by side that of one side."""
        return (self.digits + 1) * (1 if self.is_paired else 2)

    def gutter(self, *numbers: int | None) -> str:
        """Line numbers as they stand before a line, each with a blank after it."""
        return "".join(f"{number or '':>{self.digits}} " for number in numbers)


class DiffPainter:
    """Makes the rows of each line when it becomes visible, and caches them until the frame changes.

    `reading` is told which parts of the lines were visible.
    """

    def __init__(
        self, styles: ComponentStyles, index: DiffIndex, text: DiffText, search: Search, reading: Reading
    ) -> None:
        self._styles = styles
        self._index = index
        self._text = text
        self._search = search
        self._reading = reading
        self._frame = Frame(80)
        self._rows: dict[tuple[int, int], Rows] = {}  # by the old and the new line; the same if it is unified
        self._parts: dict[int, tuple[int, int, int]] = {}  # the columns of a line that its row shows, and its length
        self._heights: dict[int, int] = {}  # how many rows wrapped lines take; one more if bytes are hidden
        self.findings: Mapping[FindingPlace, Severity] = {}
        """The worst severity of what was found at a line."""
        self.chosen = range(0)
        """The lines that a new note is about."""

    def forget(self) -> None:
        """Forget all rows."""
        self._rows.clear()

    def use(self, frame: Frame) -> None:
        """Paint for this frame from now on."""
        if len(self._rows) > _KEPT_ROWS or frame != self._frame:
            self.forget()
        if (frame.text_width, frame.wrap) != (self._frame.text_width, self._frame.wrap):
            self._reading.forget_parts()
            self._heights.clear()
        self._frame = frame
        size = _WRAPPED_BYTES if frame.wrap else SHOWN_BYTES
        self._text.limits = TextLimits(max(16, frame.text_width // 2), size)

    def measure(self) -> Iterator[bool] | None:
        """The steps that find the lines that are cut in this frame, as of `Reading.measure`."""
        return self._reading.measure(self._frame.width, self._frame.text_width)

    def rows(self, old: int, new: int) -> Rows:
        """The rows of a pair of lines, or of one line; one row unless lines are wrapped."""
        rows = self._rows.get((old, new))
        if rows is None:
            is_half = self._frame.is_paired and (old != new or self._text.is_body(old))
            rows = self._pair(old, new) if is_half else self._unified(new)
            if all(line == NONE or self._text.coloring.is_known(line) for line in (old, new)):
                self._rows[old, new] = rows
        return rows

    def note_rows(self, old: int, new: int, rows: range) -> None:
        """Note that these rows of a pair of lines, or of one line, are visible."""
        for line in {old, new} - {NONE}:
            if self._frame.wrap:
                self._reading.note(line, rows.start, rows.stop, self._heights[line])
            else:
                self._reading.note(line, *self._parts[line])

    def note(self, label: str, text: str, style: str) -> Rows:
        """The rows of a note below its line."""
        margin, note_style = " " * self._frame.gutter_width, self._styles.of(f"diff--{style}")
        shown = ShownLine(safe(" ".join(f"{label} {text}".split())))
        rows, _ = self._fit([(shown.text, note_style)], shown, max(2, self._frame.width - len(margin) - len(_NOTE)))
        heads = [_NOTE, *(" " * len(_NOTE) for _ in rows)]
        strips = (
            Strip.join([make_strip([(margin, self._styles.plain), (head, note_style)]), row])
            for head, row in zip(heads, rows, strict=False)
        )
        return [strip.extend_cell_length(self._frame.width, note_style) for strip in strips]

    def match_columns(self, line: int) -> tuple[int, int, int] | None:
        """The columns of the first match in the text of a line, and how many columns are visible at once."""
        text = self._text.shown(line).text
        span = None if self._search.pattern is None else self._search.pattern.find(text)
        if span is None:
            return None
        visible = self._frame.text_width if self._text.is_body(line) else self._frame.width
        start = cells(text[: span[0]])
        # The marks of hidden text take cells at both edges.
        return start, start + cells(text[span[0] : span[1]]), max(1, visible - _MARK_CELLS)

    def _unified(self, line: int) -> Rows:
        if not self._text.is_body(line):
            return self._heading(line)
        gutter = self._frame.gutter(*self._index.numbers(line))
        return self._body(line, gutter, self._frame.width, "old" if self._index.kind(line) == "-" else "new")

    def _pair(self, old: int, new: int) -> Rows:
        divider = make_strip([("│", self._styles.of("diff--number"))])
        sides: tuple[tuple[int, Side, int], ...] = (
            (old, "old", self._frame.halves[0]),
            (new, "new", self._frame.halves[1]),
        )
        left, right = (self._half(*side) for side in sides)
        for rows, (line, _, width) in zip((left, right), sides, strict=True):
            style = self._styles.of("diff--blank") if line == NONE else self._base(self._index.kind(line))
            rows += [Strip.blank(width, style)] * (max(len(left), len(right)) - len(rows))
        return [Strip.join([one, divider, other]) for one, other in zip(left, right, strict=True)]

    def _half(self, line: int, side: Side, width: int) -> Rows:
        if line == NONE:
            return []
        return self._body(line, self._frame.gutter(getattr(self._index.numbers(line), side)), width, side)

    def _heading(self, line: int) -> Rows:
        width = self._frame.width
        whole, part = self._text.heading(line)
        text = whole if self._frame.wrap else self._text.heading(line, width)[0]
        style = self._styles.of(f"diff--{part}")
        rows, visible = self._fit([(text, style)], ShownLine(text), width)
        is_shortened = text != whole
        self._heights[line], self._parts[line] = len(rows), (*visible, cells(text) + is_shortened)
        return rows if part == "header" else [row.extend_cell_length(width, style) for row in rows]

    def _base(self, kind: str) -> Style:
        return self._styles.of(_BODY_STYLES[kind]) if kind in _BODY_STYLES else self._styles.plain

    def _body(self, line: int, gutter: str, width: int, side: Side) -> Rows:
        kind = self._index.kind(line)
        shown = self._text.shown(line)
        base = self._base(kind)
        if line == self._search.match:
            base += self._styles.of("diff--here")
        number_style = self._styles.of("diff--chosen" if line in self.chosen else "diff--number")
        sign = ((kind if kind in "+-" else " ") + " ", base)
        head = [(gutter[:-1], number_style), self._finding_mark(line, number_style), sign]
        pieces = self._pieces(shown, base, self._marks(line, shown, side))
        length = cells(shown.text)
        if not (self._frame.left or shown.hidden) and length <= width - len(gutter) - _SIGN:  # most lines: one strip
            self._heights[line], self._parts[line] = 1, (0, length, length)
            return [make_strip([*head, *pieces]).extend_cell_length(width, base)]
        rows, visible = self._fit(pieces, shown, width - len(gutter) - _SIGN)
        self._heights[line] = len(rows) + bool(shown.hidden)
        self._parts[line] = (*visible, length + shown.hidden)
        strips = []
        for number, row in enumerate(rows):
            first = make_strip(head if number == 0 else [(" " * len(gutter), number_style), sign])
            strips.append(Strip.join([first, row]).extend_cell_length(width, base))
        return strips

    def _finding_mark(self, line: int, plain: Style) -> StyledText:
        """The letter of the worst finding at a line, in the last cell of the gutter."""
        file = self._index.file_at(line) if self.findings else None
        if file is None:
            return " ", plain
        part, numbers = self._index.files[file], self._index.numbers(line)
        places = (("new", part.path, numbers.new), ("old", part.old_path, numbers.old))
        found = [self.findings[place] for place in places if place in self.findings]
        if not found:
            return " ", plain
        severity = min(found, key=lambda one: one.rank)
        return SEVERITY_LETTERS[severity], self._styles.of(f"diff--{severity.value}")

    def _fit(self, pieces: Iterable[StyledText], shown: ShownLine, width: int) -> tuple[Rows, tuple[int, int]]:
        """A text in rows of `width` cells, wrapped or cut; and the columns of it that are visible if it is cut."""
        if self._frame.wrap:
            end = [(f"… (+{shown.hidden} bytes)", self._styles.of("diff--cut"))] if shown.hidden else []
            return [make_strip(row) for row in wrap_pieces([*pieces, *end], max(2, width))], (0, 0)
        row, visible = self._cut(make_strip(pieces), shown.hidden, width)
        return [row], visible

    def _cut(self, text: Strip, hidden: int, width: int) -> tuple[Strip, tuple[int, int]]:
        """What of a text is visible from the left column on, with marks for what is not; and the columns of that."""
        start, end = min(self._frame.left, text.cell_length), text.cell_length
        style = self._styles.of("diff--cut")
        pieces: list[Strip] = []
        if start:
            pieces.append(make_strip([("…", style)]))
            start, width = min(start + 1, end), width - 1
        if not hidden and end - start <= width:
            pieces.append(text.crop(start, end) if start else text)
        else:
            mark, visible = cut_mark(hidden + end - start, min(width, end - start + _MARK_CELLS))
            end = min(end, start + visible)
            pieces += [text.crop(start, end), make_strip([(mark, style)]).crop(0, width)]
        return Strip.join(pieces), (start, end)

    def _marks(self, line: int, shown: ShownLine, side: Side) -> list[Mark]:
        marks = [*self._text.marks(line, shown.text, side), *((*span, "cut") for span in shown.blanks)]
        return [*marks, *((*span, "match") for span in self._search.spans(shown.text))][-_MAX_MARKS:]

    def _pieces(self, shown: ShownLine, base: Style, marks: list[Mark]) -> Iterator[StyledText]:
        """The text in pieces, each in the styles of the marks over it."""
        text = shown.text
        edges = sorted({0, len(text), *(edge for start, end, _ in marks for edge in (start, end))})
        waiting = deque(sorted(enumerate(marks), key=lambda numbered: numbered[1][0]))
        over: list[tuple[int, Mark]] = []
        for low, high in pairwise(edges):
            over = [numbered for numbered in over if numbered[1][1] > low]
            while waiting and waiting[0][1][0] <= low:
                over.append(waiting.popleft())
            style = base
            for _, (_, _, part) in sorted(over):
                style += self._overlay(part)
            yield text[low:high], style

    def _overlay(self, part: str) -> Style:
        """The style that a mark lays over that of the line; colours of syntax bring no background."""
        style = self._styles.of(f"diff--{part}")
        return Style(color=style.color, italic=style.italic) if part in _FOREGROUND_ONLY else style


def cut_mark(remaining: int, width: int) -> tuple[str, int]:
    """The mark at the end of a text that is cut, and how many of `width` cells it leaves to the text.

    It counts what of the `remaining` cells is not visible.
    """
    for digits in count(1):
        visible = max(0, width - digits - len("… (+)"))
        mark = f"… (+{remaining - visible})"
        if len(mark) <= digits + len("… (+)"):
            break
    return mark, visible


def wrap_pieces(pieces: Iterable[StyledText], width: int) -> list[list[StyledText]]:
    """Cut pieces of text into rows of at most `width` cells (two or more), and no character in two."""
    rows: list[list[StyledText]] = [[]]
    free = width
    for text, style in pieces:
        at = 0
        while at < len(text):
            end, taken = _fitting_end(text, at, free)
            rows[-1].append((text[at:end], style))
            at, free = end, free - taken
            if at < len(text):
                rows.append([])
                free = width
    return rows


def _fitting_end(text: str, at: int, width: int) -> tuple[int, int]:
    """How far a text from `at` on fits into `width` cells, and how many cells that takes."""
    if text.isascii():
        end = min(len(text), at + width)
        return end, end - at
    taken, end = 0, at
    while end < len(text) and taken + (size := cells(text[end])) <= width:
        taken += size
        end += 1
    return end, taken
