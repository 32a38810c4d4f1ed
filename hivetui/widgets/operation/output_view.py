"""The output of an operation: a log whose lines name a stream instead of an agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from hivetui.widgets import wording
from hivetui.widgets.log.levels import level_of
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.log.store import Source

BUILD = "build"  # the stream of what nix writes to stderr while it builds, which is its log and not its errors
COMMAND = "command"
_STREAM_LABELS = {
    "stdout": "out",
    "stderr": "err",
    BUILD: "build",
    "engine": "•",
    COMMAND: "$",
    "step": "▶",
    "state": "■",
}
_LABEL_CELLS = max(map(len, _STREAM_LABELS.values()))


class OutputView(LogView):
    """The output, without the commands unless they are asked for."""

    def __init__(self, timezone: tzinfo, clock: Callable[[], datetime]) -> None:
        super().__init__(
            empty="No output yet.", timezone=timezone, clock=clock, source_label=_stream_label, level=_level
        )
        self.commands_key = "i"  # shown in the status line; keys can be remapped
        self.commands_shown = False
        self.ended = False  # whether nothing more will arrive

    def show_commands(self, shown: bool) -> None:
        """Show or hide the commands that were run."""
        self.commands_shown = shown
        self.hide_sources(None if shown else _is_command)

    def state_label(self) -> str:
        """Whether the view moves; "ended" once nothing can make it move."""
        return "ended" if self.ended and not self.frozen else super().state_label()

    def count_label(self) -> str:
        """How many lines there are, and how many commands are hidden."""
        shown, line_filter = self.line_count(), self.shown.filter
        if line_filter is None or line_filter.pattern is not None:
            return super().count_label()
        hidden = self.store.end - self.store.first - shown
        if not hidden:
            return wording.format_count(shown, "line")
        commands = wording.format_count(hidden, "command")
        return f"{wording.format_count(shown, 'line')}, {commands} hidden ({self.commands_key})"


def _stream_label(source: Source) -> str:
    return _STREAM_LABELS.get(source.stream, "?").ljust(_LABEL_CELLS)


def _level(source: Source | None, text: str) -> str:
    """Commands and steps report no errors of their own; being on stderr does not make a line an error."""
    return "info" if source is not None and source.stream in (COMMAND, "step") else level_of(text)


def _is_command(source: Source) -> bool:
    return source.stream == COMMAND
