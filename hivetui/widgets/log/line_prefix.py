"""What stands before the text of each line of a log: when it was written, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import inf

from hivetui.engine.model.text import cells, safe
from hivetui.engine.model.times import format_day_line, format_time, in_zone
from hivetui.widgets.lines.component_styles import ComponentStyles
from hivetui.widgets.lines.strips import StyledText
from hivetui.widgets.log.store import Line, Source

_AGENT_CELLS = 9


class LinePrefix:
    """The columns for time and source; each is there if the line has one and it is to be shown.

    Times have the date that they need now, and the first line of each day a heading. Most lines are of the same day,
    and in a flood of the same second, as the line before, so both are kept.
    """

    def __init__(self, styles: ComponentStyles, timezone: tzinfo, source_label: Callable[[Source], str]) -> None:
        self.show_times = True
        self.show_sources = True
        self.hues: dict[str, str] = {}  # agent to "green", "blue" …: the colour of its name
        self._styles = styles
        self._timezone = timezone
        self._source_label = source_label
        self._now = datetime.now(UTC)
        self._today = in_zone(self._now, timezone).date()
        self._day = (0.0, 0.0, self._today)  # when the day of the last line began and ends
        self._second = (-1, "")  # of the last line, and how it is written

    def take_time(self, now: datetime) -> bool:
        """Note what time it is; whether another day has begun, so that times of today need a date."""
        today = in_zone(now, self._timezone).date()
        is_another_day = today != self._today
        self._now, self._today = now, today
        if is_another_day:
            self._second = (-1, "")
        return is_another_day

    def day_heading(self, time: float | None, before: float | None) -> str:
        """The heading above a line whose day is not that of the line before it, or not today if there is none."""
        if not self.show_times or time is None:
            return ""
        day = self._day_of(time)
        previous = self._today if before is None else self._day_of(before)
        return "" if day == previous else f"── {format_day_line(day)} ──"

    def pieces(self, line: Line) -> Iterator[StyledText]:
        """The columns of one line."""
        if self.show_times and line.time is not None:
            yield self._time_text(line.time), self._styles.of("log--time")
        if self.show_sources and line.source is not None:
            hue = self.hues.get(line.source.agent, "source")
            yield self._source_label(line.source) + " ", self._styles.of(f"log--{hue}")

    def _day_of(self, time: float) -> date:
        began, ends, day = self._day
        if not began <= time < ends:
            midnight = datetime.fromtimestamp(time, self._timezone).replace(hour=0, minute=0, second=0, microsecond=0)
            day = midnight.date()
            ends = (midnight + timedelta(days=1)).timestamp() if day < date.max else inf
            self._day = midnight.timestamp(), ends, day
        return day

    def _time_text(self, time: float) -> str:
        if int(time) != self._second[0]:
            text = format_time(datetime.fromtimestamp(time, UTC), self._now, self._timezone)
            self._second = int(time), text + " "
        return self._second[1]


def agent_label(source: Source) -> str:
    """The agent, and a mark for stderr."""
    name = safe(source.agent, _AGENT_CELLS)
    return name + " " * (_AGENT_CELLS - cells(name)) + (" !" if source.stream == "stderr" else " │")
