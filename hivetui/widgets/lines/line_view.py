"""The ground of every large view: a window onto many lines that makes nothing of a line before it is visible.

A view of this kind paints through `render_line` from strips that `build_window` makes for the visible rows alone. It
keeps its own top line, so that following a stream never touches Textual's virtual size, scrollbars or layout; the
scrollbar is a column of its own. What happens by itself goes through `changed`, which repaints at most `FRAMES` times a
second and only when the terminal has drained; what a person does goes through `repaint`, at once.

A subclass gives `line_count`, `build_window` and, if its lines may take several rows, its own `scroll_rows`.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Iterable
from time import monotonic
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from hivetui.console.terminal.drain import is_drained
from hivetui.engine.model.text import cells, safe
from hivetui.widgets.lines.later import later

FRAMES = 30
_FRAME = 1 / FRAMES
_WHEEL_ROWS = 3
_KEPT_ROWS = 512


class LineView(Widget, can_focus=True):
    """A window of rows onto lines, with a top line, a left column and a scrollbar of its own."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--thumb", "lines--track"}
    DEFAULT_CSS = """
    LineView {
        background: $surface;
        color: $foreground;
        & > .lines--thumb { color: $scrollbar; background: $surface; }
        & > .lines--track { color: $panel; background: $surface; }
        &:focus > .lines--thumb { color: $primary; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id, classes=classes, markup=False)
        self.top = 0
        self.left = 0
        self.area = Size(0, 0)  # the size that the window is built for; Textual's own is dear to ask for
        self._window: list[Strip] | None = None
        self._unpainted = False
        self._painted_at = 0.0
        self._timer: TimerHandle | None = None
        self._styles_by_name: dict[tuple[str, ...], Style] = {}
        self._barred: dict[tuple[int, str], tuple[Strip, Strip]] = {}  # rows, by id and bar, as they are painted

    # What a subclass gives

    def line_count(self) -> int:
        """How many lines there are to scroll through."""
        raise NotImplementedError

    def first_line(self) -> int:
        """The number of the first line; more than 0 where old lines were dropped."""
        return 0

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows, at most `height`, each `width` cells or less."""
        raise NotImplementedError

    # Size

    @property
    def page(self) -> int:
        """How many rows of lines fit."""
        return max(1, self.area.height)

    @property
    def line_width(self) -> int:
        """How many cells a row has beside the scrollbar."""
        return max(1, self.area.width - 1)

    @property
    def last_top(self) -> int:
        """The top line with which the last line is at the bottom."""
        return self.first_line() + max(0, self.line_count() - self.page)

    # Painting

    def repaint(self) -> None:
        """Paint anew with the next frame: for what a person did."""
        self._window = None
        self.refresh()

    def changed(self) -> None:
        """Paint anew soon, at most `FRAMES` times a second: for what came by itself. Costs nothing while hidden."""
        if self._timer is None and not self._unpainted and self.is_mounted:
            wait = max(0.0, self._painted_at + _FRAME - monotonic())
            self._timer = later(self, wait, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if is_drained(self.app):
            self._unpainted = True
            self.repaint()
        else:
            self._timer = later(self, _FRAME, self._flush)

    def render_line(self, y: int) -> Strip:
        """One row of the window; the first that is asked for builds all of them."""
        if self._window is None:
            self._window = self._built()
        return self._window[y] if y < len(self._window) else Strip.blank(self.area.width, self.plain)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows as they are, where there is no border, for which (and for padding, tint …) Textual looks in each.

        Of its filters (no colour, few colours), the one for the sixteen colours of a terminal has nothing to do here.
        """
        if self.gutter != (0, 0, 0, 0):
            return super().render_lines(crop)
        background = self.background_colors[1]
        strips = [self.render_line(y) for y in crop.line_range]
        for one in self.get_line_filters():
            if not isinstance(one, ANSIToTruecolor):
                strips = [strip.apply_filter(one, background) for strip in strips]
        whole = crop.column_span == (0, self.size.width)
        return strips if whole else [strip.crop(*crop.column_span) for strip in strips]

    def _built(self) -> list[Strip]:
        self._unpainted = False
        self._painted_at = monotonic()
        self.area = self.size
        rows = self.build_window(self.line_width, self.page)
        bars = self._bars()
        empty = Strip([], 0)
        return [self._with_bar(rows[y] if y < len(rows) else empty, bars[y]) for y in range(self.page)]

    def _with_bar(self, row: Strip, bar: Segment) -> Strip:
        """A row filled up or cut to the width, and its cell of the scrollbar.

        One strip, and the same one as long as the row is: Textual keeps in it what it writes to the terminal.
        """
        key = (id(row), bar.text)
        kept = self._barred.get(key)
        if kept is None:
            if len(self._barred) >= _KEPT_ROWS:
                self._barred.clear()
            kept = self._barred[key] = (row, self._joined(row, bar))  # the row too, so that its id stays its own
        return kept[1]

    def _joined(self, row: Strip, bar: Segment) -> Strip:
        room = self.line_width - row.cell_length
        segments = list(row if room >= 0 else row.crop(0, self.line_width))
        if room > 0:
            segments.append(Segment(" " * room, self.plain))
        segments.append(bar)
        return Strip(segments, self.line_width + 1)

    def _bars(self) -> list[Segment]:
        """The scrollbar, cell by cell."""
        if self.line_count() <= self.page:
            return [Segment(" ", self.plain)] * self.page
        track, thumb = Segment("│", self.style_of("lines--track")), Segment("█", self.style_of("lines--thumb"))
        start, end = self._thumb()
        return [thumb if start <= y < end else track for y in range(self.page)]

    def _thumb(self) -> tuple[int, int]:
        size = max(1, self.page * self.page // max(1, self.line_count()))
        first = self.first_line()
        start = round((self.page - size) * min(1.0, max(0, self.top - first) / max(1, self.last_top - first)))
        return start, start + size

    def style_of(self, *names: str) -> Style:
        """The style of component classes, kept until the theme changes (Textual's ends with every refresh)."""
        style = self._styles_by_name.get(names)
        if style is None:
            style = self._styles_by_name[names] = self.get_component_rich_style(*names)
        return style

    @property
    def plain(self) -> Style:
        """The view's own style, kept alike."""
        style = self._styles_by_name.get(())
        if style is None:
            style = self._styles_by_name[()] = self.rich_style
        return style

    def notify_style_update(self) -> None:
        """Forget what was painted with the styles before."""
        super().notify_style_update()
        self._styles_by_name.clear()
        self._barred.clear()
        self.forget_strips()
        self._window = None

    def forget_strips(self) -> None:
        """Forget strips that a subclass keeps; styles, width or focus changed."""

    def on_resize(self) -> None:
        """Build for the new size. (Textual calls this for every class that has it: a subclass has `resized`.)"""
        self.area = self.size
        self._barred.clear()
        self.resized()
        self.forget_strips()
        self.repaint()

    def resized(self) -> None:
        """Called when the size changed, before anything is painted in it."""

    # Moving

    def scroll_rows(self, rows: int) -> None:
        """Move the window by rows, down when positive."""
        self.go_to(self.top + rows)

    def go_to(self, top: int) -> None:
        """Make `top` the first visible line, as far as there are lines."""
        top = max(self.first_line(), min(top, self.last_top))
        if top != self.top:
            self.top = top
            self.moved()
            self.repaint()

    def moved(self) -> None:
        """Called after the top changed."""

    def show_line(self, line: int) -> None:
        """Bring a line into the window, with a third of it above when it was outside."""
        if not self.top <= line < self.top + self.page:
            self.go_to(line - self.page // 3)

    def action_line_down(self) -> None:
        """One row down."""
        self.scroll_rows(1)

    def action_line_up(self) -> None:
        """One row up."""
        self.scroll_rows(-1)

    def action_page_down(self) -> None:
        """A window down, one row kept."""
        self.scroll_rows(max(1, self.page - 1))

    def action_page_up(self) -> None:
        """A window up, one row kept."""
        self.scroll_rows(-max(1, self.page - 1))

    def action_first(self) -> None:
        """To the first line."""
        self.go_to(self.first_line())

    def action_last(self) -> None:
        """To the last line."""
        self.go_to(self.last_top)

    def action_left(self) -> None:
        """Columns to the left."""
        self.go_left_to(self.left - 8)

    def action_right(self) -> None:
        """Columns to the right."""
        self.go_left_to(self.left + 8)

    def go_left_to(self, column: int) -> None:
        """Make `column` the first visible one."""
        column = max(0, column)
        if column != self.left:
            self.left = column
            self.repaint()

    def show_columns(self, start: int, end: int, width: int) -> None:
        """Bring columns into a window `width` cells wide, with a third of it before them when they were outside."""
        if start < self.left or end > self.left + width:
            self.go_left_to(0 if end <= width else start - width // 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.scroll_rows(-_WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press on the scrollbar goes to that place."""
        at = event.get_content_offset_capture(self)
        if at.x == self.line_width and self.line_count() > self.page:
            event.stop()
            first = self.first_line()
            self.go_to(first + round((self.last_top - first) * at.y / max(1, self.page - 1)))


class StatusLineView(LineView):
    """A window with one row below it that says what it shows, in words."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--status", "lines--alert"}
    DEFAULT_CSS = """
    StatusLineView {
        & > .lines--status { color: $text-muted; background: $panel; }
        & > .lines--alert { color: $text-warning; background: $panel; text-style: bold; }
    }
    """

    @property
    def page(self) -> int:
        """How many rows fit above the status line."""
        return max(1, self.area.height - 1)

    @property
    def alert(self) -> bool:
        """Whether the status line asks for attention."""
        return False

    def status_parts(self) -> list[str]:
        """What the status line says, the most important first; empty parts are left out."""
        raise NotImplementedError

    def _built(self) -> list[Strip]:
        style = self.style_of("lines--alert" if self.alert else "lines--status")
        text = safe("  ".join(part for part in self.status_parts() if part), self.area.width)
        status = strip_of([(text, style)]).adjust_cell_length(self.area.width, style)
        return [*super()._built(), status]


def strip_of(pieces: Iterable[tuple[str, Style]]) -> Strip:
    """A strip of texts that are safe already, each with its style."""
    segments = [Segment(text, style) for text, style in pieces if text]
    return Strip(segments, sum(cells(segment.text) for segment in segments))
