"""What is open at a place of Nix text: strings, comments, interpolations. By a scan of the few characters that matter.

A parser that begins in the middle of a text has to know whether that is inside a string. Parsing everything above would
take long; this scan takes some milliseconds for ten thousand lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

INDENTED, QUOTED, COMMENT, INTERPOLATION, BRACE = b"''", b'"', b"/*", b"${", b"{"
CLOSING = {INDENTED: b"''", QUOTED: b'"', COMMENT: b"*/", INTERPOLATION: b"}", BRACE: b"}"}
Nesting = tuple[bytes, ...]
"""What opened each thing that is open, outermost first; () in code. Braces count only inside an interpolation."""

_DEEPEST = 100  # nothing that a person writes; what opens deeper down is not seen
_CODE = re.compile(rb"#[^\n]*|/\*|(?<![\w'-])''|\"")
_INTERPOLATED_CODE = re.compile(_CODE.pattern + rb"|\$\{|[{}]")
_PATTERNS = {
    INDENTED: re.compile(rb"''\$|''\\.|'''|''|\$\$|\$\{", re.S),
    QUOTED: re.compile(rb"\\.|\"|\$\$|\$\{", re.S),
    COMMENT: re.compile(rb"\*/"),
    INTERPOLATION: _INTERPOLATED_CODE,
    BRACE: _INTERPOLATED_CODE,
}

_EVIDENCE = re.compile(rb"''''|'''|''\$|''\\|''|/\*|\*/")
_ENDS = re.compile(rb"\s*[;)\],}+]")
_JUDGED_LINES, _JUDGED_BYTES = 500, 400
_STRANGE_SHARE = 0.5
_WORD = re.compile(rb"\w")
_LIKE_CODE = re.compile(
    rb"""\#.*                                                          # a comment
      | [^\s=]*                                                        # one word, as in a list
      | (?:inherit|with|let|in|assert|import|rec)\b.*
      | (?:\+\+?|//|\|\||&&|->|\?|then|else)\s.*                         # an expression that goes on
      | .*(?:''|[=({\[:,]|[)}\]"][;,]?)                                # one that begins, or ends
      | [^=\s]+\s*=.*;                                                 # a whole definition
    """,
    re.X | re.S,
)


def nesting_after(nesting: Nesting, text: bytes) -> Nesting:
    """What is open at the end of a text, if this is open at its start."""
    opened, at = list(nesting), 0
    while found := (_PATTERNS[opened[-1]] if opened else _CODE).search(text, at):
        at, token = found.end(), found[0]
        if opened and token == CLOSING[opened[-1]]:
            opened.pop()
        elif token in CLOSING and len(opened) < _DEEPEST:
            opened.append(token)
    return tuple(opened)


def closing(nesting: Nesting) -> bytes:
    """What closes all that is open."""
    return b"".join(CLOSING[token] for token in reversed(nesting))


def guess_nesting(lines: Sequence[bytes]) -> Nesting:
    """What is probably open before these lines, of which nobody knows what stands above them.

    It is an indented string or a comment if the first quotes, or the first sign of a comment, look as if they end one.
    Without any it is a string if most lines do not look like Nix. A string in double quotes is never guessed, since
    hardly anybody writes it over several lines.
    """
    for number, line in enumerate(lines):
        for found in _EVIDENCE.finditer(line):
            if found[0] == b"''''":  # an empty string, or an escape and a quote
                continue
            if found[0] in (b"/*", b"*/"):
                return (COMMENT,) if found[0] == b"*/" else ()
            is_end = found[0] != INDENTED or _ends_string(line[: found.start()], line[found.end() :], lines[:number])
            return (INDENTED,) if is_end else ()
    return () if _look_like_code(lines) else (INDENTED,)


def _ends_string(before: bytes, after: bytes, above: Sequence[bytes]) -> bool:
    """Whether two quotes end a string; what stands before and after them in their line, and the lines above."""
    if _ENDS.match(after):
        return True
    if before.strip():
        return False
    return after[:1].isspace() if after.strip() else not _look_like_code(above)


def _look_like_code(lines: Sequence[bytes]) -> bool:
    heads = (line[:_JUDGED_BYTES].strip() for line in lines[:_JUDGED_LINES])
    written = [line for line in heads if _WORD.search(line)]
    strange = sum(not _LIKE_CODE.fullmatch(line) for line in written)
    return strange <= len(written) * _STRANGE_SHARE
