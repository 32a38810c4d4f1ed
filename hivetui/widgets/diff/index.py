"""Where the files and hunks of a diff begin, while it still streams in. Does not depend on Textual.

Takes chunks of `git diff-tree -p`. Lines are stored as raw blocks (`LogStore`), and one byte for each line tells its
kind. So line numbers, counts and the pairs of a side-by-side view are counted in C, and only for the lines that are
visible. A line of a hunk always begins with a space, `+`, `-` or `\\`; so `diff --git ` and `@@ ` at the beginning of a
line cannot come from the text of a file (git-diff(1), "Generating patch text with -p").
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from hivetui.widgets.log.store import LogStore

_HEADER = re.compile(rb"^(?:diff --git |@@ -)", re.M)
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_REMOVED = re.compile(rb"-*\\?")
_ADDED = re.compile(rb"\+*")
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


class Hunk(NamedTuple):
    """The line of its `@@`, and the first line and number of lines in the old and the new file."""

    line: int
    old: int
    old_count: int
    new: int
    new_count: int


class Numbers(NamedTuple):
    """The numbers of a line in the old and the new file; None if it is not in that file."""

    old: int | None
    new: int | None


@dataclass
class FilePart:
    """One file of the diff: the line of its `diff --git`, its paths, and its hunks."""

    line: int
    old_path: str
    path: str
    hunks: list[Hunk] = field(default_factory=list)


class DiffIndex:
    """A diff as far as it has been loaded."""

    def __init__(self) -> None:
        self.store = LogStore(None)
        self.kinds = bytearray()
        self.files: list[FilePart] = []
        self._file_lines: list[int] = []
        self._hunk_lines: list[int] = []
        self._last_number = 0  # the highest number of a line on either side
        self._carry = b""
        self._in_header = True
        self._counted = (0, 0, 0, 0)  # line of a hunk, a line in it, how many old and new lines are before that

    @property
    def count(self) -> int:
        """How many complete lines there are."""
        return self.store.end

    @property
    def number_digits(self) -> int:
        """How many digits the highest number of a line has."""
        return len(str(self._last_number))

    def feed(self, chunk: bytes) -> None:
        """Take a chunk, cut anywhere."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._carry += chunk
            return
        whole, self._carry = self._carry + chunk[:end], chunk[end:]
        self._take(whole)

    def finish(self) -> str | None:
        """Take the end of the stream. Returns what is missing, in words, if it ended early."""
        if self._carry:
            self._take(self._carry + b"\n")
            self._carry = b""
        if not self.files or not self.files[-1].hunks:
            return None
        hunk = self.files[-1].hunks[-1]
        old, new = self._counts(hunk.line + 1, self.count)
        if (old, new) != (hunk.old_count, hunk.new_count):
            return f"the last hunk should have {hunk.new_count} lines and has {new}"
        return None

    def _take(self, whole: bytes) -> None:
        base = self.store.end
        self.store.feed_bytes(whole)
        self.kinds += bytes([line[0] if line else 10 for line in whole[:-1].split(b"\n")])
        line, at = base, 0
        for match in _HEADER.finditer(whole):
            before, line = line, line + whole.count(b"\n", at, match.start())
            self._mark_header(before, line)
            at = match.start()
            self._in_header = not whole.startswith(b"@@", at)
            end = whole.index(b"\n", at)
            if whole.startswith(b"@@", at):
                self._add_hunk(line, whole[at : min(end, at + 200)])
            else:
                self._add_file(line, whole[at:end])
        self._mark_header(line, self.count)

    def _mark_header(self, start: int, end: int) -> None:
        """Mark lines as belonging to a file's header: some begin like lines of a hunk (`--- a/…`)."""
        if self._in_header:
            self.kinds[start:end] = b"h" * (end - start)

    def _add_file(self, line: int, header: bytes) -> None:
        old, new = paths_of(header)
        if self.files and (self.files[-1].old_path, self.files[-1].path) == (old, new):
            return  # git writes a change of type as a deletion and a creation of the same file
        self.files.append(FilePart(line, old, new))
        self._file_lines.append(line)

    def _add_hunk(self, line: int, header: bytes) -> None:
        match = _HUNK.match(header)
        if match and self.files:
            old, old_count, new, new_count = (1 if part is None else int(part) for part in match.groups())
            self.files[-1].hunks.append(Hunk(line, old, old_count, new, new_count))
            self._hunk_lines.append(line)
            self._last_number = max(self._last_number, old + old_count - 1, new + new_count - 1)

    # Reading
    def raw(self, line: int) -> bytes:
        """The bytes of a line."""
        return self.store.line(line).raw

    def kind(self, line: int) -> str:
        """Its first character: one of `" +-\\"` in a hunk, `@` at its head; `h` in a file's header."""
        return chr(self.kinds[line])

    def file_at(self, line: int) -> int | None:
        """The index of the file that a line belongs to."""
        index = bisect_right(self._file_lines, line) - 1
        return index if index >= 0 else None

    def hunk_at(self, line: int) -> Hunk | None:
        """The hunk that a line belongs to, as its head or in its body; None for a line of a file's header."""
        index = self.file_at(line)
        if index is None:
            return None
        hunks = self.files[index].hunks
        place = bisect_right(hunks, line, key=lambda hunk: hunk.line) - 1
        return hunks[place] if place >= 0 else None

    def numbers(self, line: int) -> Numbers:
        """Line numbers in the old and new file of a line in the body of a hunk."""
        hunk = self.hunk_at(line)
        if hunk is None or hunk.line == line or self.kind(line) == "\\":
            return Numbers(None, None)
        old, new = self._before(hunk, line)
        kind = self.kind(line)
        return Numbers(None if kind == "+" else hunk.old + old, None if kind == "-" else hunk.new + new)

    def _before(self, hunk: Hunk, line: int) -> tuple[int, int]:
        """How many old and new lines of a hunk are above a line, counted from the last line that was asked for."""
        start, at, old, new = self._counted
        if start != hunk.line:
            at, old, new = hunk.line + 1, 0, 0
        more_old, more_new = self._counts(min(at, line), max(at, line))
        sign = 1 if line >= at else -1
        old, new = old + sign * more_old, new + sign * more_new
        self._counted = (hunk.line, line, old, new)
        return old, new

    def _counts(self, start: int, end: int) -> tuple[int, int]:
        """How many lines between two of a hunk are in the old file, and in the new."""
        added = self.kinds.count(b"+", start, end)
        removed = self.kinds.count(b"-", start, end)
        both = end - start - added - removed - self.kinds.count(b"\\", start, end)
        return both + removed, both + added

    def find_file(self, path: str) -> int | None:
        """The line at which a file begins, by its old or new path; None where only its hidden whitespace changed."""
        return next((file.line for file in self.files if path in (file.path, file.old_path)), None)

    def find_line(self, path: str, number: int, is_old: bool) -> int | None:
        """The line of the diff that is line `number` of a file on one side; None if it is not part of the diff."""
        part = next((one for one in self.files if path == (one.old_path if is_old else one.path)), None)
        for hunk in part.hunks if part is not None else ():
            first, count = (hunk.old, hunk.old_count) if is_old else (hunk.new, hunk.new_count)
            if not first <= number < first + count:
                continue
            lines = range(hunk.line + 1, min(self.count, hunk.line + 1 + hunk.old_count + hunk.new_count + 2))
            wanted, side = number - first, 0 if is_old else 1
            at = bisect_right(lines, wanted, key=lambda line: self._counts(lines.start, line)[side]) - 1
            found = lines[at] if at >= 0 else None
            if found is None or getattr(self.numbers(found), "old" if is_old else "new") != number:
                return None  # it has not been loaded yet
            return found
        return None

    def partner(self, line: int) -> int | None:
        """The removed line that an added line replaces, or the added line that replaces a removed one."""
        hunk = self.hunk_at(line)
        kind = self.kind(line)
        if hunk is None or line == hunk.line or kind not in "+-":
            return None
        minus = self._run_back(b"-", hunk.line + 1, line if kind == "-" else self._added_start(hunk, line))
        plus = self._added_from(line if kind == "-" else minus)
        other = plus + line - minus if kind == "-" else minus + line - plus
        low, high, sign = (plus, self._run_end(plus), b"+") if kind == "-" else (minus, plus, b"-")
        return other if low <= other < high and self.kinds[other : other + 1] == sign else None

    def _run_back(self, sign: bytes, low: int, line: int) -> int:
        """Where the run of lines with `sign` begins that ends just before `line`, or contains it."""
        return low + len(self.kinds[low:line].rstrip(sign))

    def _added_start(self, hunk: Hunk, line: int) -> int:
        """Where the removed lines end before the run of added lines that `line` is in."""
        start = self._run_back(b"+", hunk.line + 1, line)
        return start - 1 if self.kinds[start - 1 : start] == b"\\" else start

    def _run_end(self, start: int) -> int:
        """Where the run of added lines ends that begins at `start`."""
        run = _ADDED.match(self.kinds, start)
        return run.end() if run else start

    def _added_from(self, line: int) -> int:
        """Where the added lines begin after the run of removed lines that begins at or contains `line`."""
        run = _REMOVED.match(self.kinds, line)
        return run.end() if run else line

    def added_and_removed(self, file: int) -> tuple[int, int]:
        """How many lines of a file were added and removed, as far as it has been loaded."""
        hunks = self.files[file].hunks
        end = self._file_lines[file + 1] if file + 1 < len(self.files) else self.count
        start = hunks[0].line if hunks else end
        return self.kinds.count(b"+", start, end), self.kinds.count(b"-", start, end)

    def next_hunk(self, line: int) -> int | None:
        """The line of the first hunk after a line."""
        index = bisect_right(self._hunk_lines, line)
        return self._hunk_lines[index] if index < len(self._hunk_lines) else None

    def previous_hunk(self, line: int) -> int | None:
        """The line of the last hunk before a line."""
        index = bisect_right(self._hunk_lines, line - 1) - 1
        return self._hunk_lines[index] if index >= 0 else None


