"""A diff as it streams in: painted from the first chunk on, complete only when the stream ended as it should.

    view.start(review.files)
    async for chunk in difference: view.feed(chunk)
    view.finish()                  # or finish("why it ended early"): then `complete` stays False
    view.complete                  # with the message DifferenceLoaded; approving depends on it
    view.next_hunk(); view.next_file(); view.go_to_file(path); view.search(text)

Unified, or side by side if the view is wide. Only visible lines are made safe and coloured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.message import Message
from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.painting import DiffPainter, scrolled
from hivetui.widgets.diff.rows import DiffRows
from hivetui.widgets.diff.sides import Sides
from hivetui.widgets.diff.text import DiffText
from hivetui.widgets.lines.search_view import SearchView
from hivetui.widgets.lines.slices import run_sliced
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.pattern import Pattern

if TYPE_CHECKING:
    from hivetui.engine.model.proposals import FileChange

WIDE = 140  # cells from which on a view is side by side by default
_STATUS_PATH_CELLS = 48


class DiffView(SearchView):
    """A window onto a `DiffIndex`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"diff--{part}" for part in ("file", "header", "hunk", "number", "cut", "empty", "match", "here", "strange")),
        *(f"diff--{part}" for part in ("added", "removed", "context", "added-word", "removed-word", "blank")),
        *(f"diff--{token}" for token in ("comment", "string", "keyword", "constant", "name", "path")),
    }
    DEFAULT_CSS = read_stylesheet(__file__)

    class DifferenceLoaded(Message):
        """The stream has ended; `problem` says why the diff is incomplete, if it is."""

        def __init__(self, view: DiffView, problem: str | None) -> None:
            super().__init__()
            self.view, self.problem = view, problem
            self.complete = problem is None

        @property
        def control(self) -> DiffView:
            """The view."""
            return self.view

    class FileReached(Message):
        """Another file is at the top now; `path` is its new path."""

        def __init__(self, view: DiffView, path: str) -> None:
            super().__init__()
            self.view, self.path = view, path

        @property
        def control(self) -> DiffView:
            """The view."""
            return self.view

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.side_by_side: bool | None = None  # None: if the view is wide enough
        self._begin(())

    # The stream

    def start(self, files: Sequence[FileChange] = ()) -> None:
        """Begin anew; `files` is what the review lists."""
        self._begin(files)
        self.recount_hits()
        self.resized()
        self.repaint()

    def _begin(self, files: Sequence[FileChange]) -> None:
        self.index = DiffIndex()
        self.complete, self.notice = False, ""
        self.searched.match = None
        self.problem: str | None = None  # why the diff is incomplete
        self.top = self.left = 0
        self._changes: dict[str, FileChange] = {file.path: file for file in files}
        self._rows = DiffRows(self.index)
        self._text = DiffText(self.index, self._changes)
        self._painter = DiffPainter(self.component_styles, self.index, self._text, self.searched)
        self._reached: int | None = None  # the number of the file of which FileReached told last

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of `git diff`, cut anywhere."""
        self.index.feed(chunk)
        self._grown()

    def finish(self, problem: str | None = None) -> None:
        """Take the end of the stream; `problem` says why it ended early, if it did."""
        self.problem = self.index.finish() or problem if problem is None else problem
        self.complete = self.problem is None
        self._grown()
        self.post_message(self.DifferenceLoaded(self, self.problem))

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths given to `start` that are not in the diff as far as it has been loaded."""
        loaded = {file.path for file in self.index.files} | {file.old_path for file in self.index.files}
        return tuple(path for path in self._changes if path not in loaded)

    def _grown(self) -> None:
        self._pair_lines()
        self.forget_strips()
        self.count_hits()
        self.changed()

    # Unified or side by side

    @property
    def sides(self) -> Sides | None:
        """The pairs of lines; None if the diff is unified."""
        return self._rows.sides

    def action_toggle_sides(self) -> None:
        """Show the diff unified, or side by side."""
        self.side_by_side = self.sides is None
        self.resized()
        self.repaint()

    def resized(self) -> None:
        """Pair lines or stop pairing them, as the width and the choice say; the top line stays."""
        line = self.line if self.top < self.line_count() else 0
        wanted = self.area.width >= WIDE if self.side_by_side is None else self.side_by_side
        if wanted is (self.sides is not None):
            return
        self._rows.show_sides(wanted)
        self.forget_strips()
        self._pair_lines()
        self.top = self._rows.row_of(line)

    def _pair_lines(self) -> None:
        """Pair the visible lines at once, the others in slices."""
        if not self._rows.pair_visible(self.top):
            self.run_worker(run_sliced(self._rows.pair_others(self.changed)), group="pairing", exclusive=True)

    # Moving

    @property
    def line(self) -> int:
        """The line at the top."""
        return self._rows.line_of(self.top) if self.line_count() else 0

    @property
    def current_path(self) -> str | None:
        """The path of the file at the top."""
        index = self.index.file_at(self.line)
        return None if index is None else self.index.files[index].path

    def go_to_line(self, line: int | None) -> None:
        """Put a line at the top, if there is one."""
        if line is not None:
            self.go_to(self._rows.row_of(line))

    def next_hunk(self) -> None:
        """Go to the next hunk."""
        self.go_to_line(self.index.next_hunk(self.line))

    def previous_hunk(self) -> None:
        """Go to the previous hunk."""
        self.go_to_line(self.index.previous_hunk(self.line))

    def next_file(self) -> None:
        """Go to the next file."""
        self.go_to_line(next((file.line for file in self.index.files if file.line > self.line), None))

    def previous_file(self) -> None:
        """Go to the start of this file, or to the previous file."""
        self.go_to_line(next((file.line for file in reversed(self.index.files) if file.line < self.line), None))

    def go_to_file(self, path: str) -> bool:
        """Go to a file by its old or new path; False if it is not in what has been loaded."""
        line = next((file.line for file in self.index.files if path in (file.path, file.old_path)), None)
        self.go_to_line(line)
        return line is not None

    action_next_hunk, action_previous_hunk = next_hunk, previous_hunk
    action_next_file, action_previous_file = next_file, previous_file

    def moved(self) -> None:
        """Post FileReached if another file is at the top."""
        index = self.index.file_at(self.line)
        if index is not None and index != self._reached:
            self._reached = index
            self.post_message(self.FileReached(self, self.index.files[index].path))

    # Searching

    def searched_lines(self) -> range:
        """All lines that have been loaded."""
        return range(self.index.count)

    def matching_lines(self, pattern: Pattern, low: int, high: int, back: bool) -> Iterator[int | None]:
        """The lines that match a pattern."""
        return self._text.matching(pattern, low, high, back)

    def number_at_top(self) -> int:
        """The line at the top."""
        return self.line

    def show_match(self, number: int) -> None:
        """Bring a line into view, and its first match."""
        self.show_line(self._rows.row_of(number))
        columns = self._painter.match_columns(number, self.line_width, self.sides is not None)
        if columns is not None:
            self.show_columns(*columns)

    # Painting

    def line_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def forget_strips(self) -> None:
        """Forget the painted lines."""
        self._painter.forget()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        if not self.line_count():
            text = "No differences." if self.complete else self.problem or "Loading diff …"
            return [make_strip([(safe(text, width), self.style_of("diff--empty"))])]
        self._painter.trim()
        rows = range(self.top, min(self.top + height, self.line_count()))
        if self.sides is None:
            return [scrolled(self._painter.unified(row, width), self.left, width) for row in rows]
        pairs = ((self.sides.left[row], self.sides.right[row]) for row in rows)
        return [self._painter.pair(old, new, self.left, width) for old, new in pairs]

    @property
    def alert(self) -> bool:
        """Whether the diff is incomplete for a reason, or there is a notice."""
        return bool(self.problem or self.notice)

    def status_parts(self) -> list[str]:
        """Whether the diff is complete, which file is at the top, and what is searched for."""
        number = self.index.file_at(self.line) if self.line_count() else None
        files = self.index.files
        parts = ["complete"] if self.complete else [] if self.problem else ["loading"]
        if number is not None:  # the path is cut, so that what stands after it is in view
            parts = [safe(files[number].path, _STATUS_PATH_CELLS), f"file {number + 1}/{len(files)}", *parts]
        return [
            f"‖ incomplete: {self.problem}" if self.problem else "",
            self.notice,
            ", ".join(parts),
            f"{self.index.count} lines",
            self.search_label,
            f"column {self.left}" if self.left else "",
        ]
