"""Binary data in a log: lines that are no text are named by their size instead of being shown byte by byte. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivetui.engine.model.logs import LogLine

_NO_TEXT = re.compile("[\x00-\x06\x0b\x0e-\x1a\x1c-\x1f\ud800-\udfff]")
"""Characters that text does not contain: controls but those that programs print, and bytes that are not UTF-8."""
_FEWEST = 4
_SHARE = 4  # at least one in so many characters of binary data is none of text


def is_binary(text: str) -> bool:
    """Whether a line is binary data; bytes that are not UTF-8 are surrogates, as of `surrogateescape`."""
    if text.isprintable():
        return False
    count = len(_NO_TEXT.findall(text))
    return count >= _FEWEST and count * _SHARE >= len(text)


def merge_binary(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Lines in which those that follow each other and are binary data together, of one writer, are one line."""
    for (_, _, _, may_be_binary), group in groupby(lines, _kind):
        if not may_be_binary:
            yield from group
            continue
        run = list(group)
        text = "\n".join(line[3] for line in run)
        yield from [run[-1]._replace(text=text)] if len(run) > 1 and is_binary(text) else run


def _kind(line: LogLine) -> tuple[str, str, int | None, bool]:
    text = line[3]
    may_be_binary = not text or (not text.isprintable() and _NO_TEXT.search(text) is not None)
    return line[1], line[2], line[4], may_be_binary
