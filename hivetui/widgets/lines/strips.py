"""Strips made of text that is safe already."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from hivetui.engine.model.text import cells

StyledText = tuple[str, Style]


def make_strip(pieces: Iterable[StyledText]) -> Strip:
    """A strip of safe texts, each with its style; empty texts are left out."""
    segments = [Segment(text, style) for text, style in pieces if text]
    return Strip(segments, sum(cells(segment.text) for segment in segments))


def wrap_strip(strip: Strip, width: int) -> list[Strip]:
    """A strip cut into rows of at most `width` cells; an empty strip is one row."""
    length = strip.cell_length
    if length <= width:
        return [strip]
    return list(strip.divide([*range(width, length, width), length]))
