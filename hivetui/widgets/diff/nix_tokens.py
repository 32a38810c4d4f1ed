"""Splits Nix into tokens to colour, one line at a time; so a line inside a multi-line string is coloured as code."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<comment>\#.*|/\*.*?(?:\*/|$))
      | (?P<string>"(?:[^"\\]|\\.)*"?|''(?:[^']|'(?!'))*(?:'')?)
      | (?P<keyword>\b(?:let|in|with|rec|inherit|if|then|else|assert|or|import)\b)
      | (?P<constant>\b(?:true|false|null|builtins|throw|abort)\b|\b\d+(?:\.\d+)?\b)
      | (?P<name>[A-Za-z_][\w'.-]*(?=\s*=[^=]))
      | (?P<path>(?:\.{1,2}|~|<)?/[\w./+-]+>?|<[\w/.-]+>)""",
    re.X,
)


def tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind (comment, string, keyword, constant, name, path) of each token of a line."""
    for match in _TOKEN.finditer(text):
        yield match.start(), match.end(), match.lastgroup or ""
