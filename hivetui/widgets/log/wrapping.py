"""Where a view of wrapped lines is: arithmetic on lines of several rows, which counts only rows that are near."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Place(NamedTuple):
    """The top of a view: the position of a line, and the row within it."""

    position: int
    row: int = 0


class LineHeights(NamedTuple):
    """Lines from position `first` to before `end`, and how many rows each takes."""

    first: int
    end: int
    height: Callable[[int], int]


def bottom(lines: LineHeights, page: int) -> Place:
    """The top place that puts the last row at the bottom of a page of so many rows."""
    left, position = page, lines.end
    while position > lines.first and left > 0:
        position -= 1
        left -= lines.height(position)
    return Place(position, max(0, -left))


def scroll(lines: LineHeights, page: int, top: Place, rows: int) -> Place:
    """The top place that is `rows` below another (above, if negative), within the lines there are."""
    position, row = top.position, top.row + rows
    while row < 0 and position > lines.first:
        position -= 1
        row += lines.height(position)
    while position < lines.end - 1 and row >= lines.height(position):
        row -= lines.height(position)
        position += 1
    return max(Place(lines.first), min(Place(position, row), bottom(lines, page)))
