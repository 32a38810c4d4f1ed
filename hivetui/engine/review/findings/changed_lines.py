"""Which lines of a file are not on the other side. Pure."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from hivetui.engine.review.findings.tree import Blob


@lru_cache(maxsize=64)
def added_lines(old: Blob | None, new: Blob) -> frozenset[int]:
    """The numbers, from 1, of the lines of `new` that `old` does not have, or not as often."""
    if old is None:
        return frozenset(range(1, len(new.lines) + 1))
    left = Counter(old.lines)
    found = set()
    for number, line in enumerate(new.lines, 1):
        if left[line] > 0:
            left[line] -= 1
        else:
            found.add(number)
    return frozenset(found)
