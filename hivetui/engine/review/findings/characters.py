"""Lines that do not show what they say, by Unicode properties. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from hivetui.engine.model.text import is_hidden, mixed_script

_BLANK_RUN = re.compile(r"[ \t]{60,}\S")
_EMOJI_STYLE, _EMOJI_JOINER = "\ufe0f", "\u200d"
_WORD = re.compile(r"[^\W\d][\w'-]*")


def has_hidden(text: str) -> bool:
    """Whether a line has a character that is not seen, or that changes what others look like or their order.

    Tabs are not hidden. What joins or styles an emoji is not, where it stands between symbols.
    """
    if text.isascii() and text.isprintable():
        return False
    return any(
        char != "\t" and is_hidden(char) and not _is_part_of_emoji(char, text[at - 1 : at], text[at + 1 : at + 2])
        for at, char in enumerate(text)
    )


def _is_part_of_emoji(char: str, before: str, after: str) -> bool:
    if char == _EMOJI_STYLE:
        return _is_symbol(before)
    return char == _EMOJI_JOINER and (before == _EMOJI_STYLE or _is_symbol(before)) and _is_symbol(after)


def _is_symbol(char: str) -> bool:
    return bool(char) and unicodedata.category(char) in ("So", "Sk", "Sm", "Nd", "Po")


def has_mixed_script(text: str) -> bool:
    """Whether a word has letters of two scripts, one of them Latin, as names that look like others do."""
    return not text.isascii() and any(
        any(char.isascii() and char.isalpha() for char in word) for word in _foreign_words(text)
    )


def _foreign_words(text: str) -> list[str]:
    return [word[0] for word in _WORD.finditer(text) if mixed_script(word[0])]


def has_blank_run(text: str) -> bool:
    """Whether something stands after so many blanks that it may be off the screen."""
    return _BLANK_RUN.search(text) is not None


DETECTORS: Mapping[str, Callable[[str], bool]] = {
    "hidden": has_hidden,
    "mixed-script": has_mixed_script,
    "blank-run": has_blank_run,
}
"""What `detect` of a rule can name, where no regular expression says it."""
