"""What the history lists: every deploy, and every deploy that failed, with title, outcome, time and operator. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from textual.content import Content

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_date_time, format_moment
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Row, Tone


class Outcome(StrEnum):
    """What became of a deploy; `active` is the one that the agent runs, `inactive` the one that it would run if it ran.

    An agent that was destroyed has neither.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEPLOYED = "deployed"
    FAILED = "failed"


_GLYPHS: dict[Outcome, tuple[str, Tone]] = {
    Outcome.ACTIVE: ("▶", "good"),
    Outcome.INACTIVE: ("○", "dim"),
    Outcome.DEPLOYED: ("✓", ""),
    Outcome.FAILED: ("✗", "bad"),
}
_CURRENT = {
    AgentState.RUNNING: Outcome.ACTIVE,
    AgentState.STOPPING: Outcome.ACTIVE,
    AgentState.KEPT: Outcome.DEPLOYED,
}
"""What the current deploy of an agent is in these states of its container; in any other it is inactive."""
_FIRST_TITLE = "first system"
_TITLE_CELLS = 150
"""Of a title in the detail, so that it leaves rows for the note; the review has all of it."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One deploy. `text` is the note of the decision, or why the deploy failed."""

    id: int
    agent: str
    outcome: Outcome
    kind: ProposalKind
    commit: str | None
    at: datetime
    operator: str
    title: str
    text: str

    @property
    def key(self) -> str:
        """The key of its row; ids are unique only for proposals, and every agent has a deploy 0."""
        return f"{self.agent} {self.id}"


def combine(deployments: Iterable[Deployment], proposals: Iterable[Proposal]) -> tuple[HistoryEntry, ...]:
    """The deploys, with the titles of their proposals, and the deploys that failed; newest first."""
    by_id = {(proposal.agent, proposal.id): proposal for proposal in proposals}
    entries = [_deployed(one, by_id.get((one.agent, one.id))) for one in deployments]
    entries += [_failed(proposal) for proposal in by_id.values() if proposal.state is ProposalState.FAILED]
    return tuple(sorted(entries, key=lambda entry: (entry.at, entry.id, entry.agent), reverse=True))


def with_agent_states(entries: Iterable[HistoryEntry], states: Mapping[str, AgentState]) -> tuple[HistoryEntry, ...]:
    """The entries, of which one is active only if its agent runs; `states` are those of the agents by name."""
    return tuple(
        replace(entry, outcome=_CURRENT.get(states.get(entry.agent, AgentState.RUNNING), Outcome.INACTIVE))
        if entry.outcome is Outcome.ACTIVE
        else entry
        for entry in entries
    )


def _deployed(deployment: Deployment, proposal: Proposal | None) -> HistoryEntry:
    return HistoryEntry(
        id=deployment.id,
        agent=deployment.agent,
        outcome=Outcome.ACTIVE if deployment.running else Outcome.DEPLOYED,
        kind=deployment.kind,
        commit=deployment.commit,
        at=deployment.deployed_at,
        operator=deployment.operator,
        title=proposal.title if proposal is not None else (_FIRST_TITLE if deployment.id == 0 else ""),
        text=deployment.note,
    )


def _failed(proposal: Proposal) -> HistoryEntry:
    return HistoryEntry(
        id=proposal.id,
        agent=proposal.agent,
        outcome=Outcome.FAILED,
        kind=proposal.kind,
        commit=proposal.commit,
        at=proposal.decided_at or proposal.submitted_at,
        operator=proposal.decided_by or "",
        title=proposal.title,
        text="\n".join(part for part in (proposal.note, proposal.error) if part),
    )


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