def paths_of(header: bytes) -> tuple[str, str]:
    """The old and the new path of a `diff --git a/… b/…` line. Unquoted paths with spaces are split in the middle."""
    text = header.removeprefix(b"diff --git ").decode("utf-8", "surrogateescape")
    if text.startswith('"'):
        end = re.compile(r'"(?:[^"\\]|\\.)*"').match(text)
        old, new = (text[: end.end()], text[end.end() + 1 :]) if end else (text, text)
    elif text.endswith('"'):
        old, _, new = text.partition(' "')
        new = '"' + new
    else:
        old, new = _split_evenly(text)
    return _unquote(old).removeprefix("a/"), _unquote(new).removeprefix("b/")


def _split_evenly(text: str) -> tuple[str, str]:
    half = len(text) // 2
    if text[half : half + 1] == " " and text[2:half] == text[half + 3 :]:
        return text[:half], text[half + 1 :]
    old, _, new = text.partition(" b/")
    return old, "b/" + new


def _unquote(text: str) -> str:
    """A path without the quotes and escapes that git uses, which are those of C."""
    if not (text.startswith('"') and text.endswith('"') and len(text) > 1):
        return text
    raw = re.sub(rb"\\([0-7]{3}|.)", _unescape, text[1:-1].encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1].decode("latin-1")
    return bytes([int(code, 8) & 255 if len(code) == 3 else _ESCAPES.get(code, ord(code))])
