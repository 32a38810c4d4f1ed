"""The shown text of each line of a diff, and what of it to highlight. Knows no Textual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from hivetui.engine.model.findings import Side
from hivetui.engine.model.patterns import Pattern
from hivetui.engine.model.text import cells, mixed_script
from hivetui.widgets.diff.changed_words import LONGEST, changed_words
from hivetui.widgets.diff.coloring import DiffColoring
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.diff.line_text import (
    NO_NEWLINE,
    ShownLine,
    TextLimits,
    header_words,
    is_wider,
    shown_columns,
    shown_line,
)
from hivetui.widgets.paths import shorten_rename
from hivetui.widgets.wording import format_sizes

if TYPE_CHECKING:
    from hivetui.engine.model.proposals import FileChange

_SEARCHED_AT_ONCE = 64  # lines
_MEASURED_AT_ONCE = 4096  # bytes of lines whose characters are not all one cell wide
_HEADINGS_AT_ONCE = 64
_MIN_PATH_CELLS = 20
_MOST_TOKENS = 2048  # on one line
_UNLIMITED = 1_000_000  # cells; more than any path takes
_FILE_HEADER = b"diff --git "
_HEADING_EXTRA = 40  # cells; more than a heading has besides the paths
_MOST_CELLS = 8
"""No byte takes more cells: a control character is ‹U+001B›, a tab goes to the next stop."""
Mark = tuple[int, int, str]  # start, end, part of a component class


class LineKey(NamedTuple):
    """A line of a file by what it is part of: a path, a blob, and its number there, 0 for the heading of the file."""

    path: str
    blob: str
    number: int


class DiffText:
    """Text of the lines of an index; `changes` is what the review lists, by path."""

    def __init__(self, index: DiffIndex, changes: Mapping[str, FileChange]) -> None:
        self._index = index
        self._changes = changes
        self.limits = TextLimits()
        self.coloring = DiffColoring(index)

    def is_body(self, line: int) -> bool:
        """Whether a line is part of a file, and not of a header."""
        return self._index.kind(line) not in "@h"

    def shown(self, line: int) -> ShownLine:
        """The shown text of a line without its sign."""
        raw = self._index.raw(line)
        if not self.is_body(line):
            return shown_line(raw, self.limits)
        if self._index.kind(line) == "\\":
            return ShownLine(NO_NEWLINE)
        return shown_line(raw[1:], self.limits)

    def key(self, line: int) -> LineKey | None:
        """What a line is in any diff that has it; None for headers of hunks, and for a file that is not listed."""
        number = self._index.file_at(line)
        part = self._index.files[number] if number is not None else None
        change = self._changes.get(part.path) if part is not None else None
        if part is None or change is None:
            return None
        if self._index.kind(line) == "h":
            return LineKey(f"{part.old_path}\0{part.path}", "", 0) if self._is_file_heading(line) else None
        numbers = self._index.numbers(line)
        if numbers.new is not None:
            return LineKey(part.path, change.new_blob, numbers.new)
        return None if numbers.old is None else LineKey(part.old_path, change.old_blob, numbers.old)

    def _is_file_heading(self, line: int) -> bool:
        return self._index.raw(line).startswith(_FILE_HEADER)

    def whole(self, line: int) -> str:
        """All of a line as it is in its file, not yet safe to show; of a heading the paths of the file."""
        number = self._index.file_at(line)
        if not self.is_body(line) and number is not None:
            part = self._index.files[number]
            return part.path if part.path == part.old_path else f"{part.old_path}\n{part.path}"
        return self._index.raw(line)[1:].decode("utf-8", "surrogateescape")

    def describe_place(self, line: int) -> str:
        """Where a line stands: file, number and side; not yet safe to show."""
        number = self._index.file_at(line)
        path = self._index.files[number].path if number is not None else ""
        if not self.is_body(line):
            return f"the path {path}"
        numbers = self._index.numbers(line)
        return f"{path}:{numbers.new}" if numbers.new is not None else f"{path}:{numbers.old} (removed)"

    def wider_than(self, width: int, text_width: int) -> Iterator[int | None]:
        """The headings of files that take more than `width` cells, then lines whose text takes over `text_width`.

        None after each step.
        """
        for number, part in enumerate(self._index.files, 1):
            raw = self._index.raw(part.line)
            if len(raw) + _HEADING_EXTRA > width and cells(self._file_heading(part.line, _UNLIMITED)) > width:
                yield part.line
            if number % _HEADINGS_AT_ONCE == 0:
                yield None
        limits = self.limits
        blanks = b" " * (limits.blanks + 1)
        for first, raws, _ in self._index.store.blocks(0, self._index.count):
            longest = max(map(len, raws))
            if longest * _MOST_CELLS > text_width:
                joined = b"".join(raws)
                if not _is_plain(joined) or blanks in joined or longest > text_width:
                    yield from self._wider_lines(first, raws, text_width, limits)
            yield None  # after most blocks at the speed of C

    def _wider_lines(self, first: int, raws: list[bytes], width: int, limits: TextLimits) -> Iterator[int | None]:
        """The lines of a block whose text takes more than `width` cells; None after each step."""
        kinds, blanks = self._index.kinds, b" " * (limits.blanks + 1)
        measured = 0
        for line, raw in enumerate(raws, first):
            if kinds[line] not in b"+- " or (len(raw) - 1) * _MOST_CELLS <= width:
                continue
            if _is_plain(raw) and blanks not in raw:
                if len(raw) - 1 > width:
                    yield line
                continue
            if is_wider(raw[1:], width, limits):
                yield line
            measured += len(raw)
            if measured >= _MEASURED_AT_ONCE:
                yield None
                measured = 0

    def heading(self, line: int, width: int = _UNLIMITED) -> tuple[str, str]:
        """The text of a header line, and the part of a component class that styles it: file, hunk or header.

        The paths of a file are shortened, so that the text fits into `width` cells.
        """
        raw = self._index.raw(line)
        if self._index.kind(line) == "@":
            shown = shown_line(raw, self.limits)
            return shown.text + (f"… (+{shown.hidden} bytes)" if shown.hidden else ""), "hunk"
        if raw.startswith(_FILE_HEADER):
            return self._file_heading(line, width), "file"
        return header_words(raw), "header"

    def _file_heading(self, line: int, width: int) -> str:
        number = self._index.file_at(line)
        assert number is not None
        file = self._index.files[number]
        added, removed = self._index.added_and_removed(number)
        change = self._changes.get(file.path)
        counts = f"+{added} −{removed}"
        if change and change.additions is None:
            counts = f"binary {format_sizes(change.old_size, change.new_size)}"
        end = f"  {change.status.value if change else ''}  {counts}"
        names = shorten_rename(file.old_path, file.path, max(_MIN_PATH_CELLS, width - len(end) - len("━━ ")))
        return f"━━ {names}{end}"

    def marks(self, line: int, text: str, side: Side) -> Iterator[Mark]:
        """What to highlight in the shown text of a body line; later marks are laid over earlier ones."""
        yield from self._token_marks(line, side)
        if len(text) <= LONGEST:
            yield from self._word_marks(line, text)
        for start, end in mixed_script(text):
            yield start, end, "strange"

    def _token_marks(self, line: int, side: Side) -> Iterator[Mark]:
        tokens = self.coloring.tokens(line, side)[:_MOST_TOKENS]
        if not tokens:
            return
        edges = [edge for token in tokens for edge in (token.start, token.end)]
        columns = iter(shown_columns(self._index.raw(line)[1:], edges, self.limits))
        yield from ((start, end, token.kind) for token, start, end in zip(tokens, columns, columns, strict=True))

    def _word_marks(self, line: int, text: str) -> Iterator[Mark]:
        kind = self._index.kind(line)
        partner = self._index.partner(line) if kind in "+-" else None
        if partner is None:
            return
        other = self.shown(partner).text
        spans = changed_words(other, text)[1] if kind == "+" else changed_words(text, other)[0]
        for start, end in spans:
            yield start, end, "added-word" if kind == "+" else "removed-word"

    def matching(self, pattern: Pattern, low: int, high: int, back: bool) -> Iterator[int | None]:
        """The lines from `low` to before `high` that match, or back; None after each step."""
        lows = range(low, high, _SEARCHED_AT_ONCE)
        for first in reversed(lows) if back else lows:
            texts = (self.shown(line).text for line in range(first, min(first + _SEARCHED_AT_ONCE, high)))
            matching = [first + index for index in pattern.matching_lines("\n".join(texts).encode())]
            yield from reversed(matching) if back else matching
            yield None


def _is_plain(raw: bytes) -> bool:
    """Whether all of these are ASCII characters that are shown as themselves, in one cell."""
    return raw.isascii() and raw.decode("ascii").isprintable()
