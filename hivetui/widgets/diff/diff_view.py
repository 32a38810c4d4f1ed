"""A diff as it streams in: painted from the first chunk on, complete only when the stream ended as it should.

    view.start(review.files)
    async for chunk in difference: view.feed(chunk)
    view.finish()                  # or finish("why it ended early"): then `complete` stays False
    view.complete                  # with the message DifferenceLoaded; approving depends on it
    view.next_hunk(); view.next_file(); view.go_to_file(path); view.search(text)

Unified, or side by side if the view is wide. Only visible lines are made safe. They are painted plain at first; their
tokens are found in a thread, also in the middle of a huge file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.message import Message
from textual.strip import Strip

from hivetui.console.keymap import current_key
from hivetui.engine.model.patterns import Pattern
from hivetui.engine.model.text import cells, safe
from hivetui.widgets.diff.diff_window import by_place
from hivetui.widgets.diff.notes import NotedDiff
from hivetui.widgets.diff.reading import Reading
from hivetui.widgets.lines.slices import SlicedWork
from hivetui.widgets.paths import shorten_path

if TYPE_CHECKING:
    from hivetui.engine.model.findings import Finding
    from hivetui.engine.model.proposals import FileChange

_LEAST_PATH_CELLS, _MOST_PATH_CELLS = 12, 48  # of the path in the status line
_PART_GAP = 2  # cells after each part of it


class DiffView(NotedDiff):
    """A window onto a diff that tells where it is, and is searched."""

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

    class ReadingChanged(Message):
        """The last line that is cut and was not read has been read, or the first one has come.

        Or measuring the lines has begun or ended; which of them are cut is not known meanwhile.
        """

        def __init__(self, view: DiffView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> DiffView:
            """The view."""
            return self.view

    def _begin(self, files: Sequence[FileChange]) -> None:
        super()._begin(files)
        self._reached: int | None = None  # the number of the file of which FileReached told last
        self._measuring = SlicedWork(self, "measuring")
        self._told_reading = (True, True)  # at the last ReadingChanged: whether all was measured, and all read

    def finish(self, problem: str | None = None) -> None:
        """Take the end of the stream; `problem` says why it ended early, if it did."""
        self.problem = self.index.finish() or problem if problem is None else problem
        self.complete = self.problem is None
        self._grown()
        self.post_message(self.DifferenceLoaded(self, self.problem))

    # Findings

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Mark the lines at which something was found."""
        self._findings = findings
        self._painter.findings = by_place(findings)
        self._painter.forget()
        self.forget_strips()
        self.repaint()

    def findings_at(self, line: int) -> list[Finding]:
        """What was found at a line of the diff."""
        index = self.index.file_at(line)
        if index is None:
            return []
        part, numbers = self.index.files[index], self.index.numbers(line)
        places = (("new", part.path, numbers.new), ("old", part.old_path, numbers.old))
        return [one for one in self._findings if (one.side, one.file, one.line) in places and one.line is not None]

    # What of it was read

    @property
    def reading(self) -> Reading:
        """What was read and, if the diff is complete, what is cut at this size, as far as it has been measured."""
        self._use_frame()
        if self.complete and (steps := self._painter.measure()) is not None:
            self._measuring.run(self._measure(steps))
            if self._measuring.is_running:
                self._tell_reading()
        return self._reading

    def _measure(self, steps: Iterator[bool]) -> Iterator[bool]:
        """The same steps; if measuring was told to be under way, its end is told too."""
        for is_last in steps:
            if is_last and not self._told_reading[0]:
                self._tell_reading()
                self.changed()
            yield is_last

    @property
    def is_measured(self) -> bool:
        """Whether it is known of all lines of a complete diff whether they are cut."""
        return not self.complete or self.reading.is_measured

    @property
    def unread_count(self) -> int:
        """How many lines of a complete diff are cut and were never visible as a whole, as far as they are measured."""
        return self.reading.unread_count if self.complete else 0

    def _tell_reading(self) -> None:
        """Post ReadingChanged if it has."""
        now = (self.is_measured, self.unread_count == 0)
        if now != self._told_reading:
            self._told_reading = now
            self.post_message(self.ReadingChanged(self))

    def mark_read(self, line: int) -> None:
        """The whole text of a line was visible elsewhere."""
        self._reading.mark_read(line)
        self.repaint()

    def whole_text(self, line: int) -> str:
        """All of a line, not yet safe to show."""
        return self._text.whole(line)

    def describe_place(self, line: int) -> str:
        """Where a line stands, such as "agent.nix:12 (removed)"; not yet safe to show."""
        return self._text.describe_place(line)

    # Moving

    def next_hunk(self) -> None:
        """Go to the next hunk."""
        self.go_to_line(self.index.next_hunk(self.current_line))

    def previous_hunk(self) -> None:
        """Go to the previous hunk."""
        self.go_to_line(self.index.previous_hunk(self.current_line))

    def next_file(self) -> None:
        """Go to the next file."""
        self.go_to_line(next((file.line for file in self.index.files if file.line > self.line), None))

    def previous_file(self) -> None:
        """Go to the start of this file, or to the previous file."""
        self.go_to_line(next((file.line for file in reversed(self.index.files) if file.line < self.line), None))

    def go_to_file(self, path: str) -> bool:
        """Go to a file by its old or new path; False if it is not in what has been loaded."""
        line = self.index.find_file(path)
        self.go_to_line(line)
        return line is not None

    def go_to_place(self, path: str, number: int, is_old: bool) -> bool:
        """Go to a line of a file, else to the file; False if the line is not in what has been loaded."""
        line = self.index.find_line(path, number, is_old)
        if line is None:
            self.go_to_file(path)
            return False
        self.go_to_line(line)
        return True

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
        self._use_frame()
        columns = self._painter.match_columns(number)
        if columns is not None and self.wrap:
            self.show_wrapped(number, columns[0])
        elif columns is not None:
            self.show_columns(*columns)

    # The status line

    def build_rows(self) -> list[Strip]:
        """Post ReadingChanged if what is visible has been the last to read."""
        rows = super().build_rows()
        self._tell_reading()
        return rows

    def _describe_unread(self) -> str:
        """How many lines are cut and were not read, and the key that opens them."""
        if not self.is_measured:
            return "finding cut lines …"
        return f"{count} cut, {current_key('review.next_cut')}: read" if (count := self.unread_count) else ""

    def _describe_finding(self) -> str:
        """What was found at the line at the top."""
        found = self.findings_at(self.line) if self.line_count() else []
        return f"{found[0].severity.value}: {found[0].why}" if found else ""

    @property
    def alert(self) -> bool:
        """Whether the diff is incomplete for a reason, or there is a notice."""
        return bool(self.problem or self.notice)

    def status_parts(self) -> list[str]:
        """Whether the diff is complete, which file is at the top, and what is searched for."""
        number = self.index.file_at(self.line) if self.line_count() else None
        count = len(self.index.files)
        place = [] if number is None else [f"file {number + 1}/{count}"]
        place += ["complete"] if self.complete else [] if self.problem else ["loading"]
        problem = f"‖ incomplete: {self.problem}" if self.problem else ""
        before = [problem, self.notice, self.search_label, self._describe_unread()]
        after = [
            f"{self.index.count} lines",
            "wrap" if self.wrap else f"column {self.left}" if self.left else "",
        ]
        if number is not None:
            others = [*before, ", ".join(place), *after]
            place.insert(0, self._shorten_to_rest(self.index.files[number].path, others))
        return [*before, ", ".join(place), *after, self._describe_finding()]

    def _shorten_to_rest(self, path: str, others: Sequence[str]) -> str:
        """A path in the cells that the other parts of the status line leave, so that they are in view."""
        taken = sum(cells(safe(part)) + _PART_GAP for part in others if part)
        return shorten_path(path, max(_LEAST_PATH_CELLS, min(_MOST_PATH_CELLS, self.area.width - taken)))
