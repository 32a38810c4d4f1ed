"""One kept line of a log as what is shown of it: safe text in colours of the theme, level, matches, and what was cut.

Colour of the writer (SGR) is kept as far as it cannot hide text; nothing else of a sequence has an effect.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from hivetui.engine.model.text import safe, sgr_only

SHOWN_BYTES = 4096  # of a line; what is longer is counted
_ERROR = re.compile(
    r"\b(?:errors?|fatal|panic(?:ked)?|critical|fail(?:ed|ure)?|traceback|exception|[A-Z]\w+(?:Error|Exception))\b",
    re.I,
)
_WARNING = re.compile(r"\b(?:warn(?:ing)?|deprecated)\b", re.I)
_INFO = re.compile(r"\b(?:info|notice)\b", re.I)
_UNPLAIN = re.compile(rb"[^\x20-\x7e\n]")
_SAID_TO_WARN = re.compile(r"\W*(?:warn(?:ing)?)\b", re.I)  # "warning: input 'x' failed to …" is a warning
LEVEL_GLYPHS = {"error": "✖", "warning": "▲", "info": "·", "": " "}
_HUES = {1: "red", 2: "green", 3: "yellow", 4: "blue", 5: "magenta", 6: "cyan"}


class Piece(NamedTuple):
    """A safe text and the component class of its hue, "" for the plain one; `bold` as its writer asked."""

    text: str
    hue: str = ""
    bold: bool = False


def level_of(text: str) -> str:
    """ "error", "warning", "info" or "", by the words of a line."""
    if _ERROR.search(text):
        return "warning" if _SAID_TO_WARN.match(text) else "error"
    if _WARNING.search(text):
        return "warning"
    return "info" if _INFO.search(text) else ""


def shown_pieces(raw: bytes) -> list[Piece]:
    """What is shown of a line's first bytes."""
    text = raw[:SHOWN_BYTES].decode("utf-8", "surrogateescape").removesuffix("\r")
    if "\t" in text:
        text = text.expandtabs()
    if "\x1b" not in text:
        return [Piece(safe(text))]
    return [Piece(piece, *_hue(style)) for piece, style in sgr_only(text)]


def shown_text(raw: bytes) -> str:
    """The text of `shown_pieces`: what a search looks at is what a person sees."""
    return "".join(piece.text for piece in shown_pieces(raw))


def shown_texts(raws: list[bytes]) -> Iterator[str]:
    """`shown_text` of many lines; fast where they are plain, which most are."""
    block = b"\n".join(raws)
    if _UNPLAIN.search(block) or len(max(raws, key=len, default=b"")) > SHOWN_BYTES:
        return map(shown_text, raws)
    return iter(block.decode("ascii").split("\n") if raws else ())


def cut_count(raw: bytes, cut: int) -> int:
    """How many bytes of a line are not shown."""
    return cut + max(0, len(raw) - SHOWN_BYTES)


def highlighted(pieces: list[Piece], spans: list[tuple[int, int]]) -> Iterator[tuple[Piece, bool]]:
    """The pieces cut at the spans, each with whether it lies in one. Spans are in order and do not overlap."""
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        low = bisect_left(spans, at, key=lambda span: span[1])
        high = bisect_left(spans, end, key=lambda span: span[0])
        edges = [edge for span in spans[low:high] for edge in span if at < edge < end]
        inside = low < high and spans[low][0] <= at < spans[low][1]
        for start, stop in pairwise([at, *edges, end]):
            yield piece._replace(text=piece.text[start - at : stop - at]), inside
            inside = not inside
        at = end


def _hue(style: tuple[int, ...] | tuple[str, ...]) -> tuple[str, bool]:
    codes = [int(code) for code in style if str(code).isdigit()]
    hue = next((_HUES.get(code % 10, "") for code in codes if 30 <= code <= 37 or 90 <= code <= 97), "")
    return hue, 1 in codes
