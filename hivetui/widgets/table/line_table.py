"""The table of rows that live: each is known by its key, and cursor, marks and folding follow the key, not the place.

    table = LineTable([Column("name", "NAME", 4, 9, priority=9), …], fold_title="kept")
    table.set_rows([Row("iris", ("iris", Cell("● running", "good"), Cell("8178", sort=8178))), …])
    table.filter("ir"); table.sort("port", reverse=True); table.current; table.marked

Rows may be set many times a second: only visible rows that differ are painted. When the columns do not fit, those of
the lowest priority go first. Texts are made safe here. The actions of `LineView` move the cursor; a screen binds keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple

from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from hivetui.engine.model.text import cells, safe
from hivetui.widgets.lines.line_view import LineView, strip_of

Tone = Literal["", "good", "bad", "warn", "dim", "busy", "strong"]
_FOLD_KEY = "\0fold"  # no key from outside holds a NUL
_MARGIN = 2  # cursor and mark
_GAP = 1
_CACHED = 512  # characters; longer texts are not kept


class Column(NamedTuple):
    """One column; widths in cells. When room is short the lowest `priority` goes first."""

    id: str
    title: str
    least: int
    most: int
    priority: int = 0
    align: Literal["left", "right"] = "left"


class Cell(NamedTuple):
    """A text, how it is toned (never by tone alone), and what it is sorted by instead of its text."""

    text: str
    tone: Tone = ""
    sort: float | str | None = None


class Row(NamedTuple):
    """One row, a cell or plain text a column. Folded rows are a group of their own at the end."""

    key: str
    cells: tuple[Cell | str, ...]
    folded: bool = False


class LineTable(LineView):
    """A table with a cursor, marks, sorting, filter and a folded group."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--plain",
        *(f"table--{tone}" for tone in ("good", "bad", "warn", "dim", "busy", "strong")),
    }
    DEFAULT_CSS = """
    LineTable {
        & > .table--header { color: $text-muted; text-style: bold; background: $panel; }
        & > .table--cursor { background: $block-cursor-blurred-background; text-style: bold; }
        &:focus > .table--cursor { background: $primary-muted; }
        & > .table--good { color: $text-success; }
        & > .table--bad { color: $text-error; text-style: bold; }
        & > .table--warn { color: $text-warning; }
        & > .table--busy { color: $text-accent; }
        & > .table--dim { color: $text-muted; }
        & > .table--strong { text-style: bold; }
    }
    """

    class RowHighlighted(Message):
        """The cursor came to another row; `key` is None when there is none (or it is on the folded group's title)."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class RowChosen(Message):
        """The row under the cursor was chosen: Enter or a double click."""

        def __init__(self, table: LineTable, key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class SelectionChanged(Message):
        """Rows were marked or unmarked."""

        def __init__(self, table: LineTable, keys: tuple[str, ...]) -> None:
            super().__init__()
            self.table, self.keys = table, keys

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        fold_title: str = "folded",
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.fold_title = fold_title
        self.empty = empty
        self.unfolded = False
        self.current: str | None = None
        self._rows: dict[str, Row] = {}
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._marks: set[str] = set()
        self._filter = ""
        self._sorted_by: tuple[str, bool] | None = None
        self._wanted = [cells(column.title) + 2 for column in columns]
        self._shown_columns: list[tuple[int, int]] = []
        self._painted: list[str] = []

    # What a screen calls

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows, in this order unless sorted. Keys are unique; cursor and marks stay with their keys."""
        before = self._rows
        self._rows = {row.key: row for row in rows}
        gone = self._marks.difference(self._rows)
        self._marks -= gone
        if self._grow(rows):
            self._fit()
        self._arrange(before)
        if gone:
            self.post_message(self.SelectionChanged(self, self.marked))

    def filter(self, text: str) -> None:
        """Show only rows with this text in a cell, whatever its case; "" shows all. Matching folded rows show."""
        self._filter = text.casefold()
        self._rearrange()

    def sort(self, column: str | None, reverse: bool = False) -> None:
        """Sort by a column's id; None is the order in which the rows were given."""
        self._sorted_by = None if column is None else (column, reverse)
        self._rearrange()

    @property
    def sorted_by(self) -> tuple[str, bool] | None:
        """The id of the column that sorts, and whether in reverse."""
        return self._sorted_by

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of marked rows, in the order in which rows were given."""
        return tuple(key for key in self._rows if key in self._marks)

    @property
    def shown(self) -> tuple[str, ...]:
        """The keys of the rows that filter and folding leave, in their order."""
        return tuple(key for key in self._order if key != _FOLD_KEY)

    @property
    def rows_given(self) -> int:
        """How many rows there are, whatever the filter leaves of them."""
        return len(self._rows)

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The ids of the columns that have room."""
        return tuple(self.columns[index].id for index, _ in self._shown_columns)

    @property
    def current_row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.get(self.current or "")

    def go_to_key(self, key: str) -> None:
        """Put the cursor on a row, if it is shown."""
        if key in self._places:
            self._put_cursor(self._places[key])

    def mark(self, keys: Iterable[str]) -> None:
        """Mark just these rows, as far as there are such."""
        self._set_marks(set(keys) & self._rows.keys())

    def unmark_all(self) -> None:
        """Take every mark away."""
        self._set_marks(set())

    # Arranging

    def _rearrange(self) -> None:
        """Arrange and paint all: a person asked for another order or choice of rows."""
        self._window = None
        self._arrange({})

    def _arrange(self, before: dict[str, Row]) -> None:
        index = self._places.get(self.current or "", 0)
        old_top = self.top
        self._order = self._ordered()
        self._places = {key: place for place, key in enumerate(self._order)}
        if self.current not in self._places:
            self.current = self._order[min(index, len(self._order) - 1)] if self._order else None
            self.post_message(self.RowHighlighted(self, self._key_of_cursor()))
        self._keep_cursor_visible()
        if self.top != old_top or not self._is_painted():
            self.repaint()
        else:
            self._repaint_changes(before)

    def _ordered(self) -> list[str]:
        rows = [row for row in self._rows.values() if self._matches(row)]
        if self._sorted_by is not None:
            rows.sort(key=self._sort_key, reverse=self._sorted_by[1])
        order = [row.key for row in rows if not row.folded]
        folded = [row.key for row in rows if row.folded]
        if folded:
            order.append(_FOLD_KEY)
            order += folded if self.unfolded or self._filter else []
        return order

    def _matches(self, row: Row) -> bool:
        if not self._filter:
            return True
        return any(self._filter in (cell if isinstance(cell, str) else cell.text).casefold() for cell in row.cells)

    def _sort_key(self, row: Row) -> tuple[float, str]:
        assert self._sorted_by is not None
        index = next(number for number, column in enumerate(self.columns) if column.id == self._sorted_by[0])
        cell = _cell(row.cells[index])
        value = cell.text if cell.sort is None else cell.sort
        return (0.0, value.casefold()) if isinstance(value, str) else (float(value), "")

    def _is_painted(self) -> bool:
        return self._window is not None and len(self._painted) == min(self.page, len(self._order) - self.top)

    def _repaint_changes(self, before: dict[str, Row]) -> None:
        """Paint the visible rows anew that are not what they were, when the terminal has taken the last ones."""
        now = self._order[self.top : self.top + self.page]
        same = (a == b and self._rows.get(a) == before.get(a) for a, b in zip(now, self._painted, strict=True))
        if not all(same):
            self.changed()

    def _grow(self, rows: Sequence[Row]) -> bool:
        """Widen the columns' wishes to the rows' texts; they never narrow, so that nothing jumps."""
        before = list(self._wanted)
        for index, column in enumerate(self.columns):
            if self._wanted[index] < column.most:
                cells = [row[1][index] for row in rows]
                longest = max((_room(cell if type(cell) is str else cell[0]) for cell in cells), default=0)
                self._wanted[index] = max(self._wanted[index], longest)
        return self._wanted != before

    def _fit(self) -> None:
        """Which columns fit and how wide: the important ones first, at least wide; then what they wish for."""
        room = self.line_width - _MARGIN
        chosen: dict[int, int] = {}
        by_priority = sorted(range(len(self.columns)), key=lambda index: -self.columns[index].priority)
        for index in by_priority:
            if self.columns[index].least + _GAP > room:
                break
            chosen[index] = self.columns[index].least
            room -= self.columns[index].least + _GAP
        for index in by_priority:
            if index in chosen:
                wish = min(self.columns[index].most, self._wanted[index]) - chosen[index]
                extra = max(0, min(room, wish))
                chosen[index] += extra
                room -= extra
        self._shown_columns = sorted(chosen.items())
        self._window = None

    # Painting

    @property
    def page(self) -> int:
        """How many rows fit under the header."""
        return max(1, self.area.height - 1)

    def line_count(self) -> int:
        """How many rows there are to scroll through."""
        return len(self._order)

    def resized(self) -> None:
        """Choose the columns for the new width."""
        self._fit()
        self._keep_cursor_visible()

    def _built(self) -> list[Strip]:
        self.area = self.size
        if not self._shown_columns:
            self._fit()
        header = self._header().adjust_cell_length(self.area.width, self.style_of("table--header"))
        return [header, *super()._built()]

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        self._painted = self._order[self.top : self.top + height]
        if not self._painted and self.empty:
            return [strip_of([(safe(self.empty, width), self.style_of("table--dim"))])]
        return [self._line(key, width) for key in self._painted]

    def _header(self) -> Strip:
        style = self.style_of("table--header")
        pieces = [(" " * _MARGIN, style)]
        for index, width in self._shown_columns:
            column = self.columns[index]
            pieces.append((_padded(column.title + self._arrow(column.id), width, column.align) + " ", style))
        return strip_of(pieces)

    def _arrow(self, column: str) -> str:
        if self._sorted_by is None or self._sorted_by[0] != column:
            return ""
        return " ▼" if self._sorted_by[1] else " ▲"

    def _line(self, key: str, width: int) -> Strip:
        cursor = key == self.current
        plain = self._tone("", cursor)
        margin = ("›" if cursor else " ") + ("●" if key in self._marks else " ")
        pieces = [(margin, plain)]
        if key == _FOLD_KEY:
            pieces.append((self._fold_line(), self._tone("dim", cursor)))
        else:
            pieces += self._cells_of(self._rows[key], cursor)
        return strip_of(pieces).adjust_cell_length(width, plain)

    def _cells_of(self, row: Row, cursor: bool) -> list[tuple[str, Style]]:
        pieces = []
        for index, width in self._shown_columns:
            text, tone, _ = _cell(row.cells[index])
            pad = _padded if len(text) < _CACHED else _padded.__wrapped__
            shown = pad(text, width, self.columns[index].align)
            pieces.append((shown + " ", self._tone(tone, cursor)))
        return pieces

    def _fold_line(self) -> str:
        count = sum(row.folded for row in self._rows.values())
        return f"{'▾' if self.unfolded else '▸'} {self.fold_title} ({count})"

    def _tone(self, tone: Tone, cursor: bool) -> Style:
        if not tone:
            return self.style_of("table--cursor") if cursor else self.plain
        style = self.style_of(f"table--{tone}")
        return style + Style(bgcolor=self.style_of("table--cursor").bgcolor) if cursor else style

    # Cursor and marks

    def scroll_rows(self, rows: int) -> None:
        """Move the cursor by rows."""
        if self._order:
            place = self._places.get(self.current or "", 0) + rows
            self._put_cursor(max(0, min(place, len(self._order) - 1)))

    def action_first(self) -> None:
        """Cursor to the first row."""
        self.scroll_rows(-len(self._order))

    def action_last(self) -> None:
        """Cursor to the last row."""
        self.scroll_rows(len(self._order))

    def action_choose(self) -> None:
        """Choose the row under the cursor, or unfold."""
        if self.current == _FOLD_KEY:
            self.action_toggle_fold()
        elif self.current is not None:
            self.post_message(self.RowChosen(self, self.current))

    def action_toggle_fold(self) -> None:
        """Show or hide the folded group."""
        self.unfolded = not self.unfolded
        self._rearrange()

    def action_toggle_mark(self) -> None:
        """Mark or unmark the row under the cursor, and go on to the next."""
        if self.current is not None and self.current in self._rows:
            self._set_marks(self._marks ^ {self.current})
            self.scroll_rows(1)

    def action_mark_all(self) -> None:
        """Mark every row that is shown; when all are, none."""
        shown = set(self.shown)
        self._set_marks(self._marks - shown if shown <= self._marks else self._marks | shown)

    def _set_marks(self, marks: set[str]) -> None:
        if marks != self._marks:
            self._marks = marks
            self.repaint()
            self.post_message(self.SelectionChanged(self, self.marked))

    def _key_of_cursor(self) -> str | None:
        return None if self.current == _FOLD_KEY else self.current

    def _put_cursor(self, place: int) -> None:
        key = self._order[place]
        if key == self.current:
            return
        before, self.current = self.current, key
        old_top = self.top
        self._keep_cursor_visible()
        if self.top != old_top or not self._is_painted():
            self.repaint()
        else:
            self._repaint_rows(before, key)
        self.post_message(self.RowHighlighted(self, self._key_of_cursor()))

    def _repaint_rows(self, *keys: str | None) -> None:
        """Paint only these visible rows anew."""
        assert self._window is not None
        bars = self._bars()
        for key in keys:
            y = self._places.get(key or "", -1) - self.top
            if key is not None and 0 <= y < self.page:
                self._window[y + 1] = self._with_bar(self._line(key, self.line_width), bars[y])
                self.refresh(Region(0, y + 1, self.area.width, 1))

    def _keep_cursor_visible(self) -> None:
        place = self._places.get(self.current or "", 0)
        self.top = max(0, min(max(self.top, place - self.page + 1), place, self.last_top))

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """The header sorts, a row takes the cursor, a second click chooses."""
        offset = event.get_content_offset_capture(self)
        if offset.y == 0:
            self._sort_at(offset.x)
        elif offset.x < self.line_width and offset.y + self.top - 1 < len(self._order):
            self._put_cursor(offset.y + self.top - 1)
            if event.chain > 1 or self.current == _FOLD_KEY:
                self.action_choose()

    def _sort_at(self, x: int) -> None:
        start = _MARGIN
        for index, width in self._shown_columns:
            if start <= x < start + width + _GAP:
                return self.sort_or_turn(self.columns[index].id)
            start += width + _GAP
        return None

    def sort_or_turn(self, column: str) -> None:
        """Sort by a column; by the same again in reverse; a third time in the given order."""
        if self._sorted_by == (column, True):
            self.sort(None)
        else:
            self.sort(column, reverse=self._sorted_by == (column, False))


def _cell(cell: Cell | str) -> Cell:
    return Cell(cell) if isinstance(cell, str) else cell


def _room(text: str) -> int:
    """How many cells a text would take, as it is shown."""
    return len(text) if text.isascii() and text.isprintable() else cells(safe(text[:_CACHED]))


@lru_cache(maxsize=16384)
def _padded(text: str, width: int, align: str) -> str:
    """Made safe, cut to `width` cells and filled up to it."""
    shown = safe(text, width)
    fill = " " * (width - cells(shown))
    return fill + shown if align == "right" else shown + fill
