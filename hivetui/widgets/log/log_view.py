"""A log, followed or frozen, searched and filtered, however fast it comes.

    view = LogView(empty="iris has written nothing since it started")
    view.feed_bytes(chunk) / view.feed_lines(lines)     # as they come; a hidden view only keeps them
    view.freeze() / view.follow()                       # new lines are counted, the view does not move
    view.search("oom") ; view.action_next_match()       # raises pattern.BadPattern with words
    view.filter("GET /", inverse=True) ; view.filter("")

Positions count lines that the filter leaves, numbers count lines of the store; both stay what they are when old lines
are dropped. Searching and filtering go over the lines in slices and never hold the loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from hivetui.engine.model.text import cells, safe
from hivetui.widgets.lines.line_view import StatusLineView, strip_of
from hivetui.widgets.lines.slices import run_sliced
from hivetui.widgets.log.line_filter import LineFilter, Test, passing
from hivetui.widgets.log.line_text import (
    LEVEL_GLYPHS,
    Piece,
    cut_count,
    highlighted,
    level_of,
    shown_pieces,
    shown_text,
)
from hivetui.widgets.log.store import Line, LogStore, Source
from hivetui.widgets.pattern import compile_pattern

if TYPE_CHECKING:
    from hivetui.engine.model.logs import LogLine

_KEPT_STRIPS = 1024
_STEPS_AT_ONCE = 8  # of the filter, before it goes on in slices


class LogView(StatusLineView):
    """A window onto a `LogStore`, with a line below that says what the view is doing."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"log--{part}" for part in ("time", "source", "cut", "match", "here", "selected", "empty")),
        *(f"log--{level}" for level in ("error", "warning", "info")),
        *(f"log--{hue}" for hue in ("red", "green", "yellow", "blue", "magenta", "cyan")),
    }
    DEFAULT_CSS = """
    LogView {
        & > .log--time { color: $text-muted; }
        & > .log--source { color: $text-secondary; }
        & > .log--cut { color: $text-muted; text-style: italic; }
        & > .log--match { background: $warning-muted; text-style: underline; }
        & > .log--here { text-style: bold; background: $primary-muted; }
        & > .log--selected { background: $primary-muted; }
        & > .log--empty { color: $text-muted; }
        & > .log--error { color: $text-error; }
        & > .log--warning { color: $text-warning; }
        & > .log--info { color: $foreground; }
        & > .log--red { color: $text-error; }
        & > .log--green { color: $text-success; }
        & > .log--yellow { color: $text-warning; }
        & > .log--blue { color: $text-primary; }
        & > .log--magenta { color: $text-secondary; }
        & > .log--cyan { color: $text-accent; }
    }
    """

    class StateChanged(Message):
        """Following, freezing, search or filter changed."""

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    class CopyRequested(Message):
        """The operator wants this text in the clipboard: shown text, safe, lines ended by newlines."""

        def __init__(self, view: LogView, text: str) -> None:
            super().__init__()
            self.view, self.text = view, text

    def __init__(
        self,
        *,
        limit: int | None = 1_000_000,
        empty: str = "",
        timezone: tzinfo = UTC,
        id: str | None = None,  # noqa: A002 - Textual's word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.store = LogStore(limit)
        self.empty = empty
        self.timezone = timezone
        self.following = True
        self.frozen = False
        self.wrap = False
        self.show_times = True
        self.show_sources = True
        self.notice = ""
        self.hues: dict[str, str] = {}  # agent to "green", "blue" …: the colour of its name in the column of sources
        self._sub = 0  # the top row within a wrapped line
        self._frozen_end = 0
        self._strips: dict[int, list[Strip]] = {}
        self._revision = 0
        self._pattern: re.Pattern[str] | None = None
        self._match: int | None = None
        self._filter: LineFilter | None = None
        self._hides: Callable[[Source], bool] | None = None
        self._selection: tuple[int, int] | None = None

    # Feeding

    def feed_bytes(self, chunk: bytes) -> None:
        """Take output as it was read, cut anywhere."""
        if self.store.feed_bytes(chunk):
            self.grown()

    def feed_lines(self, lines: Sequence[LogLine]) -> None:
        """Take lines of the engine; those of several agents are merged by time."""
        if self.store.feed_lines(lines):
            self.grown()

    def finish(self) -> None:
        """Nothing more will come: a last line without a newline is a line."""
        if self.store.finish():
            self.grown()

    def clear(self) -> None:
        """Forget every line."""
        self.store = LogStore(self.store.limit)
        self.top, self._sub, self._match, self._selection, self.notice = 0, 0, None, None, ""
        self.frozen, self.following = False, True
        self._strips.clear()
        pattern = None if self._filter is None else self._filter.pattern
        self._filter_by(pattern, self._filter is not None and self._filter.inverse, self._hides)

    def grown(self) -> None:
        """Lines were put into the store: show them, when it is time."""
        if self.store.revision != self._revision:
            self._revision = self.store.revision
            self._reordered()
        self.changed()
        self._test_new()

    def _reordered(self) -> None:
        """The newest lines changed places: what is known of them is not so any more."""
        stable = self.store.stable_end
        self._strips = {number: rows for number, rows in self._strips.items() if number < stable}
        if self._filter is not None:
            self._filter.forget_from(stable)

    # Positions and numbers

    def first_line(self) -> int:
        """The position of the oldest line that is shown."""
        return self.store.first if self._filter is None else self._filter.first

    def line_count(self) -> int:
        """How many lines the filter leaves."""
        return max(0, self._end() - self.first_line())

    def _end(self) -> int:
        """One past the last position."""
        return self._position(self._frozen_end if self.frozen else self.store.end)

    def _number(self, position: int) -> int:
        return position if self._filter is None else self._filter.number(position)

    def _position(self, number: int) -> int:
        """The position of a line, or of the next one that the filter leaves."""
        return number if self._filter is None else self._filter.position(number)

    @property
    def new_lines(self) -> int:
        """How many lines came since the view was frozen."""
        return self.store.end - self._frozen_end if self.frozen else 0

    # Following and freezing

    def follow(self) -> None:
        """Stay at the end from now on."""
        self.following, self.frozen, self._sub = True, False, 0
        self._tell()

    def freeze(self) -> None:
        """Move no more, and count what comes."""
        if not self.frozen:
            self._frozen_end = self.store.end
            self.frozen, self.following = True, False
            self._tell()

    def action_toggle_freeze(self) -> None:
        """Freeze, or go on."""
        if self.frozen:
            self.follow()
        else:
            self.freeze()

    def action_follow(self) -> None:
        """To the end, and stay there."""
        self.follow()

    def action_last(self) -> None:
        """To the end; what is not frozen follows from there."""
        if self.frozen:
            self._to_bottom()
            self.repaint()
        else:
            self.follow()

    def _tell(self) -> None:
        self.repaint()
        self.post_message(self.StateChanged(self))

    # Moving

    def scroll_rows(self, rows: int) -> None:
        """Move by rows; up stops following, the end resumes it."""
        if self._selection is not None:
            self._extend_selection(rows)
        elif self.wrap:
            self._scroll_wrapped(rows)
        else:
            self.go_to(self.top + rows)

    def go_to(self, top: int) -> None:
        """Make a position the first visible one."""
        self._sub = 0
        self.following = not self.frozen and top >= self.last_top
        super().go_to(top)

    def _scroll_wrapped(self, rows: int) -> None:
        top, sub = self.top, self._sub + rows
        while sub < 0 and top > self.first_line():
            top -= 1
            sub += len(self._rows(top))
        while top < self._end() - 1 and sub >= len(self._rows(top)):
            sub -= len(self._rows(top))
            top += 1
        bottom = self._bottom_wrapped()
        self.top, self._sub = max((self.first_line(), 0), min((top, sub), bottom))
        self.following = not self.frozen and (self.top, self._sub) >= bottom
        self.repaint()

    def _bottom_wrapped(self) -> tuple[int, int]:
        """Line and row within it at the top when the last row is at the bottom."""
        room, position = self.page, self._end()
        while position > self.first_line() and room > 0:
            position -= 1
            room -= len(self._rows(position))
        return position, max(0, -room)

    def _to_bottom(self) -> None:
        self.top, self._sub = self._bottom_wrapped() if self.wrap else (self.last_top, 0)

    def action_toggle_wrap(self) -> None:
        """Break long lines, or cut them at the edge."""
        self.wrap = not self.wrap
        self.left = self._sub = 0
        self.forget_strips()
        self._tell()

    def action_toggle_times(self) -> None:
        """Show or hide when each line was written."""
        self.show_times = not self.show_times
        self.forget_strips()
        self._tell()

    def action_toggle_sources(self) -> None:
        """Show or hide who wrote each line."""
        self.show_sources = not self.show_sources
        self.forget_strips()
        self._tell()

    def resized(self) -> None:
        """What a search went to stays in sight, also when what is above the log grows."""
        if self._match is not None and not self.following and not self.frozen:
            position = self._position(self._match)
            if not self.top <= position < self.top + self.page:
                super().go_to(position - self.page // 3)

    # Painting

    def forget_strips(self) -> None:
        """Forget the strips of lines, except of those that a frozen view shows and the store has dropped."""
        kept = self.store.first if self.frozen else 0
        self._strips = {number: rows for number, rows in self._strips.items() if number < kept}

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible lines."""
        if self.following:
            self._to_bottom()
        elif not self.frozen:
            self.top = max(self.top, self.first_line())
        if not self.line_count() and not self.frozen:
            return self._empty_window(width)
        rows: list[Strip] = []
        position, end, skip = self.top, self._end(), self._sub
        while position < end and len(rows) < height:
            rows += self._rows(position)[skip:]
            position, skip = position + 1, 0
        return [row.crop(self.left, self.left + width) if self.left else row for row in rows[:height]]

    def _empty_window(self, width: int) -> list[Strip]:
        text = self.empty
        if self._filter is not None and self.store.end > self.store.first:
            text = f"No line of {self.store.end - self.store.first} passes the filter."
        return [strip_of([(safe(text, width), self.style_of("log--empty"))])]

    def _rows(self, position: int) -> list[Strip]:
        """The rows of the line at a position, from the strips that are kept or made now."""
        number = self._number(position)
        rows = self._strips.get(number)
        if rows is None:
            if len(self._strips) >= _KEPT_STRIPS:
                self.forget_strips()
            strip = self._strip(number)
            rows = self._strips[number] = _wrapped(strip, self.line_width) if self.wrap else [strip]
        return rows

    def _strip(self, number: int) -> Strip:
        try:
            line = self.store.line(number)
        except IndexError:
            return strip_of([("(dropped)", self.style_of("log--cut"))])
        return strip_of([*self._prefix(line), *self._body(number, line), *self._tail(line)])

    def _prefix(self, line: Line) -> Iterator[tuple[str, Style]]:
        if self.show_times and line.time is not None:
            moment = datetime.fromtimestamp(line.time, self.timezone)
            yield f"{moment:%H:%M:%S} ", self.style_of("log--time")
        if self.show_sources and line.source is not None:
            yield (
                self.source_label(line.source) + " ",
                self.style_of(f"log--{self.hues.get(line.source.agent, 'source')}"),
            )

    def source_label(self, source: Source) -> str:
        """What tells a line's source in the column for it."""
        shown = safe(source.agent, 9)
        return shown + " " * (9 - cells(shown)) + (" !" if source.stream == "stderr" else " │")

    def _body(self, number: int, line: Line) -> Iterator[tuple[str, Style]]:
        pieces = shown_pieces(line.raw)
        text = "".join(piece.text for piece in pieces)
        level = self.level(line, text)
        base = self.style_of(f"log--{level}") if level else self.plain
        if number == self._match:
            base += self.style_of("log--here")
        if self._is_selected(number):
            base += self.style_of("log--selected")
        yield LEVEL_GLYPHS[level] + " ", base
        for piece, found in highlighted(pieces, self._spans(text)):
            yield piece.text, self._piece_style(piece, found, base)

    def level(self, line: Line, text: str) -> str:
        """How bad a line is: a key of `LEVEL_GLYPHS`."""
        return level_of(text)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        if self._pattern is None:
            return []
        return [match.span() for match in self._pattern.finditer(text) if match.end() > match.start()]

    def _piece_style(self, piece: Piece, found: bool, base: Style) -> Style:
        style = base
        if piece.hue:
            style += Style(color=self.style_of(f"log--{piece.hue}").color)
        if piece.bold:
            style += Style(bold=True)
        return style + self.style_of("log--match") if found else style

    def _tail(self, line: Line) -> Iterator[tuple[str, Style]]:
        count = cut_count(line.raw, line.cut)
        if count:
            yield f"… (+{count} bytes)", self.style_of("log--cut")

    @property
    def alert(self) -> bool:
        """Frozen, or something to tell."""
        return self.frozen or bool(self.notice)

    def status_parts(self) -> list[str]:
        """What the line below the log says, the most important first."""
        state = f"‖ FROZEN +{self.new_lines} new" if self.frozen else "▼ following" if self.following else "■ paused"
        kept = self.store.end - self.store.first
        return [
            state,
            self.notice,
            self._filter_words(),
            f"search /{self._pattern.pattern}/" if self._pattern else "",
            f"{self.line_count()} of {kept} lines" if self._filter is not None else f"{kept} lines",
            f"{self.store.first} older dropped" if self.store.first else "",
            "wrap" if self.wrap else f"column {self.left}" if self.left else "",
        ]

    def _filter_words(self) -> str:
        if self._filter is None or self._filter.pattern is None:
            return ""
        return f"filter {'not ' if self._filter.inverse else ''}/{self._filter.pattern.pattern}/"

    # Searching

    def search(self, text: str) -> None:
        """Mark what matches and go to the next match; "" ends it. Raises BadPattern."""
        self._pattern = compile_pattern(text) if text else None
        self._match, self.notice = None, ""
        self.forget_strips()
        self._tell()
        if self._pattern is not None:
            self.find(self._pattern.search, self._number_at_top())

    def action_next_match(self) -> None:
        """To the next match."""
        if self._pattern is not None:
            self.find(self._pattern.search, self._number_at_top() if self._match is None else self._match + 1)

    def action_previous_match(self) -> None:
        """To the match before."""
        if self._pattern is not None:
            self.find(self._pattern.search, self._number_at_top() if self._match is None else self._match, back=True)

    def action_next_error(self) -> None:
        """To the next line that tells of an error."""
        self.find(lambda text: level_of(text) == "error", 0 if self._match is None else self._match + 1)

    @property
    def searching(self) -> bool:
        """Whether there is something to search for."""
        return self._pattern is not None

    @property
    def current_match(self) -> int | None:
        """The number of the line that a search went to."""
        return self._match

    def find(self, test: Test, start: int, *, back: bool = False) -> None:
        """Go to the first line from number `start` on (or back from it) that passes; then around the end."""
        self.run_worker(run_sliced(self._look(test, start, back)), group="search", exclusive=True)

    def _look(self, test: Test, start: int, back: bool) -> Iterator[None]:
        end = self._frozen_end if self.frozen else self.store.end
        ranges = ((0, start), (start, end)) if back else ((start, end), (0, start))
        for around, (low, high) in enumerate(ranges):
            for number in passing(self.store, test, low, high, back=back, shown=self._filter):
                if number is not None:
                    self.notice = "search went around" if around else ""
                    return self.go_to_number(number)
                yield
        self.notice = "nothing found"
        return self.repaint()

    def go_to_number(self, number: int) -> None:
        """Bring a line of the store into view and mark it."""
        self._match = number
        self.forget_strips()
        position = self._position(number)
        if not self.top <= position < self.top + self.page:
            super().go_to(position - self.page // 3)
            self._sub = 0
        self.following = False
        if not self.wrap:
            self._show_match(number)
        self._tell()

    def _show_match(self, number: int) -> None:
        """Scroll sideways to what was searched for in a line, where that is outside."""
        line = self.store.line(number)
        text = shown_text(line.raw)
        found = self._pattern.search(text) if self._pattern is not None else None
        if found is not None:
            before = "".join(words for words, _ in self._prefix(line)) + LEVEL_GLYPHS[""] + " "
            start = cells(before + text[: found.start()])
            self.show_columns(start, start + cells(found[0]), self.line_width)

    def _number_at_top(self) -> int:
        return self._number(self.top) if self.top < self._end() else 0

    # Filtering

    def filter(self, text: str, inverse: bool = False) -> None:
        """Show only lines that match (or, inverse, that do not); "" shows all. Raises BadPattern."""
        self._filter_by(compile_pattern(text) if text else None, inverse, self._hides)

    def hide_sources(self, hides: Callable[[Source], bool] | None) -> None:
        """Leave out the lines of sources of which `hides` is true; None shows all."""
        pattern = None if self._filter is None else self._filter.pattern
        self._filter_by(pattern, self._filter is not None and self._filter.inverse, hides)

    def _filter_by(
        self, pattern: re.Pattern[str] | None, inverse: bool, hides: Callable[[Source], bool] | None
    ) -> None:
        number = self._number_at_top()
        self._hides = hides
        self._filter = LineFilter(self.store, pattern, inverse, hides) if pattern or hides else None
        self._sub = 0
        self.forget_strips()
        self.workers.cancel_group(self, "filter")
        self.top = self._position(number)
        self._test_new(number)
        self._tell()

    def _test_new(self, anchor: int | None = None) -> None:
        """Have the filter test the lines that came: some at once, more in slices. Line `anchor` stays at the top."""
        if self._filter is None or self._is_testing():
            return
        if not self.frozen:
            self._filter.trim()
        steps = self._testing(self._filter, anchor)
        if not any(next(steps, True) for _ in range(_STEPS_AT_ONCE)):
            self.run_worker(run_sliced(steps), group="filter", exclusive=True)

    def _is_testing(self) -> bool:
        return any(worker.node is self and worker.group == "filter" and worker.is_running for worker in self.workers)

    def _testing(self, shown: LineFilter, anchor: int | None) -> Iterator[bool]:
        """Step by step; True at the end."""
        more = True
        while more:
            more = shown.step()
            if anchor is not None and not self.following:
                self.top = self._position(anchor)
            self.changed()
            yield not more

    # Selecting, copying, saving

    def action_select(self) -> None:
        """Begin to select lines, from the one a search went to or the top one; again, to stop."""
        if self._selection is None and self.line_count():
            position = self.top if self._match is None else self._position(self._match)
            self.following = False
            self._selection = (position, position)
        else:
            self._selection = None
        self.forget_strips()
        self._tell()

    @property
    def selecting(self) -> bool:
        """Whether moving extends a selection."""
        return self._selection is not None

    def _extend_selection(self, rows: int) -> None:
        assert self._selection is not None
        start, end = self._selection
        end = max(self.first_line(), min(end + rows, self._end() - 1))
        self._selection = (start, end)
        self.forget_strips()
        if end < self.top or end >= self.top + self.page:
            super().go_to(end if end < self.top else end - self.page + 1)
        self.repaint()

    def _is_selected(self, number: int) -> bool:
        if self._selection is None:
            return False
        low, high = sorted(self._selection)
        return low <= self._position(number) <= high

    def selected_text(self) -> str:
        """The shown text of the selected lines, or else of the visible ones, a newline after each."""
        low, high = sorted(self._selection or (self.top, min(self._end(), self.top + self.page) - 1))
        numbers = (self._number(position) for position in range(max(low, self.first_line()), high + 1))
        return "".join(shown_text(self.store.line(number).raw) + "\n" for number in numbers)

    def action_copy(self) -> None:
        """Ask for the selected or visible lines in the clipboard."""
        self.post_message(self.CopyRequested(self, self.selected_text()))
        self._selection = None
        self.forget_strips()
        self.repaint()

    def saved(self) -> Iterator[bytes]:
        """All lines that the filter leaves, exact, in chunks, with time and source where they are known: for a file."""
        for position in range(self.first_line(), self._end()):
            number = self._number(position)
            if number < self.store.first:
                continue  # dropped while this was read in slices
            line = self.store.line(number)
            if line.time is None or line.source is None:
                yield line.raw + b"\n"
            else:
                moment = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds")
                yield f"{moment} {line.source.agent} {line.source.stream} ".encode() + line.raw + b"\n"

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press on a line begins a selection."""
        at = event.get_content_offset_capture(self)
        if at.x < self.line_width and at.y < self.page and self.top + at.y < self._end() and not self.wrap:
            self._selection = (self.top + at.y, self.top + at.y)
            self.following = False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Dragging extends the selection."""
        if self._selection is not None and self.app.mouse_captured is self:
            at = event.get_content_offset_capture(self)
            self._extend_selection(self.top + at.y - self._selection[1])

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The end of a drag; a click alone selects nothing."""
        if self.app.mouse_captured is self:
            self.release_mouse()
            if self._selection is not None and self._selection[0] == self._selection[1]:
                self._selection = None
                self.forget_strips()
                self.repaint()


def _wrapped(strip: Strip, width: int) -> list[Strip]:
    """A strip in rows of at most `width` cells; an empty one is one row."""
    length = strip.cell_length
    if length <= width:
        return [strip]
    return list(strip.divide([*range(width, length, width), length]))
