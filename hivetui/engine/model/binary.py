"""Binary data in a log: a text that is none, and how it is named in place of being shown byte by byte. Pure."""

from __future__ import annotations

import re

_NO_TEXT = re.compile("[\x00-\x06\x0b\x0e-\x1a\x1c-\x1f\ud800-\udfff]")
"""Characters that text does not contain: controls but those that programs print, and bytes that are not UTF-8."""
_FEWEST = 4
_SHARE = 4  # at least one in so many characters of binary data is none of text
_TRUNCATED = re.compile(r" … \((journal entry of \d{1,12} bytes, truncated)\)$", re.ASCII)
"""What is at the end of an entry of which only the beginning was read."""


def is_binary(text: str) -> bool:
    """Whether a text, also one of several lines, is binary data; bytes that are not UTF-8 are surrogates."""
    if text.isprintable():
        return False
    count = len(_NO_TEXT.findall(text))
    return count >= _FEWEST and count * _SHARE >= len(text)


def has_binary(text: str) -> bool:
    """Whether there is a character in a text that no text contains."""
    return not text.isprintable() and _NO_TEXT.search(text) is not None


def binary_label(text: str, size: int) -> str:
    """What is shown of binary data of so many bytes; `text` is its end."""
    if found := _TRUNCATED.search(text):
        return f"‹binary, {found[1]}›"
    return f"‹binary, {size} byte{'s' * (size != 1)}›"
