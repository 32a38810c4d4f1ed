"""Binary data in the output of programs: a text that is none, and how it is named in place of being shown.

It comes as lines, cut where a byte happens to be a line feed; those of one writer are one piece of data. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import groupby
from typing import Generic, NamedTuple, TypeVar

from hivetui.engine.model.text import show_bytes

Line = TypeVar("Line")

_NO_TEXT = re.compile("[\x00-\x06\x0b\x0e-\x1a\x1c-\x1f\ud800-\udfff]")
"""Characters that text does not contain: controls but those that programs print, and bytes that are not UTF-8."""
_FEWEST = 4
_SHARE = 4  # at least one in so many characters of binary data is none of text
_FRAGMENT = 4
"""Characters of a line between binary data that can look like text by chance."""
_TRUNCATED = re.compile(r" … \((journal entry of \d{1,12} bytes, truncated)\)$", re.ASCII)
"""What is at the end of an entry of which only the beginning was read."""


def is_binary(text: str) -> bool:
    """Whether a text, also one of several lines, is binary data; bytes that are not UTF-8 are surrogates."""
    if text.isprintable():
        return False
    count = len(_NO_TEXT.findall(text))
    return count >= _FEWEST and count * _SHARE >= len(text)


def has_binary(text: str) -> bool:
    """Whether there is a character in a text that no text contains."""
    return not text.isprintable() and _NO_TEXT.search(text) is not None


def binary_label(text: str, size: int) -> str:
    """What is shown of binary data of so many bytes; `text` is its end."""
    if found := _TRUNCATED.search(text):
        return f"‹binary, {found[1]}›"
    return f"‹binary, {size} byte{'s' * (size != 1)}›"


class LineKind(NamedTuple, Generic[Line]):
    """How lines are looked at: who wrote one, its text, and one line in place of several with their joined text."""

    writer: Callable[[Line], Hashable]
    text: Callable[[Line], str]
    join: Callable[[Sequence[Line], str], Line]

    def group(self, line: Line) -> tuple[Hashable, bool]:
        """The writer of a line, and whether it may be a part of binary data."""
        text = self.text(line)
        return self.writer(line), len(text) <= _FRAGMENT or has_binary(text)


TEXTS: LineKind[str] = LineKind(lambda _: None, str, lambda _, text: text)


def merge_binary(lines: Sequence[Line], kind: LineKind[Line]) -> Iterator[Line]:
    """Lines in which those that follow each other and are binary data together, of one writer, are one line."""
    for (_, may_be_binary), group in groupby(lines, kind.group):
        run = list(group)
        binary = [has_binary(kind.text(line)) for line in run] if may_be_binary else []
        if sum(binary) < 2:
            yield from run
            continue
        first, end = binary.index(True), len(run) - binary[::-1].index(True)
        text = "\n".join(kind.text(line) for line in run[first:end])
        yield from run[:first]
        yield from [kind.join(run[first:end], text)] if is_binary(text) else run[first:end]
        yield from run[end:]


def name_binary(text: str) -> str:
    """A text of several lines in which binary data is named; all else is unchanged."""
    lines = merge_binary(text.split("\n"), TEXTS)
    return "\n".join(_name_if_binary(line) for line in lines)


def quote_output(output: bytes) -> str:
    """What a program wrote as an error or a message quotes it, which is stored as JSON and has no bytes beside it.

    Binary data is named, and bytes that are not UTF-8 are tokens, as `safe` writes them.
    """
    return show_bytes(name_binary(output.decode("utf-8", "surrogateescape")))


def _name_if_binary(line: str) -> str:
    return binary_label(line[-100:], len(line.encode("utf-8", "surrogateescape"))) if is_binary(line) else line
