"""Clicks on the parts of a line, each of which stands for an action."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message


class FrameClicked(Message):
    """A part of a line was clicked; `action` is what it stands for."""

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__()


def action_at(ends: Sequence[tuple[int, str]], x: int) -> str:
    """The action at a column, of parts with the column where each ends; "" for none."""
    return next((action for end, action in ends if x < end), "")
