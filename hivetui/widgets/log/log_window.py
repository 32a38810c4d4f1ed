"""A window onto the lines of a log, however fast they arrive: follows the end, stays, or is frozen.

    view.feed_bytes(chunk); view.feed_lines(lines)      # as they arrive; a hidden view only stores them
    view.freeze(); view.follow()                        # while frozen, new lines are counted and nothing moves

Positions count the lines that a filter leaves, numbers count lines of the store. Both keep their meaning when old lines
are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.binary import merge_binary
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.search_view import SearchView
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.log import wrapping
from hivetui.widgets.log.binary import LOG_KIND
from hivetui.widgets.log.filtering import Filtering
from hivetui.widgets.log.line_prefix import LinePrefix, agent_label
from hivetui.widgets.log.painting import LineLevel, LinePainter, level_of_line
from hivetui.widgets.log.selection import Selection
from hivetui.widgets.log.shown_lines import ShownLines
from hivetui.widgets.log.store import LogStore, Source

if TYPE_CHECKING:
    from hivetui.engine.model.logs import LogLine


class LogWindow(SearchView):
    """Takes lines, and shows them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"log--{part}" for part in ("time", "day", "source", "cut", "match", "here", "selected", "empty")),
        *(f"log--{level}" for level in ("error", "warning", "info")),
        *(f"log--{hue}" for hue in ("red", "green", "yellow", "blue", "magenta", "cyan")),
    }
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(
        self,
        *,
        limit: int | None = 1_000_000,
        empty: str = "",
        timezone: tzinfo = UTC,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        source_label: Callable[[Source], str] = agent_label,
        level: LineLevel = level_of_line,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.shown = ShownLines(LogStore(limit))
        self.prefix = LinePrefix(self.component_styles, timezone, source_label)
        self.selection = Selection(self.shown)
        self.painter = LinePainter(self.component_styles, self.shown, self.prefix, self.searched, self.selection, level)
        self._clock = clock
        self.filtering = Filtering(self, self.shown, self.keep_at_top)
        self.empty = empty  # shown while there are no lines
        self.following = True
        self.wrap = False
        self._top_row = 0  # the first visible row within the top line
        self.row_positions: list[int] = []  # which line each row of the window is of

    # Feeding

    @property
    def store(self) -> LogStore:
        """All lines, shown or not."""
        return self.shown.store

    def feed_bytes(self, chunk: bytes) -> None:
        """Take output as it was read, cut anywhere."""
        if self.store.feed_bytes(chunk):
            self.grown()

    def feed_lines(self, lines: Sequence[LogLine]) -> None:
        """Take lines of the engine, in their order. Binary data is one line."""
        if self.store.feed_lines(list(merge_binary(lines, LOG_KIND))):
            self.grown()

    def finish(self) -> None:
        """Take what came after the last line feed as a line: the stream has ended."""
        if self.store.finish():
            self.grown()

    def grown(self) -> None:
        """Show lines that were put into the store."""
        self.changed()
        self.filtering.test_new_lines()
        self.count_hits()

    # Following and freezing

    @property
    def frozen(self) -> bool:
        """Whether new lines are counted and not shown."""
        return self.shown.frozen

    def follow(self) -> None:
        """Show the end, and stay there."""
        self.shown.unfreeze()
        self.following, self._top_row = True, 0
        self.count_hits()
        self.repaint()

    def freeze(self) -> None:
        """Stop moving, and count the lines that arrive."""
        if not self.frozen:
            self.shown.freeze()
            self.following = False
            self.repaint()

    def action_toggle_freeze(self) -> None:
        """Freeze the view, or follow again."""
        if self.frozen:
            self.follow()
        else:
            self.freeze()

    action_follow = follow

    def action_last(self) -> None:
        """Go to the end, and follow it unless the view is frozen."""
        if self.frozen:
            self._go_to_bottom()
            self.repaint()
        else:
            self.follow()

    # Moving

    def first_line(self) -> int:
        """The position of the oldest shown line."""
        return self.shown.first

    def line_count(self) -> int:
        """How many lines are shown."""
        return max(0, self.shown.end - self.shown.first)

    def scroll_rows(self, rows: int) -> None:
        """Move by rows. Moving up stops following, reaching the end resumes it."""
        top = wrapping.Place(self.top, self._top_row)
        self.top, self._top_row = wrapping.scroll(self._line_heights(), self.page, top, rows)
        bottom = wrapping.bottom(self._line_heights(), self.page)
        self.following = not self.frozen and (self.top, self._top_row) >= bottom
        self.repaint()

    @property
    def last_top(self) -> int:
        """The top line that puts the last line at the bottom."""
        return wrapping.bottom(self._line_heights(), self.page).position

    def go_to(self, top: int) -> None:
        """Make a position the first visible one."""
        self._top_row = 0
        self.following = not self.frozen and top >= self.last_top
        super().go_to(top)

    def number_at_top(self) -> int:
        """The number of the line at the top; 0 if there is none."""
        return self.shown.number(self.top) if self.top < self.shown.end else 0

    def keep_at_top(self, number: int) -> None:
        """Put a line, or the next one that is shown, at the top, unless the view follows the end."""
        if not self.following:
            self.top, self._top_row = self.shown.position(number), 0

    def _go_to_bottom(self) -> None:
        self.top, self._top_row = wrapping.bottom(self._line_heights(), self.page)

    # Painting

    def repaint_lines(self) -> None:
        """Paint every line anew: how lines look has changed."""
        self.forget_strips()
        self.repaint()

    def forget_strips(self) -> None:
        """Forget the painted lines."""
        self.painter.forget()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible lines."""
        self._take_time()
        if self.following:
            self._go_to_bottom()
        elif not self.frozen:
            self.top = max(self.top, self.first_line())
        if not self.line_count() and not self.frozen:
            return [make_strip([(safe(self._empty_text(), width), self.style_of("log--empty"))])]
        rows: list[Strip] = []
        self.row_positions = []
        position, end, skip = self.top, self.shown.end, self._top_row
        while position < end and len(rows) < height:
            rows += self._rows(position)[skip:]
            self.row_positions += [position] * (len(rows) - len(self.row_positions))
            position, skip = position + 1, 0
        return [row.crop(self.left, self.left + width) if self.left else row for row in rows[:height]]

    def _take_time(self) -> None:
        """Note what time it is. On another day, times of today need a date."""
        if self.prefix.take_time(self._clock()):
            self.forget_strips()

    def _rows(self, position: int) -> list[Strip]:
        return self.painter.rows(position, self.line_width if self.wrap else None)

    def _line_heights(self) -> wrapping.LineHeights:
        return wrapping.LineHeights(self.shown.first, self.shown.end, lambda position: len(self._rows(position)))

    def _empty_text(self) -> str:
        kept = self.store.end - self.store.first
        if self.shown.filter is None or not kept:
            return self.empty
        return f"None of {kept} lines matches the filter." if kept > 1 else "The only line does not match the filter."

    @property
    def alert(self) -> bool:
        """Whether the view is frozen, or has a notice."""
        return self.frozen or bool(self.notice)

    def status_parts(self) -> list[str]:
        """What the status line says, the most important first."""
        return [
            self.state_label(),
            self.notice,
            self.search_label,
            self.shown.filter.label if self.shown.filter is not None else "",
            self.count_label(),
            f"{self.store.first} older dropped" if self.store.first else "",
            "wrap" if self.wrap else f"column {self.left}" if self.left else "",
        ]

    def state_label(self) -> str:
        """Whether the view moves, for the status line."""
        if self.frozen:
            return f"‖ FROZEN +{self.shown.new_lines} new"
        return "▼ following" if self.following else "■ paused"

    def count_label(self) -> str:
        """How many lines there are, for the status line."""
        kept = self.store.end - self.store.first
        total = "1 line" if kept == 1 else f"{kept} lines"
        return total if self.shown.filter is None else f"{self.line_count()} of {total}"
