"""Which words of a changed line differ from the line that it replaces."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

LONGEST = 400  # characters; comparing longer lines takes too long and helps little
_MAX_WORDS = 100  # in the part that differs; SequenceMatcher is cubic in the worst case
_WORD_CHAR = re.compile(r"\w")
_WORD = re.compile(r"\w+|\s+|.")
Spans = tuple[tuple[int, int], ...]


@lru_cache(maxsize=2048)
def changed_words(old: str, new: str) -> tuple[Spans, Spans]:
    """Where two lines differ, as (start, end) in each; none if they are too long or have little in common."""
    if max(len(old), len(new)) > LONGEST or old == new:
        return (), ()
    head = _common_length(old, new)
    tail = _common_length(old[head:][::-1], new[head:][::-1])
    before, after = _WORD.findall(old[head : len(old) - tail]), _WORD.findall(new[head : len(new) - tail])
    if max(len(before), len(after)) > _MAX_WORDS:
        return _spans(before, head, [(0, len(before))]), _spans(after, head, [(0, len(after))])
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if head + tail + sum(block.size for block in matcher.get_matching_blocks()) < max(len(old), len(new)) // 5:
        return (), ()
    changes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return _spans(before, head, [code[1:3] for code in changes]), _spans(after, head, [code[3:5] for code in changes])


def _common_length(a: str, b: str) -> int:
    """The length of the common start of two texts, in whole words."""
    count = next((n for n, (left, right) in enumerate(zip(a, b, strict=False)) if left != right), min(len(a), len(b)))
    in_word = any(_WORD_CHAR.match(text, count) for text in (a, b))
    while in_word and count and _WORD_CHAR.match(a, count - 1):
        count -= 1
    return count


def _spans(words: list[str], start: int, ranges: list[tuple[int, int]]) -> Spans:
    edges = [start]
    for word in words:
        edges.append(edges[-1] + len(word))
    return tuple((edges[low], edges[high]) for low, high in ranges if low < high)
