"""Patterns of attribute paths, such as `users.users.*.extraGroups` or `boot.**`. Pure.

A part is a name in which `*` stands for any characters; `**` stands for any number of parts, none included. `{a,b.c}`
stands for one of several. A name may be quoted.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^."{}]*(?:\{[^{}]*\}[^."{}]*)*')
_COMPUTED = "?"
_END = "\0"
"""Ends each name of a path that is written as one text; no name has it."""
_ANY = f"[^{_END}]*"
Part = re.Pattern[str] | None
"""None stands for `**`."""
Pattern = tuple[Part, ...]


class BadOption(ValueError):
    """The text is not a pattern of attribute paths."""


_GROUP = re.compile(r'"[^"]*"|\{([^{}]*\.[^{}]*)\}')


@lru_cache(maxsize=2048)
def compile_option(text: str) -> tuple[Pattern, ...]:
    """The patterns that a text stands for, one for each name with dots in its braces; BadOption."""
    for group in _GROUP.finditer(text):
        if group[1] is not None:
            names = (name.strip() for name in group[1].split(","))
            texts = (text[: group.start()] + name + text[group.end() :] for name in names)
            return tuple(pattern for expanded in texts for pattern in compile_option(expanded))
    return (_compile(text),)


def _compile(text: str) -> Pattern:
    parts: list[Part] = []
    at = 0
    while at <= len(text):
        match = _PART.match(text, at)
        if match is None or not match[0] or (match.end() < len(text) and text[match.end()] != "."):
            raise BadOption(f"{text[:80]!r} is not a path of attributes at character {at + 1}")
        parts.append(_compile_part(match[0]))
        at = match.end() + 1
    return tuple(parts)


def _compile_part(part: str) -> Part:
    if part == "**":
        return None
    if part.startswith('"'):
        part = part[1:-1]
    pieces = re.split(r"(\*|\{[^{}]*\})", part)
    return re.compile("".join(map(_translate, pieces)), re.DOTALL)


def _translate(piece: str) -> str:
    if piece == "*":
        return _ANY
    if piece.startswith("{") and piece.endswith("}"):
        return f"(?:{'|'.join(_translate_name(name) for name in piece[1:-1].split(','))})"
    return re.escape(piece)


def _translate_name(name: str) -> str:
    return _ANY.join(re.escape(piece) for piece in name.strip().split("*"))


def join_path(path: tuple[str, ...]) -> str:
    """A path as one text, for `compile_whole`."""
    return "".join(name + _END for name in path)


def compile_whole(patterns: tuple[Pattern, ...], computed: bool = False) -> re.Pattern[str]:
    """One expression for a joined path that any of the patterns describes.

    With `computed`, a part of a path that is computed is any name.
    """
    other = rf"|{re.escape(_COMPUTED)}" if computed else ""
    wholes = (
        "".join(f"(?:{_ANY}{_END})*" if part is None else f"(?:{part.pattern}{other}){_END}" for part in pattern)
        for pattern in patterns
    )
    return re.compile("|".join(f"(?:{whole})" for whole in wholes), re.DOTALL)


def can_begin(pattern: Pattern, beginning: tuple[str, ...], computed: bool = False) -> bool:
    """Whether a path with this beginning may be one that the pattern describes."""
    for part, name in zip(pattern, beginning, strict=False):
        if part is None:
            return True
        if not part.fullmatch(name) and not (name == _COMPUTED and computed):
            return False
    return len(pattern) >= len(beginning) or None in pattern
