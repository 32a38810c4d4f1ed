"""How much of a log is read: the last lines, or those since some time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.model.errors import BadData
from hivetui.engine.model.time_parsing import parse_time
from hivetui.engine.model.times import format_date_time
from hivetui.screens.dialogs.text import TextDialog

DEFAULT_LINES = 1000
MAX_LINES = 1_000_000
"""As many as the view keeps, unless `console.log_lines` says otherwise, and as can be asked for."""
_GROWTH = 10
_MAX_DIGITS = 8


@dataclass(frozen=True)
class Tail:
    """The last `lines`, all if None; with `since`, those since that time (UTC)."""

    lines: int | None = DEFAULT_LINES
    since: datetime | None = None

    def describe(self) -> str:
        """What is read, in words."""
        if self.since is not None:
            return f"since {format_date_time(self.since)}"
        if self.lines is None:
            return "all lines"
        return "the last line" if self.lines == 1 else f"the last {self.lines} lines"

    def may_have_older(self, line_count: int) -> bool:
        """Whether there may be lines before the oldest of these `line_count`, without a start that was asked for."""
        return self.since is None and self.lines is not None and line_count >= self.lines

    def extended(self, max_lines: int) -> Tail:
        """Ten times as many lines; all where that is more than the view keeps."""
        lines = (self.lines or max_lines) * _GROWTH
        return Tail(lines if lines < max_lines else None)


def parse_tail(text: str, now: datetime) -> Tail:
    """`500` is the last 500 lines, `all` is all lines, and anything else a time as `parse_time` takes it.

    Raises BadData.
    """
    if text == "all":
        return Tail(None)
    if text.isascii() and text.isdecimal() and len(text) < _MAX_DIGITS and 0 < int(text) <= MAX_LINES:
        return Tail(int(text))
    return Tail(None, parse_time(text, now))


class TailDialog(TextDialog):
    """Asks how much of the log to read."""

    def __init__(self, max_lines: int, now: datetime) -> None:
        text = f"A number of lines (500), a time (10m, 1h30m, 18:00, yesterday), or all (the last {max_lines:,} lines)."
        super().__init__("How much of the log?", (text,), "500")
        self._now = now

    def problem(self, text: str) -> str | None:
        """Why this is no answer, or None."""
        try:
            parse_tail(text.strip(), self._now)
        except BadData as error:
            return f"{error.what}. {error.why}"
        return None
