"""The safe text of a line of a diff: whitespace that matters is made visible, git's header lines are put in words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, repeat
from typing import NamedTuple

from hivetui.engine.model.commits import SHORT_HASH
from hivetui.engine.model.text import MAX_MARKS, cells, safe, safe_pieces

SHOWN_BYTES = 2000
"""How many bytes of a line are shown, unless lines are wrapped."""
_TAB = 8
_BLANKS = re.compile(r"[ \t]{4,}")
_CONTINUATION = range(0x80, 0xC0)  # the second to fourth byte of a character in UTF-8
_MODES = {
    "100644": "file",
    "100755": "executable file",
    "120000": "symbolic link",
    "160000": "submodule (a commit of another repository)",
    "040000": "directory",
}
_MODE_WORDS = (
    ("old mode ", "mode was"),
    ("new mode ", "mode is now"),
    ("new file mode ", "new"),
    ("deleted file mode ", "deleted"),
)
_PLAIN_WORDS = ("similarity index ", "dissimilarity index ", "rename from ", "rename to ", "copy from ", "copy to ")
NO_NEWLINE = "⊘ no newline at end of file"


class TextLimits(NamedTuple):
    """What of a line is shown as itself: runs of blanks up to `blanks` cells, and the first `size` bytes."""

    blanks: int = 1_000_000
    size: int = SHOWN_BYTES


class ShownLine(NamedTuple):
    """The shown text, how many bytes of the line are not in it, and where counts stand for runs of blanks."""

    text: str
    hidden: int = 0
    blanks: tuple[tuple[int, int], ...] = ()


_NO_FOLDING = TextLimits()


def shown_line(raw: bytes, limits: TextLimits = _NO_FOLDING) -> ShownLine:
    """The shown text of a line of a file (without git's sign)."""
    head = _head(raw, limits.size)
    shown = shown_part(_decode(head), limits)
    hidden = len(raw) - len(head)
    return shown._replace(hidden=hidden) if hidden else shown


def shown_part(text: str, limits: TextLimits, ends_line: bool = True) -> ShownLine:
    """The shown text of a line, or of a part of one, whatever its size."""
    text, wide_runs = _visible(text, limits, ends_line)
    return _fold_blanks(text, wide_runs) if wide_runs else ShownLine(safe(_expand_tabs(text)))


def is_wider(raw: bytes, width: int, limits: TextLimits) -> bool:
    """Whether a line of a file (without git's sign) takes more than `width` cells, or is not shown whole.

    Reads about as much of it as fits into `width`, however long it is.
    """
    if len(raw) > limits.size:
        return True
    text = _decode(raw)
    return _has_more_than(text, (width + 1) * (MAX_MARKS + 1), limits) or cells(shown_part(text, limits).text) > width


def _has_more_than(text: str, count: int, limits: TextLimits) -> bool:
    """Whether a text has more than `count` characters besides the runs of blanks that are shown as their count.

    Only marks take no cell, and each letter has at most `MAX_MARKS` of them.
    """
    at, found = 0, 0
    for run in _BLANKS.finditer(text):
        found += run.start() - at if _is_counted(run[0], limits) else run.end() - at
        at = run.end()
        if found > count:
            return True
    return found + len(text) - at > count


def _is_counted(run: str, limits: TextLimits) -> bool:
    """Whether a run of blanks is shown as its count."""
    return len(run.expandtabs(_TAB)) > limits.blanks


def shown_columns(raw: bytes, places: Sequence[int], limits: TextLimits = _NO_FOLDING) -> Sequence[int]:
    """Where these bytes of a line stand in its shown text; at its end if they are not part of it."""
    head = _head(raw, limits.size)
    if head.isascii() and head.decode("ascii").isprintable() and b" " * (limits.blanks + 1) not in head:
        return [min(place, len(head)) for place in places]
    starts = [0, *accumulate(len(char.encode("utf-8", "surrogateescape")) for char in _decode(head))]
    columns = [0, *accumulate(len(piece) for piece in _shown_pieces(*_visible(_decode(head), limits)))]
    return [columns[bisect_left(starts, min(place, len(head)))] for place in places]


def _shown_pieces(text: str, wide_runs: list[re.Match[str]]) -> Iterator[str]:
    """What is shown for each character."""
    at = 0
    for run in wide_runs:
        yield from _tabbed_pieces(text[at : run.start()])
        yield _blank_token(run[0])
        yield from repeat("", len(run[0]) - 1)
        at = run.end()
    yield from _tabbed_pieces(text[at:])


def _tabbed_pieces(text: str) -> Iterator[str]:
    column = 0
    for char, piece in zip(text, safe_pieces(text.replace("\t", "→")), strict=True):
        fill = _TAB - column % _TAB if char == "\t" else 1
        yield piece + " " * (fill - 1)
        column += fill


def _visible(text: str, limits: TextLimits, ends_line: bool = True) -> tuple[str, list[re.Match[str]]]:
    """The text with blanks and the carriage return at its end made visible, and the runs of blanks to be counted."""
    if ends_line:
        text = _show_end(text, limits)
    return text, [run for run in _BLANKS.finditer(text) if _is_counted(run[0], limits)]


def _decode(head: bytes) -> str:
    return head.decode("utf-8", "surrogateescape")


def _head(raw: bytes, size: int) -> bytes:
    """The first bytes, at most `size`; a character of UTF-8 is not cut in two."""
    if len(raw) <= size:
        return raw
    end = next((end for end in range(size, size - 4, -1) if raw[end] not in _CONTINUATION), size)
    return raw[:end]


def _show_end(text: str, limits: TextLimits) -> str:
    """A line with a visible carriage return and visible spaces at its end; those are left if so many are counted."""
    line = text.removesuffix("\r")
    start = line.rstrip(" ")
    spaces = len(line) - len(start)
    if spaces <= limits.blanks:
        line = start + "·" * spaces
    return line if len(text) == len(line) else line + "␍"


def _fold_blanks(text: str, runs: list[re.Match[str]]) -> ShownLine:
    """A count instead of each run of blanks, so that nothing is pushed out of view by them."""
    shown, spans, at = "", [], 0
    for run in runs:
        shown += safe(_expand_tabs(text[at : run.start()]))
        token = _blank_token(run[0])
        spans.append((len(shown), len(shown) + len(token)))
        shown, at = shown + token, run.end()
    return ShownLine(shown + safe(_expand_tabs(text[at:])), 0, tuple(spans))


def _blank_token(run: str) -> str:
    kinds = set(run)
    name = "blanks" if len(kinds) > 1 else "tabs" if "\t" in kinds else "spaces"
    return f"‹{len(run)} {name}›"


def _expand_tabs(text: str) -> str:
    """Replace each tab by an arrow and spaces up to the next tab stop."""
    if "\t" not in text:
        return text
    out, column = [], 0
    for part in text.split("\t"):
        column += len(part)
        fill = _TAB - column % _TAB
        out.append(part + "→" + " " * (fill - 1))
        column += fill
    return "".join(out)[: -len(out[-1])] + text.rpartition("\t")[2]


def header_words(raw: bytes) -> str:
    """A line of a file's header in words; an unknown one is shown as it is."""
    text = raw[:SHOWN_BYTES].decode("utf-8", "surrogateescape")
    for start, words in _MODE_WORDS:
        if text.startswith(start):
            mode = text.removeprefix(start)
            return safe(f"  {words}: {_MODES.get(mode, 'unknown kind')} ({mode})")
    if text.startswith("Binary files "):
        return "  binary file: its contents cannot be shown as text"
    if text.startswith(_PLAIN_WORDS):
        return safe("  " + text.replace(" index", "", 1))
    if text.startswith("index "):
        return safe("  " + _index_words(text))
    return safe("  " + text)


def _index_words(text: str) -> str:
    """The blobs by short hash, and the kind of file if its mode did not change."""
    match = re.fullmatch(r"index ([0-9a-f]+)\.\.([0-9a-f]+)(?: (\d+))?", text)
    if not match:
        return text
    kind = f", {_MODES.get(match[3], 'unknown kind')}" if match[3] and match[3] != "100644" else ""
    return f"blob {match[1][:SHORT_HASH]} → {match[2][:SHORT_HASH]}{kind}"
