"""What the console's history shows of each entry, and which entries it lists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from textual.content import Content

from hivetui.engine.model.history import HistoryEntry, Outcome
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_date_time, format_moment
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Row, Tone

_GLYPHS: dict[Outcome, tuple[str, Tone]] = {
    Outcome.ACTIVE: ("▶", "good"),
    Outcome.INACTIVE: ("○", "dim"),
    Outcome.DEPLOYED: ("✓", ""),
    Outcome.FAILED: ("✗", "bad"),
}
_TITLE_CELLS = 150
"""Of a title in the detail, so that it leaves rows for the note; the review has all of it."""


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which entries are listed. `days` counts back from now; None in a field is no limit."""

    agent: str | None = None
    outcome: Outcome | None = None
    days: int | None = None

    def select(self, entries: Iterable[HistoryEntry], now: datetime) -> Iterator[HistoryEntry]:
        """The entries that it lets through, in their order."""
        since = now - timedelta(days=self.days) if self.days is not None else None
        for entry in entries:
            is_recent = since is None or entry.at >= since
            if self.agent in (None, entry.agent) and self.outcome in (None, entry.outcome) and is_recent:
                yield entry

    def describe(self) -> str:
        """The limits in words; empty without any."""
        parts = [self.agent or "", str(self.outcome or "")]
        if self.days is not None:
            parts.append(f"last {wording.format_count(self.days, 'day')}")
        return ", ".join(part for part in parts if part)


def build_row(entry: HistoryEntry, now: datetime, utc: bool) -> Row:
    """One entry as a row; times are local or in UTC."""
    glyph, tone = _GLYPHS[entry.outcome]
    return Row(
        entry.key,
        (
            Cell(f"#{entry.id}", "strong", entry.id),
            entry.agent,
            Cell(f"{glyph} {entry.outcome}", tone),
            Cell(format_moment(entry.at, now, utc), "", entry.at.timestamp()),
            entry.operator,
            entry.title,
            entry.text.partition("\n")[0],
            str(entry.kind),
            wording.short_hash(entry.commit),
        ),
    )


def build_detail(entry: HistoryEntry, now: datetime) -> Content:
    """All of one entry, wrapped by the widget that shows it: title, times, operator, note or error."""
    span = wording.format_span(abs(now - entry.at))
    age = f"{span} ago" if entry.at <= now else f"in {span}"
    local, utc = format_date_time(entry.at, None), format_date_time(entry.at)
    title = safe(entry.title or str(entry.kind), _TITLE_CELLS)
    lines = [
        (f"#{entry.id} {entry.agent}: {title}", "bold"),
        (f"{entry.outcome} {local} local, {utc} UTC, {age}, by {entry.operator or 'unknown'}", "$foreground 70%"),
        *((line, "$error" if entry.outcome is Outcome.FAILED else "") for line in entry.text.splitlines() if line),
    ]
    return Content("\n").join(Content.styled(safe(line), style) for line, style in lines)
