"""What the terminal shows, cell by cell, so that only the cells that differ are written to it.

Textual writes whole rows of every widget that was refreshed: an idle console was 5 KB/s over SSH and a log 28 KB/s.
Rows that moved up or down together are scrolled by the terminal, in a scroll region as curses does it (DECSTBM, VT100).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import repeat

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from hivetui.console.terminal.colors import sgr

Cell = tuple[str, str] | None
"""A character with the marks that combine with it, and the parameters of SGR; None: what is there is not known.

The second cell of a wide character has no text.
"""
_Row = list[Cell]

_LINES = " " + "".join(map(chr, range(0x2500, 0x25A0)))
"""Blanks, box drawing and block elements, of which borders and scrollbars are made: they need no contrast."""
_GAP = 6
"""So many unchanged cells between two changed ones are written again: moving the cursor takes as many bytes."""
_SCROLL_ROWS = 4
"""So many rows have to move together before it is tried whether scrolling them takes fewer bytes."""
_ROW_BYTES = 7
"""What a row that changes takes at least: moving the cursor there, and a character."""
_SCROLLBAR = 2
"""The last columns, in which a scrollbar with a margin may stand still while the text beside it moves."""


class Changes(CompositorUpdate):
    """An update that has been rendered."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """What to write to the terminal."""
        return self._text


class PaintedScreen:
    """The cells of the terminal's screen as they were written last."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._size = Size(0, 0)

    def forget(self) -> None:
        """Expect nothing of what the terminal shows: everything of the next frame is written."""
        self._size = Size(0, 0)

    def changes(self, update: CompositorUpdate, size: Size, colors: ColorSystem | None) -> str:
        """What to write so that the terminal, of that `size`, shows an update; "" if it does already.

        `colors` None: in none.
        """
        if size != self._size:
            self._size, self._rows = size, [[None] * size.width for _ in range(size.height)]
        wanted = self._wanted_rows(update, colors)
        text = self._shortest_text(wanted)
        for y, row in wanted.items():
            self._rows[y] = row
        return text

    def _shortest_text(self, wanted: dict[int, _Row]) -> str:
        """What to write to make these rows, with or without scrolling."""
        shift = _common_shift(self._rows, wanted) if len(wanted) >= _SCROLL_ROWS else 0
        if not shift or abs(shift) > max(wanted) - min(wanted):
            return _text_of_changes(self._rows, wanted)
        scrolling = self._scroll(wanted, shift)
        if len(scrolling) < _ROW_BYTES * sum(row != self._rows[y] for y, row in wanted.items()):
            return scrolling
        return min(_text_of_changes(self._rows, wanted), scrolling, key=len)

    def _wanted_rows(self, update: CompositorUpdate, colors: ColorSystem | None) -> dict[int, _Row]:
        """The rows that an update touches, by their number."""
        rows: dict[int, _Row] = {}
        for x, y, strip in _strips(update):
            if 0 <= y < self._size.height:
                row = rows.get(y)
                if row is None:
                    row = rows[y] = [*self._rows[y]]
                cells = _cells(strip, colors)[: max(0, self._size.width - x)]
                row[x : x + len(cells)] = cells
        return rows

    def _scroll(self, wanted: dict[int, _Row], shift: int) -> str:
        """What to write if the rows of an update, and those between, are scrolled by `shift` first; up if positive."""
        top, bottom = min(wanted), max(wanted)
        old = self._rows[top : bottom + 1]
        blank: list[_Row] = [[None] * self._size.width for _ in range(abs(shift))]
        scrolled = [*old[shift:], *blank] if shift > 0 else [*blank, *old[:shift]]
        new = {y: wanted.get(y, self._rows[y]) for y in range(top, bottom + 1)}
        edge, step = (bottom, "\n") if shift > 0 else (top, "\x1bM")  # index, and reverse index
        scroll = f"\x1b[m\x1b[{top + 1};{bottom + 1}r\x1b[{edge + 1};1H{step * abs(shift)}\x1b[r"
        return scroll + _text_of_changes([*self._rows[:top], *scrolled], new)


def _strips(update: CompositorUpdate) -> Iterator[tuple[int, int, Strip]]:
    """The strips of an update, each with the place of its first cell: column and row."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield x, y, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, start, end in update.spans:
            for chop_end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if chop is not None and x <= end and chop_end > start:
                    yield x, y, chop


def _cells(strip: Strip, colors: ColorSystem | None) -> _Row:
    cells: _Row = []
    for text, style, _ in strip:
        is_text = bool(text.strip(_LINES))
        parameters = sgr(style, colors, is_text) if style is not None else ""
        if text.isascii():
            cells.extend(zip(text, repeat(parameters)))
            continue
        for character in text:
            width = get_character_cell_size(character)
            if width == 0 and cells and (last := cells[-1]) is not None:
                cells[-1] = (last[0] + character, parameters)
            elif width:
                cells.append((character, parameters))
                cells.extend([("", parameters)] * (width - 1))
    return cells


def _common_shift(old: list[_Row], wanted: dict[int, _Row]) -> int:
    """By how many rows most of the rows moved, up if positive; 0 if they did not."""
    places: dict[tuple[Cell, ...], int] = {}
    for y in wanted:
        places[tuple(old[y][:-_SCROLLBAR])] = y
    shifts = Counter(places.get(tuple(row[:-_SCROLLBAR]), y) - y for y, row in wanted.items() if row != old[y])
    del shifts[0]
    ((shift, count),) = shifts.most_common(1) or ((0, 0),)
    return shift if count >= _SCROLL_ROWS else 0


def _text_of_changes(old: list[_Row], new: dict[int, _Row]) -> str:
    """What to write to make these rows out of the old ones."""
    runs: list[tuple[int, int, _Row]] = []
    for y, row in new.items():
        if row != old[y]:
            runs += ((y, start, row[start:end]) for start, end in _changed_spans(old[y], row))
    return "".join(_control_sequences(runs))


def _changed_spans(old: _Row, new: _Row) -> Iterator[tuple[int, int]]:
    """The first and the end column of each run of changed cells, in as few runs as are worth it."""
    changed = [x for x, (before, after) in enumerate(zip(old, new, strict=True)) if before != after]
    start = previous = changed[0]
    for x in changed[1:]:
        if x - previous > _GAP:
            yield start, previous + 1
            start = x
        previous = x
    yield start, previous + 1


def _control_sequences(runs: Iterable[tuple[int, int, _Row]]) -> Iterator[str]:
    """Runs of cells, each at its row and column, with SGR where the style changes."""
    last = ""
    for y, x, cells in runs:
        yield f"\x1b[{y + 1};{x + 1}H"
        for text, parameters in (cell or (" ", "") for cell in cells):
            if parameters != last:
                last = parameters
                yield f"\x1b[0;{parameters}m" if parameters else "\x1b[m"
            yield text
    if last:
        yield "\x1b[m"
