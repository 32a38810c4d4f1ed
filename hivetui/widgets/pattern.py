"""What a person typed to search or filter by, as a pattern that a hostile line cannot make run for ever."""

from __future__ import annotations

import re

_MOST_REPEATS = 6


class BadPattern(ValueError):
    """The pattern is not one, or could take for ever; the text says which."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """A regular expression; case counts only when it has capitals. Raises BadPattern with words for a person."""
    try:
        pattern = re.compile(text, 0 if re.sub(r"\\.", "", text) != re.sub(r"\\.", "", text).lower() else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"not a regular expression: {error}") from None
    if _can_explode(text):
        raise BadPattern("a repeat of something that repeats or chooses could take for ever on a hostile line")
    return pattern


def _can_explode(text: str) -> bool:
    """Whether a group that repeats or chooses inside is repeated itself, or there are too many repeats in a row."""
    text = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.", "x", text)
    if len(re.findall(r"[*+]|\{\d*,\d*\}", text)) > _MOST_REPEATS:
        return True
    inside = [False]
    for match in re.finditer(r"\((?:\?[^:)]*:?)?|\)[*+{]?|[*+|{]", text):
        token = match[0]
        if token.startswith("("):
            inside.append(False)
        elif token.startswith(")"):
            varies = inside.pop() if len(inside) > 1 else False
            if varies and len(token) > 1:
                return True
            inside[-1] |= varies or len(token) > 1
        else:
            inside[-1] = True
    return False
