"""Paths and renames in few cells: what distinguishes them from their neighbours is kept, the rest is cut. Pure.

All functions return safe text.
"""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.text import cells, safe, safe_end

_GAP = "…"


def shorten_path(path: str, width: int, others: Iterable[str] = ()) -> str:
    """A path in `width` cells: its end, or what distinguishes it from `others` if their ends are the same."""
    shown = safe(path)
    if cells(shown) <= width:
        return shown
    end = safe_end(path, width - 1)
    rivals = [other for one in others if one != path and (other := safe(one)).endswith(end)]
    if not rivals:
        return _GAP + end
    return _keep_middle(shown, rivals, width)


def _keep_middle(shown: str, rivals: list[str], width: int) -> str:
    """Where a path differs from others with the same end, and as much of the end as there is space for."""
    same = max(_common_length(shown[::-1], rival[::-1]) for rival in rivals)
    differs_at = len(shown) - same  # one past the last character that differs
    if cells(shown[:differs_at]) <= 2 * (width - 1) // 3:  # all that is before fits
        before = shown[:differs_at]
        return f"{before}{_GAP}{safe_end(shown[differs_at:], width - 1 - cells(before))}"
    before = safe_end(shown[:differs_at], max(1, (width - 2) // 2))
    after = safe_end(shown[differs_at:], width - 2 - cells(before))
    return f"{_GAP}{before}{_GAP}{after}"


def shorten_rename(old: str, new: str, width: int) -> str:
    """A path, or both paths of a rename as git writes them, with what they have in common once: `a/{b → c}/d`."""
    if old == new:
        return shorten_path(new, width)
    head, before, after, tail = _split_common(old, new)
    if not head and not tail:
        return _pair(old, new, width, "", "")
    kept = 0 if before and after else min(cells(safe(tail)), width // 2)  # of a file that was moved, its name
    inner = min(width - 2 - kept, cells(safe(before)) + cells(safe(after)) + 3)
    pair = _pair(before, after, inner, "{", "}")
    free = width - cells(pair)
    shown_tail = shorten_path(tail, free) if free > 1 else ""
    free -= cells(shown_tail)
    shown_head = shorten_path(head, free) if free > 1 or not head else ""
    return shown_head + pair + shown_tail


def _split_common(old: str, new: str) -> tuple[str, str, str, str]:
    """The directories that both paths begin with, what differs in each, and the parts that both end with."""
    start = old.rfind("/", 0, _common_length(old, new)) + 1
    old_rest, new_rest = old[start:], new[start:]
    tail = old_rest[len(old_rest) - _common_length(old_rest[::-1], new_rest[::-1]) :]
    if tail not in (old_rest, new_rest):  # else it was moved into another directory, or out of one
        cut = tail.find("/")
        tail = tail[cut:] if cut >= 0 else ""
    end = -len(tail) or None
    return old[:start], old_rest[:end], new_rest[:end], tail


def _pair(old: str, new: str, width: int, opening: str, closing: str) -> str:
    """Two names with an arrow; each gets half of the space, or what the other leaves."""
    arrow, space = " → ", width - 3
    first, second = cells(safe(old)), cells(safe(new))
    first = min(first, max(space // 2, space - second))
    return f"{opening}{shorten_path(old, first, (new,))}{arrow}{shorten_path(new, space - first, (old,))}{closing}"


def _common_length(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (first, second) in pairs if first != second), min(len(one), len(other)))
