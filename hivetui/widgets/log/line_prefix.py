"""What stands before the text of each line of a log: when it was written, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, tzinfo

from hivetui.engine.model.text import cells, safe
from hivetui.engine.model.times import format_day_line, format_time, in_zone
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.strips import StyledText
from hivetui.widgets.log.store import Line, Source

_AGENT_CELLS = 9


class LinePrefix:
    """The columns for time and source; each is there if the line has one and it is to be shown.

    Times have the date that they need by `now`, and the first line of each day a heading.
    """

    def __init__(self, styles: ComponentStyles, timezone: tzinfo, source_label: Callable[[Source], str]) -> None:
        self.show_times = True
        self.show_sources = True
        self.now = datetime.now(UTC)
        self.hues: dict[str, str] = {}  # agent to "green", "blue" …: the colour of its name
        self._styles = styles
        self._timezone = timezone
        self._source_label = source_label

    def day_of(self, time: float) -> date:
        """The day of a time."""
        return datetime.fromtimestamp(time, self._timezone).date()

    @property
    def today(self) -> date:
        """The day of `now`."""
        return in_zone(self.now, self._timezone).date()

    def day_heading(self, line: Line, before: Line | None) -> str:
        """The heading above a line whose day is not that of the line before it, or not today if it is the first one."""
        if not self.show_times or line.time is None:
            return ""
        day = self.day_of(line.time)
        previous = self.today if before is None or before.time is None else self.day_of(before.time)
        return "" if day == previous else f"── {format_day_line(day)} ──"

    def pieces(self, line: Line) -> Iterator[StyledText]:
        """The columns of one line."""
        if self.show_times and line.time is not None:
            moment = datetime.fromtimestamp(line.time, UTC)
            yield format_time(moment, self.now, self._timezone) + " ", self._styles.of("log--time")
        if self.show_sources and line.source is not None:
            hue = self.hues.get(line.source.agent, "source")
            yield self._source_label(line.source) + " ", self._styles.of(f"log--{hue}")


def agent_label(source: Source) -> str:
    """The agent, and a mark for stderr."""
    name = safe(source.agent, _AGENT_CELLS)
    return name + " " * (_AGENT_CELLS - cells(name)) + (" !" if source.stream == "stderr" else " │")
