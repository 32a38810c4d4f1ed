"""Lines that programs of agents wrote, as text for stdout: the same text that the console shows.

On a terminal with the writer's colours, cut with a count if they are very long; elsewhere without colours, and whole.
"""

from __future__ import annotations

import os
from typing import NamedTuple, TextIO

from hivetui.engine.model.text import safe
from hivetui.widgets.log.line_text import SHOWN_BYTES, Piece, hidden_bytes, one_line, shown_pieces

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}


class LineStyle(NamedTuple):
    """How lines are written: cut if they are very long, and with colours."""

    is_cut: bool = False
    has_colours: bool = False


PLAIN = LineStyle()


def line_style(stdout: TextIO) -> LineStyle:
    """The style for a stream; see https://no-color.org for NO_COLOR."""
    is_terminal = stdout.isatty()
    wants_colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return LineStyle(is_terminal, is_terminal and wants_colours)


def show_line(text: str, style: LineStyle, cut: int = 0) -> str:
    """The text of a line; `cut` is how many bytes its writer's reader dropped of it."""
    raw = one_line(text)
    pieces = shown_pieces(raw, SHOWN_BYTES if style.is_cut else None)
    hidden = hidden_bytes(raw, cut) if style.is_cut else cut
    shown = "".join(_coloured(piece) if style.has_colours else piece.text for piece in pieces)
    return shown + (f"… (+{hidden} bytes)" if hidden else "")


def _coloured(piece: Piece) -> str:
    codes = ";".join(filter(None, ("1" if piece.bold else "", _COLOURS.get(piece.hue, ""))))
    return f"\x1b[{codes}m{piece.text}\x1b[m" if codes and piece.text else piece.text


def show_diff_line(line: str, style: LineStyle) -> tuple[str, int]:
    """A line of a diff, safe, and how many characters of it are not shown; if there are any, it ends with the count."""
    hidden = max(0, len(line) - SHOWN_BYTES) if style.is_cut else 0
    shown = safe(line[:SHOWN_BYTES] if hidden else line, tab="    ")
    return (f"{shown}… (+{hidden} characters)" if hidden else shown), hidden
