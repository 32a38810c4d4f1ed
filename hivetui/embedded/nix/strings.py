"""String and path literals of the Nix language."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Text = Callable[["Node"], str]
"""Gives the source text of a node or, for an interpolation, the string that it evaluates to."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Verbatim(str):
    """Part of a string that does not count as indentation: an escape or an interpolation."""

    __slots__ = ()


def parts(node: Node, text: Text) -> list[str]:
    """The parts of a string literal between its quotes, with escapes and interpolations replaced."""
    found: list[str] = []
    for child in node.named_children:
        if child.type == "escape_sequence":
            found.append(Verbatim(_unescape(text(child))))
        elif child.type == "interpolation":
            found.append(Verbatim(text(child)))
        elif child.type == "string_fragment":
            found.append(text(child))
    return found


def _unescape(escape: str) -> str:
    """The text of an escape sequence: `\\n` in a string, `''\\n` and `'''` in an indented one."""
    if escape == "'''":
        return "''"
    return _ESCAPES.get(escape[-1], escape[-1])


def path(node: Node, text: Text, file: str) -> Path:
    """The absolute path of a path literal in `file`."""
    written = "".join(text(child) for child in node.named_children)
    folder = os.path.dirname(file)  # noqa: PTH120  (the name may stand for text that is in no file)
    return Path(os.path.normpath(written if written.startswith("/") else f"{folder}/{written}"))


def dedent(pieces: list[str]) -> str:
    """An indented string without its common indentation and without a blank first line (Nix manual, "String")."""
    merged: list[str] = []
    for piece in pieces:
        if merged and not isinstance(piece, Verbatim) and not isinstance(merged[-1], Verbatim):
            merged[-1] += piece
        else:
            merged.append(piece)
    if merged and not isinstance(merged[0], Verbatim):
        merged[0] = re.sub(r"\A *\n", "", merged[0])
    width = _indentation(merged)
    last = len(merged) - 1
    return "".join(
        piece if isinstance(piece, Verbatim) else _strip(piece, width, first=at == 0, last=at == last)
        for at, piece in enumerate(merged)
    )


def _indentation(pieces: list[str]) -> int:
    """The least indentation of the lines that are not blank."""
    widths: list[int] = []
    for at, piece in enumerate(pieces):
        if isinstance(piece, Verbatim):
            widths += [0] if at == 0 else []
            continue
        lines = piece.split("\n")
        for number, line in enumerate(lines):
            starts_line = number > 0 or at == 0
            continues = number == len(lines) - 1 and at < len(pieces) - 1
            if starts_line and (line.strip(" ") or continues):
                widths.append(len(line) - len(line.lstrip(" ")))
    return min(widths, default=0)


def _strip(text: str, width: int, first: bool, last: bool) -> str:
    """Remove up to `width` spaces from every line; the first line of a piece starts a line in the first piece only."""
    lines = text.split("\n")
    for number in range(0 if first else 1, len(lines)):
        indentation = len(lines[number]) - len(lines[number].lstrip(" "))
        lines[number] = lines[number][min(width, indentation) :]
    if last and len(lines) > 1 and not lines[-1].strip(" "):
        lines[-1] = ""
    return "\n".join(lines)
