"""The base of every large view: paints the visible lines and makes nothing of a line before it is visible.

It paints through `render_line`, from strips that `build_window` makes for the visible rows only, and keeps its own top
line and scrollbar, so that following a stream never touches Textual's virtual size, scrollbars or layout.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from hivetui.console.stylesheets import read_stylesheet
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.frames import FrameLimiter
from hivetui.widgets.lines.scrollbar import Scrollbar


class LineWindow(Widget):
    """A window of rows onto lines. A subclass gives `line_count` and `build_window`."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--thumb", "lines--track"}
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes, markup=False)
        self.top = 0  # the first visible line
        self.area = Size(0, 0)  # the size the window is built for; Textual's own is slow to ask for
        self.component_styles = ComponentStyles(self)
        self.scrollbar = Scrollbar(self.component_styles)
        self._frames = FrameLimiter(self, self.repaint)
        self._window: list[Strip] | None = None

    # For subclasses to override

    def line_count(self) -> int:
        """How many lines there are to scroll through."""
        raise NotImplementedError

    def first_line(self) -> int:
        """The position of the first line; more than 0 if old lines were dropped."""
        return 0

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows: at most `height`, each at most `width` cells."""
        raise NotImplementedError

    def forget_strips(self) -> None:
        """Drop cached strips, because styles, width or focus changed."""

    def resized(self) -> None:
        """Called after the size changed, before anything is painted in it."""

    # Size

    @property
    def page(self) -> int:
        """How many rows of lines fit."""
        return max(1, self.area.height)

    @property
    def line_width(self) -> int:
        """How many cells a row has, without the scrollbar."""
        return max(1, self.area.width - 1)

    @property
    def last_top(self) -> int:
        """The top line that puts the last line at the bottom."""
        return self.first_line() + max(0, self.line_count() - self.page)

    def on_resize(self) -> None:
        """Build for the new size. Textual calls this for every class that defines it; subclasses override `resized`."""
        self.area = self.size
        self.scrollbar.clear()
        self.resized()
        self.forget_strips()
        self.repaint()

    # Painting

    def repaint(self) -> None:
        """Paint with the next frame: for what a person did."""
        self._window = None
        self.refresh()

    def changed(self) -> None:
        """Paint soon, at a limited rate: for what happened by itself. Costs nothing while the view is hidden."""
        self._frames.request()

    def render_line(self, y: int) -> Strip:
        """One row of the window; the first request builds all rows."""
        if self._window is None:
            self._window = self.build_rows()
        return self._window[y] if y < len(self._window) else Strip.blank(self.area.width, self.plain)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows without Textual's per-row work for borders, padding and tint, unless there are any.

        Of Textual's line filters (no colour, few colours), the one for 16-colour terminals changes nothing here.
        """
        if self.gutter != (0, 0, 0, 0):
            return super().render_lines(crop)
        background = self.background_colors[1]
        strips = [self.render_line(y) for y in crop.line_range]
        for line_filter in self.get_line_filters():
            if not isinstance(line_filter, ANSIToTruecolor):
                strips = [strip.apply_filter(line_filter, background) for strip in strips]
        is_full_width = crop.column_span == (0, self.size.width)
        return strips if is_full_width else [strip.crop(*crop.column_span) for strip in strips]

    def build_rows(self) -> list[Strip]:
        """All rows of the widget: the window with its scrollbar, and what a subclass puts above or below."""
        self._frames.painted()
        self.area = self.size
        rows = self.build_window(self.line_width, self.page)
        bar = self.scrollbar.cells(self.page, self.line_count(), self.top - self.first_line())
        empty = Strip([], 0)
        return [
            self.scrollbar.append_to(rows[y] if y < len(rows) else empty, bar[y], self.line_width)
            for y in range(self.page)
        ]

    def style_of(self, *names: str) -> Style:
        """The style of component classes."""
        return self.component_styles.of(*names)

    @property
    def plain(self) -> Style:
        """The view's own style."""
        return self.component_styles.plain

    def notify_style_update(self) -> None:
        """Drop what was painted with the previous styles."""
        super().notify_style_update()
        self.component_styles.clear()
        self.scrollbar.clear()
        self.forget_strips()
        self._window = None
