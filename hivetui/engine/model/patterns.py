"""Compiles what a person typed to search or filter by. RE2 matches in linear time, whatever the pattern and the line.

CPU seconds for a million lines of 90 characters: `re`, one call a line, 0.8 to 2; RE2, one call a line, 8 to 25, as its
calls are slow; RE2, one call for a block of 512 lines, 0.5 if few lines match and 4 if all do. So blocks are searched.
What RE2 does not support, lookaround and backreferences, is refused in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.text import safe

_ESCAPED = re.compile(r"\\.")
_LOOKAROUND = re.compile(r"\(\?<?[=!]")
_BACKREFERENCE = re.compile(r"\\[1-9]|\(\?P=")
_OWN_LINE_MODE = re.compile(r"\\[AzQ]|\(\?[a-zA-Z-]+[:)]")  # \A, \z, \Q…\E and flags mean something else in a block
_SHORT_CELLS = 24
Span = tuple[int, int]


class BadPattern(ValueError):
    """The text is not a regular expression that RE2 can match; the message says why."""


class Pattern:
    """A compiled regular expression that matches within single lines."""

    def __init__(self, text: str, line: Any, block: Any) -> None:
        self.text = text
        self._line = line  # google-re2 has no types
        self._block = block  # the same expression for many lines at once; None if it would mean something else there

    @property
    def short_text(self) -> str:
        """The expression, cut if it is long, for a line in which other things tell more."""
        return safe(self.text, _SHORT_CELLS)

    def find(self, line: str) -> Span | None:
        """The span of the first match in a line of safe text."""
        match = self._line.search(line)
        return None if match is None else match.span()

    def spans(self, line: str) -> list[Span]:
        """The spans of all matches in a line of safe text that are not empty."""
        return [match.span() for match in self._line.finditer(line) if match.end() > match.start()]

    def matching_lines(self, block: bytes) -> Iterator[int]:
        """The indexes of the lines that match, of lines joined by line feeds, safe and encoded as UTF-8."""
        if self._block is None:
            yield from (index for index, line in enumerate(block.decode().split("\n")) if self._line.search(line))
            return
        index = at = 0
        last = -1
        for match in self._block.finditer(block):
            start = match.start()
            index += block.count(b"\n", at, start)
            at = start
            if index > last:  # else it is an empty match at the end of a line that matched already
                last = index
                yield index


def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression in the syntax of RE2. Upper-case letters make it case-sensitive.

    Raises BadPattern with a message for a person.
    """
    # Imported on first use: 4 ms that the first frame does not need.
    import re2

    options = re2.Options()
    options.never_nl = True  # so that a match in a block never extends over two lines
    options.never_capture = True
    options.log_errors = False  # RE2 would write them to stderr, over the screen
    letters = _ESCAPED.sub("", text)
    options.case_sensitive = letters != letters.lower()
    try:
        line = re2.compile(text, options)
        # `.*` takes the rest of the line, so that each line is found once.
        block = None if _OWN_LINE_MODE.search(text) else re2.compile(f"(?m:(?:{text}).*)".encode(), options)
    except re2.error as error:
        raise BadPattern(_explain(text, error)) from None
    except UnicodeEncodeError:
        raise BadPattern("the pattern contains bytes that are not UTF-8") from None
    return Pattern(text, line, block)


def find_problem(text: str) -> str:
    """Why `compile_pattern` refuses a text; "" if it does not."""
    try:
        compile_pattern(text)
    except BadPattern as error:
        return str(error)
    return ""


def require_pattern(text: str) -> Pattern:
    """As `compile_pattern`; BadData for what a verb was given."""
    try:
        return compile_pattern(text)
    except BadPattern as error:
        what = f"{text[:60]!r} is not a valid regular expression"
        fix = r"Use the syntax of RE2; write \ before ( [ * + ? to search for the character."
        why = str(error)
        raise BadData(what, f"{why[0].upper()}{why[1:]}.", fix) from error


def _explain(text: str, error: Exception) -> str:
    unescaped = text.replace("\\\\", "")
    if _LOOKAROUND.search(text):
        return "lookahead and lookbehind are not supported"
    if _BACKREFERENCE.search(unescaped):
        return "backreferences are not supported"
    reason = error.args[0] if error.args else ""
    words = reason.decode("utf-8", "surrogateescape") if isinstance(reason, bytes) else str(reason)
    return f"not a regular expression: {words.removesuffix(f': {text}')}"  # the reader sees the text
