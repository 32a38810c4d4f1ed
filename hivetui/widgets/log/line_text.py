"""The shown text of a kept line of a log: safe, with theme colours, a level, matches, and the number of bytes cut.

Colours of the writer (SGR) are kept as far as they cannot hide text; no other escape sequence has an effect.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from hivetui.engine.model.binary import binary_label, is_binary
from hivetui.engine.model.text import safe, sgr_only

SHOWN_BYTES = 4096  # of a line
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"  # bytes that are shown as themselves
_LINE_FEED = "\\n"  # what is kept of a line feed within a line
LEVEL_GLYPHS = {"error": "✖", "warning": "▲", "info": "·", "": " "}
_HUES = {1: "red", 2: "green", 3: "yellow", 4: "blue", 5: "magenta", 6: "cyan"}


class Piece(NamedTuple):
    """A safe text, the component class of its hue ("" for none), and whether its writer made it bold."""

    text: str
    hue: str = ""
    bold: bool = False


def one_line(text: str) -> bytes:
    """A line's bytes, also those that are not UTF-8. A line feed in it is escaped, as it would make two lines."""
    return text.replace("\n", _LINE_FEED).encode("utf-8", "surrogateescape")


def shown_pieces(raw: bytes, limit: int | None = SHOWN_BYTES) -> list[Piece]:
    """The shown text of a line, or of its first `limit` bytes, in pieces of one style each; of binary data its size."""
    text = raw[:limit].decode("utf-8", "surrogateescape").removesuffix("\r")
    if is_binary(text):
        end = raw[-100:].decode("utf-8", "surrogateescape")
        return [Piece(binary_label(end, len(raw) - raw.count(_LINE_FEED.encode())))]
    if "\t" in text:
        text = text.expandtabs()
    if "\x1b" not in text:
        return [Piece(safe(text))]
    return [Piece(piece, *_hue_and_weight(style)) for piece, style in sgr_only(text)]


def shown_text(raw: bytes) -> str:
    """The shown text of a line. Searches look at this text, so that they find what a person sees."""
    return "".join(piece.text for piece in shown_pieces(raw))


def shown_block(raws: list[bytes]) -> bytes:
    """The shown text of lines, joined by line feeds, in UTF-8. Fast for plain lines, which most are."""
    block = b"\n".join(raws)
    if block.translate(None, _PLAIN) or len(max(raws, key=len, default=b"")) > SHOWN_BYTES:
        return "\n".join(map(shown_text, raws)).encode()
    return block


def hidden_bytes(raw: bytes, cut: int) -> int:
    """How many bytes of a line are not shown; `cut` were dropped before it was kept."""
    hidden = max(0, len(raw) - SHOWN_BYTES)
    return cut if hidden and is_binary(raw[:SHOWN_BYTES].decode("utf-8", "surrogateescape")) else cut + hidden


def split_at_spans(pieces: list[Piece], spans: list[tuple[int, int]]) -> Iterator[tuple[Piece, bool]]:
    """Split pieces at the ends of spans, and tell for each part whether it lies in a span.

    Spans are in ascending order and do not overlap.
    """
    start = 0
    for piece in pieces:
        end = start + len(piece.text)
        low = bisect_left(spans, start, key=lambda span: span[1])
        high = bisect_left(spans, end, key=lambda span: span[0])
        edges = [edge for span in spans[low:high] for edge in span if start < edge < end]
        inside = low < high and spans[low][0] <= start < spans[low][1]
        for left, right in pairwise([start, *edges, end]):
            yield piece._replace(text=piece.text[left - start : right - start]), inside
            inside = not inside
        start = end


def _hue_and_weight(style: tuple[int, ...]) -> tuple[str, bool]:
    hue = next((_HUES.get(code % 10, "") for code in style if 30 <= code <= 37 or 90 <= code <= 97), "")
    return hue, 1 in style
