"""What a table is given: columns, and rows of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from hivetui.engine.model.text import safe

Tone = Literal["", "good", "bad", "warn", "dim", "busy", "strong"]


class Column(NamedTuple):
    """One column; widths in cells. If not all columns fit, those with the lowest `priority` are left out.

    `names` marks the column whose text is the name of the row, which a filter prefers to all other cells.
    `shorten` makes a text safe and cuts it to so many cells; by default its end is cut.
    `enough` is what it gets of the width that its texts want before columns with a lower priority get any.
    """

    id: str
    title: str
    min_width: int
    max_width: int
    priority: int = 0
    align: Literal["left", "right"] = "left"
    names: bool = False
    shorten: Callable[[str, int], str] = safe
    enough: int = 0


class Cell(NamedTuple):
    """A text, its tone (which never tells anything alone), and the value to sort by, if not the text."""

    text: str
    tone: Tone = ""
    sort: float | str | None = None


class Row(NamedTuple):
    """One row: a cell or plain text for each column. Folded rows form a group at the end."""

    key: str
    cells: tuple[Cell | str, ...]
    folded: bool = False


def cell_of(cell: Cell | str) -> Cell:
    """A cell, also of plain text."""
    return Cell(cell) if isinstance(cell, str) else cell
