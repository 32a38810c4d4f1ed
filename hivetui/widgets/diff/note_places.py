"""Where notes stand in a diff."""

from __future__ import annotations

from typing import NamedTuple

from hivetui.engine.model.findings import Side


class ShownNote(NamedTuple):
    """A note below line `number` of a file on one side; `label` stands before its text, `style` is of its row.

    `style` is a part of a component class: note, touched, untouched.
    """

    side: Side
    file: str
    number: int
    text: str
    label: str = ""
    style: str = "note"


class ChosenLines(NamedTuple):
    """The chosen lines of one file on one side."""

    side: Side
    file: str
    first: int
    last: int
