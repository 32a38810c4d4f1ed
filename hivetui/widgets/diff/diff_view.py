"""A difference as it streams in: painted from its first chunk on, whole only when it says so.

    view.start(review.files)
    async for chunk in difference: view.feed(chunk)
    view.finish()                  # or finish("why it broke off"): then `complete` stays False
    view.complete                  # with the message DifferenceLoaded; approving depends on it
    view.next_hunk(), previous_hunk(), next_file(), previous_file(), go_to_file(path), search(text)

Unified, or side by side where the view is wide. Only visible lines are taken apart, made safe and coloured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.message import Message
from textual.strip import Strip

from hivetui.engine.model.text import cells, mixed_script, safe
from hivetui.widgets.diff.changed_words import LONGEST, changed_words
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.line_text import NO_NEWLINE, header_words, shown_line
from hivetui.widgets.diff.nix_tokens import tokens
from hivetui.widgets.diff.sides import NONE, Sides
from hivetui.widgets.lines.line_view import StatusLineView, strip_of
from hivetui.widgets.lines.slices import run_sliced
from hivetui.widgets.pattern import compile_pattern

if TYPE_CHECKING:
    from hivetui.engine.model.proposals import FileChange

WIDE = 140  # cells from which a view may be side by side
_PAIRED_AT_ONCE = 512  # lines
_MOST_MARKS = 64  # on one line
_KEPT_STRIPS = 2048
_GUTTER, _SIDE_GUTTER, _SIGN = 12, 6, 2  # cells before the text: both numbers, the one of a side, + or -
Mark = tuple[int, int, str]  # start, end, part of a component class


class DiffView(StatusLineView):
    """A window onto a `DiffIndex`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"diff--{part}" for part in ("file", "header", "hunk", "number", "cut", "empty", "match", "here", "strange")),
        *(f"diff--{part}" for part in ("added", "removed", "context", "added-word", "removed-word", "blank")),
        *(f"diff--{token}" for token in ("comment", "string", "keyword", "constant", "name", "path")),
    }
    DEFAULT_CSS = """
    DiffView {
        & > .diff--file { color: $text-primary; background: $primary-muted; text-style: bold; }
        & > .diff--header { color: $text-muted; }
        & > .diff--hunk { color: $text-accent; background: $boost; }
        & > .diff--number { color: $text-disabled; }
        & > .diff--cut { color: $text-warning; text-style: italic; }
        & > .diff--empty { color: $text-muted; }
        & > .diff--match { background: $warning-muted; text-style: underline; }
        & > .diff--here { text-style: bold underline; }
        & > .diff--strange { color: $text-error; text-style: reverse; }
        & > .diff--added { background: $success 15%; }
        & > .diff--removed { background: $error 15%; }
        & > .diff--blank { background: $panel 40%; }
        & > .diff--added-word { background: $success 40%; text-style: bold; }
        & > .diff--removed-word { background: $error 40%; text-style: bold; }
        & > .diff--comment { color: $text-muted; text-style: italic; }
        & > .diff--string { color: $text-success; }
        & > .diff--keyword { color: $text-accent; }
        & > .diff--constant { color: $text-warning; }
        & > .diff--name { color: $text-primary; }
        & > .diff--path { color: $text-secondary; }
    }
    """

    class DifferenceLoaded(Message):
        """The stream has ended; `problem` says in words why the difference is not whole, if it is not."""

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
        id: str | None = None,  # noqa: A002 - Textual's word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.index = DiffIndex()
        self.sides: Sides | None = None
        self.side_by_side: bool | None = None  # None: where it is wide enough
        self.complete = False
        self.problem: str | None = None
        self.notice = ""
        self._files: dict[str, FileChange] = {}
        self._ended = False
        self._pattern: re.Pattern[str] | None = None
        self._match: int | None = None
        self._strips: dict[tuple[int, str], Strip] = {}
        self._reached: int | None = None

    # The stream

    def start(self, files: Sequence[FileChange] = ()) -> None:
        """Begin anew; `files` is what the review lists, for the words beside each file."""
        self.index, self.sides = DiffIndex(), None
        self.complete, self._ended, self.problem, self.notice = False, False, None, ""
        self._files = {file.path: file for file in files}
        self.top, self.left, self._match, self._reached = 0, 0, None, None
        self._arrange()
        self.repaint()

    def feed(self, chunk: bytes) -> None:
        """Take a chunk, cut anywhere."""
        self.index.feed(chunk)
        self._grown()

    def finish(self, problem: str | None = None) -> None:
        """The stream has ended, by itself or because of `problem`."""
        self.problem = self.index.finish() or problem if problem is None else problem
        self._ended, self.complete = True, self.problem is None
        self._grown()
        self.post_message(self.DifferenceLoaded(self, self.problem))

    @property
    def missing(self) -> tuple[str, ...]:
        """Paths that `start` was told of and the difference, as far as it has come, does not have."""
        there = {part.path for part in self.index.files} | {part.old_path for part in self.index.files}
        return tuple(path for path in self._files if path not in there)

    def _grown(self) -> None:
        self._pair_some()
        self._strips.clear()
        self.changed()

    def _pair_some(self) -> None:
        """Pair the lines that can be seen now at once, the rest in slices."""
        if self.sides is None:
            return
        seen = self._line_of(self.top) if self.top < len(self.sides) else self.sides.taken
        if not self.sides.extend(self.index.kinds, seen + _PAIRED_AT_ONCE):
            self.run_worker(run_sliced(self._pairing(self.sides)), group="pairing", exclusive=True)

    def _pairing(self, sides: Sides) -> Iterator[None]:
        while self.sides is sides and not sides.extend(self.index.kinds, sides.taken + _PAIRED_AT_ONCE):
            self.changed()
            yield
        self.changed()

    # Rows and lines

    def line_count(self) -> int:
        """How many rows there are."""
        return self.index.count if self.sides is None else len(self.sides)

    def _line_of(self, row: int) -> int:
        return row if self.sides is None else self.sides.line_of(row)

    def _row_of(self, line: int) -> int:
        if self.sides is None:
            return line
        if line >= self.sides.taken:
            self.sides.extend(self.index.kinds, line + 1)
        return self.sides.row_of(line)

    def _arrange(self) -> None:
        """Make or drop the pairs, as width and wish say; the top line stays."""
        line = self._line_of(self.top) if self.top < self.line_count() else 0
        wanted = self.area.width >= WIDE if self.side_by_side is None else self.side_by_side
        if wanted is (self.sides is not None):
            return
        self.sides = Sides() if wanted else None
        self._strips.clear()
        self._pair_some()
        self.top = self._row_of(line)

    def action_toggle_sides(self) -> None:
        """Unified, or side by side."""
        self.side_by_side = self.sides is None
        self._arrange()
        self.repaint()

    def resized(self) -> None:
        """Side by side where there is room now."""
        self._arrange()

    # Going places

    @property
    def line(self) -> int:
        """The line at the top."""
        return self._line_of(self.top) if self.line_count() else 0

    @property
    def current_path(self) -> str | None:
        """The path of the file at the top."""
        index = self.index.file_at(self.line)
        return None if index is None else self.index.files[index].path

    def go_to_line(self, line: int) -> None:
        """Put a line of the difference at the top."""
        self.go_to(self._row_of(line))

    def next_hunk(self) -> None:
        """To the next hunk."""
        self._go_if(self.index.next_hunk(self.line))

    def previous_hunk(self) -> None:
        """To the hunk before."""
        self._go_if(self.index.previous_hunk(self.line))

    def next_file(self) -> None:
        """To the next file."""
        self._go_if(next((part.line for part in self.index.files if part.line > self.line), None))

    def previous_file(self) -> None:
        """To the beginning of this file, or to the file before."""
        self._go_if(next((part.line for part in reversed(self.index.files) if part.line < self.line), None))

    def go_to_file(self, path: str) -> bool:
        """To a file by its path; False when it has not come (yet)."""
        line = next((part.line for part in self.index.files if path in (part.path, part.old_path)), None)
        self._go_if(line)
        return line is not None

    def _go_if(self, line: int | None) -> None:
        if line is not None:
            self.go_to_line(line)

    def moved(self) -> None:
        """Tell when another file is at the top."""
        index = self.index.file_at(self.line)
        if index is not None and index != self._reached:
            self._reached = index
            self.post_message(self.FileReached(self, self.index.files[index].path))

    def action_next_hunk(self) -> None:
        """To the next hunk."""
        self.next_hunk()

    def action_previous_hunk(self) -> None:
        """To the hunk before."""
        self.previous_hunk()

    def action_next_file(self) -> None:
        """To the next file."""
        self.next_file()

    def action_previous_file(self) -> None:
        """To the file before."""
        self.previous_file()

    # Searching

    def search(self, text: str) -> None:
        """Mark what matches and go to the next; "" ends it. Raises BadPattern."""
        self._pattern = compile_pattern(text) if text else None
        self._match, self.notice = None, ""
        self._strips.clear()
        self.repaint()
        if self._pattern is not None:
            self._find(self.line, back=False)

    def action_next_match(self) -> None:
        """To the next match."""
        self._find(self.line if self._match is None else self._match + 1, back=False)

    def action_previous_match(self) -> None:
        """To the match before."""
        self._find(self.line if self._match is None else self._match, back=True)

    @property
    def current_match(self) -> int | None:
        """The line that a search went to."""
        return self._match

    def _find(self, start: int, back: bool) -> None:
        if self._pattern is not None:
            steps = self._look(self._pattern, start, back)
            self.run_worker(run_sliced(steps), group="search", exclusive=True)

    def _look(self, pattern: re.Pattern[str], start: int, back: bool) -> Iterator[None]:
        lines = range(self.index.count)
        order = [*lines[:start][::-1], *lines[start:][::-1]] if back else [*lines[start:], *lines[:start]]
        for line in order:
            if found := pattern.search(self._text(line)[0]):
                self._match, self.notice = line, ""
                self._strips.clear()
                self.show_line(self._row_of(line))
                self._show_found(line, found)
                return self.repaint()
            yield
        self.notice = "nothing found"
        return self.repaint()

    def _show_found(self, line: int, found: re.Match[str]) -> None:
        """Scroll sideways to what was found in a line, where that is outside; of two sides only the text scrolls."""
        sides = self.sides is not None and self._in_body(line)
        before = (_SIGN if sides else _GUTTER + _SIGN) if self._in_body(line) else 0
        width = (self.line_width - 1) // 2 - _SIDE_GUTTER if sides else self.line_width
        start = before + cells(found.string[: found.start()])
        self.show_columns(start, start + cells(found[0]), width)

    # Painting

    def forget_strips(self) -> None:
        """Forget the strips of all lines."""
        self._strips.clear()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The visible rows."""
        if not self.line_count():
            text = "Nothing differs." if self.complete else self.problem or "The difference is on its way …"
            return [strip_of([(safe(text, width), self.style_of("diff--empty"))])]
        if len(self._strips) > _KEPT_STRIPS:
            self._strips.clear()
        rows = range(self.top, min(self.top + height, self.line_count()))
        return [self._row(row, width) for row in rows]

    def _row(self, row: int, width: int) -> Strip:
        if self.sides is None:
            return self._moved(self._unified(row), width)
        left, right = self.sides.left[row], self.sides.right[row]
        if left == right and not self._in_body(left):
            return self._moved(self._heading(left), width)
        half = (width - 1) // 2
        halves = [self._side(left, "old", half), self._side(right, "new", width - 1 - half)]
        return Strip.join([halves[0], strip_of([("│", self.style_of("diff--number"))]), halves[1]])

    def _moved(self, strip: Strip, width: int) -> Strip:
        """What of a strip is seen from the left column on."""
        return strip.crop(self.left, self.left + width) if self.left else strip

    def _in_body(self, line: int) -> bool:
        return self.index.kind(line) not in "@h"

    def _unified(self, line: int) -> Strip:
        strip = self._strips.get((line, ""))
        if strip is None:
            strip = self._heading(line) if not self._in_body(line) else self._body(line, self._gutter(line))
            self._strips[line, ""] = strip
        return strip

    def _gutter(self, line: int) -> str:
        numbers = self.index.numbers(line)
        return f"{numbers.old or '':>5} {numbers.new or '':>5} "

    def _side(self, line: int, side: str, width: int) -> Strip:
        """One half of a row, `width` cells."""
        if line == NONE:
            return Strip.blank(width, self.style_of("diff--blank"))
        strip = self._strips.get((line, side))
        if strip is None:
            number = getattr(self.index.numbers(line), side)
            strip = self._strips[line, side] = self._body(line, f"{number or '':>5} ")
        text = strip.crop(_SIDE_GUTTER + self.left, self.left + width)
        base = self._base(self.index.kind(line))
        return Strip.join([strip.crop(0, _SIDE_GUTTER), text.adjust_cell_length(width - _SIDE_GUTTER, base)])

    def _heading(self, line: int) -> Strip:
        raw = self.index.raw(line)
        if self.index.kind(line) == "@":
            return self._filled(self._hunk_words(raw), "diff--hunk")
        if raw.startswith(b"diff --git "):
            return self._filled(self._file_words(line), "diff--file")
        return strip_of([(header_words(raw), self.style_of("diff--header"))])

    def _hunk_words(self, raw: bytes) -> str:
        text, cut = shown_line(raw)
        return text + (f"… (+{cut} bytes)" if cut else "")

    def _filled(self, text: str, name: str) -> Strip:
        style = self.style_of(name)
        strip = strip_of([(text, style)])
        return strip.extend_cell_length(max(strip.cell_length, self.line_width), style)

    def _file_words(self, line: int) -> str:
        index = self.index.file_at(line)
        assert index is not None
        part = self.index.files[index]
        added, removed = self.index.added_and_removed(index)
        change = self._files.get(part.path)
        binary = ", binary" if change and change.additions is None else ""
        status = change.status.value + binary if change else ""
        renamed = f" (was {part.old_path})" if part.old_path != part.path else ""
        return safe(f"━━ {part.path}{renamed}  {status}  +{added} −{removed}", 1000)

    def _text(self, line: int) -> tuple[str, int]:
        """The shown text of a line, and the bytes that are cut of it."""
        raw = self.index.raw(line)
        if not self._in_body(line):
            return shown_line(raw)
        if self.index.kind(line) == "\\":
            return NO_NEWLINE, 0
        return shown_line(raw[1:])

    def _base(self, kind: str) -> Style:
        names = {"+": "diff--added", "-": "diff--removed"}
        return self.style_of(names[kind]) if kind in names else self.plain

    def _body(self, line: int, gutter: str) -> Strip:
        kind = self.index.kind(line)
        text, cut = self._text(line)
        base = self._base(kind)
        if line == self._match:
            base += self.style_of("diff--here")
        sign = kind if kind in "+-" else " "
        pieces = [(gutter, self.style_of("diff--number")), (sign + " ", base)]
        pieces += self._painted(text, base, self._marks(line, kind, text))
        if cut:
            pieces.append((f"… (+{cut} bytes)", self.style_of("diff--cut")))
        strip = strip_of(pieces)
        return strip.extend_cell_length(max(strip.cell_length, self.line_width), base)

    def _marks(self, line: int, kind: str, text: str) -> list[Mark]:
        """What is to be seen on a line, the later over the earlier."""
        marks: list[Mark] = []
        if len(text) <= LONGEST:
            if (self._path_of(line) or "").endswith(".nix"):
                marks += tokens(text)
            marks += self._word_marks(line, kind, text)
        marks += [(start, end, "strange") for start, end in mixed_script(text)]
        if self._pattern is not None:
            marks += [(*match.span(), "match") for match in self._pattern.finditer(text)]
        return marks[-_MOST_MARKS:]

    def _path_of(self, line: int) -> str | None:
        index = self.index.file_at(line)
        return None if index is None else self.index.files[index].path

    def _word_marks(self, line: int, kind: str, text: str) -> Iterator[Mark]:
        partner = self.index.partner(line) if kind in "+-" else None
        if partner is None:
            return
        other = self._text(partner)[0]
        spans = changed_words(other, text)[1] if kind == "+" else changed_words(text, other)[0]
        for start, end in spans:
            yield start, end, "added-word" if kind == "+" else "removed-word"

    def _painted(self, text: str, base: Style, marks: list[Mark]) -> Iterator[tuple[str, Style]]:
        """The text in pieces, each in the styles of the marks over it."""
        edges = sorted({0, len(text), *(edge for start, end, _ in marks for edge in (start, end))})
        for low, high in pairwise(edges):
            style = base
            for start, end, name in marks:
                if start <= low < end:
                    style += self._over(name)
            yield text[low:high], style

    def _over(self, name: str) -> Style:
        """A mark's style to be laid over a line's: syntax colours bring no background."""
        style = self.style_of(f"diff--{name}")
        if name in ("comment", "string", "keyword", "constant", "name", "path", "here"):
            return Style(color=style.color, italic=style.italic)
        return style

    # Status

    @property
    def alert(self) -> bool:
        """Not whole, or something to tell."""
        return bool(self.problem or self.notice)

    def status_parts(self) -> list[str]:
        """Which file of how many, whether all of it is here, and what is searched."""
        file = self.index.file_at(self.line) if self.line_count() else None
        place = f"{self.index.files[file].path}  file {file + 1}/{len(self.index.files)}" if file is not None else ""
        loaded = f"‖ not whole: {self.problem}" if self.problem else "whole" if self.complete else "… loading"
        return [
            loaded,
            self.notice,
            place,
            f"{self.index.count} lines",
            f"search /{self._pattern.pattern}/" if self._pattern else "",
            f"column {self.left}" if self.left else "",
        ]
