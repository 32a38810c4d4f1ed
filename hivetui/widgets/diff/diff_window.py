"""The window onto a diff: its stream, its layout (unified, side by side, wrapped), and where it is.

The file at the top is the current file, everywhere. So that each file and each hunk can be put there, also the last
ones, a jump may leave rows empty below the end of the diff; moving by rows and pages stops at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model.text import safe
from hivetui.widgets.diff.coloring_work import ColoringWork
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.painting import MIN_DIGITS, DiffPainter, FindingPlace, Frame
from hivetui.widgets.diff.reading import Reading
from hivetui.widgets.diff.rows import DiffRows
from hivetui.widgets.diff.sides import Sides
from hivetui.widgets.diff.text import DiffText
from hivetui.widgets.lines.search_view import SearchView
from hivetui.widgets.lines.slices import run_sliced
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.log import wrapping

if TYPE_CHECKING:
    from hivetui.engine.model.findings import Finding, Severity
    from hivetui.engine.model.proposals import FileChange
    from hivetui.widgets.diff.note_places import ShownNote

WIDE = 140  # cells from which on a view is side by side by default


class DiffWindow(SearchView):
    """A window of rows onto a `DiffIndex`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"diff--{part}" for part in ("file", "header", "hunk", "number", "cut", "empty", "match", "here", "strange")),
        *(f"diff--{part}" for part in ("note", "touched", "untouched", "chosen")),
        *(f"diff--{part}" for part in ("added", "removed", "context", "added-word", "removed-word", "blank")),
        *(f"diff--{severity}" for severity in ("forbid", "critical", "high", "medium", "info")),
        *(f"diff--{token}" for token in ("comment", "string", "keyword", "constant", "name", "path")),
    }
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.side_by_side: bool | None = None  # None: if the view is wide enough
        self.wrap = False
        self._findings: Sequence[Finding] = ()
        self._notes: tuple[ShownNote, ...] = ()
        self._coloring_work = ColoringWork(self)
        self._reading = Reading()
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
        self._top_row = 0  # the first visible row within the top line, if lines are wrapped
        self._changes: dict[str, FileChange] = {file.path: file for file in files}
        self._rows = DiffRows(self.index)
        self._text = DiffText(self.index, self._changes)
        self._reading.begin(self._text)
        self._painter = DiffPainter(self.component_styles, self.index, self._text, self.searched, self._reading)
        self._painter.findings = by_place(self._findings)
        self._placed: tuple[ShownNote, ...] = ()  # the notes in the rows that are inserted

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of `git diff`, cut anywhere."""
        self.index.feed(chunk)
        self._grown()

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths given to `start` that are not in the diff as far as it has been loaded."""
        loaded = {file.path for file in self.index.files} | {file.old_path for file in self.index.files}
        return tuple(path for path in self._changes if path not in loaded)

    def _grown(self) -> None:
        self._pair_lines()
        self.moved()
        self.forget_strips()
        self.count_hits()
        self.changed()

    # Unified or side by side, wrapped or cut

    @property
    def sides(self) -> Sides | None:
        """The pairs of lines; None if the diff is unified."""
        return self._rows.sides

    def action_toggle_sides(self) -> None:
        """Show the diff unified, or side by side."""
        self.side_by_side = self.sides is None
        self.resized()
        self.repaint()

    def action_toggle_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.wrap = not self.wrap
        self.left = self._top_row = 0
        self.repaint()

    def resized(self) -> None:
        """Pair lines or stop pairing them, as the width and the choice say; the top line stays."""
        self._top_row = 0
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

    # Where it is

    @property
    def line(self) -> int:
        """The line at the top."""
        return self._rows.line_of(self.top) if self.line_count() else 0

    @property
    def current_path(self) -> str | None:
        """The path of the file at the top, which is the current one."""
        index = self.index.file_at(self.line)
        return None if index is None else self.index.files[index].path

    def line_count(self) -> int:
        """How many rows there are, if none is wrapped."""
        return len(self._rows)

    def go_to(self, top: int) -> None:
        """Make `top` the first visible row."""
        top = max(0, min(top, self.line_count() - 1))
        if (top, 0) != (self.top, self._top_row):
            self.top, self._top_row = top, 0
            self.moved()
            self.repaint()

    def go_to_line(self, line: int | None) -> None:
        """Put a line at the top, if there is one."""
        if line is not None:
            self.go_to(self._rows.row_of(line))

    def scroll_rows(self, rows: int) -> None:
        """Move by rows, up to the end of the diff."""
        if not self.wrap:
            self.go_to(min(self.top + rows, max(self.top, self.last_top)))
            return
        before = wrapping.Place(self.top, self._top_row)
        place = wrapping.scroll(self._line_heights(), self.page, before, rows)
        if rows > 0:
            place = max(before, place)
        if place != before:
            self.top, self._top_row = place
            self.moved()
            self.repaint()

    def show_wrapped(self, line: int, column: int) -> None:
        """Bring a column of the text of a line into view, if lines are wrapped."""
        row = self._rows.row_of(line)
        before = sum(len(self.rows_of(above)) for above in range(self.top, row)) - self._top_row
        place = before + column // self._frame.text_width
        if place >= self.page:
            self.scroll_rows(place - self.page // 3)

    def action_last(self) -> None:
        """Go to the end."""
        if self.wrap:
            self.top, self._top_row = wrapping.bottom(self._line_heights(), self.page)
            self.moved()
            self.repaint()
        else:
            self.go_to(self.last_top)

    def _line_heights(self) -> wrapping.LineHeights:
        self._use_frame()
        return wrapping.LineHeights(0, self.line_count(), lambda row: len(self.rows_of(row)))

    def rows_of(self, row: int) -> list[Strip]:
        """What a row shows: a line or a pair of lines, or a note; one strip unless lines are wrapped."""
        place = self._rows.inserted_at(row)
        if place is None:
            return self._painter.rows(*self._rows.lines_of(row))
        note = self._placed[place]
        return self._painter.note(note.label, note.text, note.style)

    # Painting

    def forget_strips(self) -> None:
        """Forget the painted lines."""
        self._painter.forget()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        if not self.line_count():
            text = "No differences." if self.complete else self.problem or "Loading diff …"
            return [make_strip([(safe(text, width), self.style_of("diff--empty"))])]
        self._use_frame()
        self._text.coloring.start_window()
        rows = self._wrapped(height) if self.wrap else list(self._unwrapped(height))
        self._coloring_work.run(self._text.coloring)
        return rows

    def _use_frame(self) -> None:
        self._painter.use(self._frame)

    @property
    def _frame(self) -> Frame:
        digits = max(MIN_DIGITS, self.index.number_digits)
        return Frame(self.line_width, self.left, self.wrap, self.sides is not None, digits)

    def _unwrapped(self, height: int) -> Iterable[Strip]:
        for row in range(self.top, min(self.top + height, self.line_count())):
            yield self.rows_of(row)[0]
            self._note_visible(row, range(1))

    def _wrapped(self, height: int) -> list[Strip]:
        strips: list[Strip] = []
        row, skip = self.top, self._top_row
        while row < self.line_count() and len(strips) < height:
            visible = self.rows_of(row)[skip : skip + height - len(strips)]
            self._note_visible(row, range(skip, skip + len(visible)))
            strips += visible
            row, skip = row + 1, 0
        return strips

    def _note_visible(self, row: int, strips: range) -> None:
        if self._rows.inserted_at(row) is None:
            self._painter.note_rows(*self._rows.lines_of(row), strips)


def by_place(findings: Sequence[Finding]) -> dict[FindingPlace, Severity]:
    """The worst severity by side, file and line; findings are sorted by severity."""
    found: dict[FindingPlace, Severity] = {}
    for finding in findings:
        if finding.file is not None and finding.side is not None and finding.line is not None:
            found.setdefault((finding.side, finding.file, finding.line), finding.severity)
    return found
