"""How values are written in few cells: sizes, times, commits, glyphs of states. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hivetui.engine.model import commits
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.findings import Finding, Severity
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.text import cells, safe
from hivetui.engine.model.times import format_date_time
from hivetui.widgets.table.rows import Tone

AGENT_GLYPHS: dict[AgentState, tuple[str, Tone]] = {
    AgentState.RUNNING: ("●", "good"),
    AgentState.STOPPED: ("○", "dim"),
    AgentState.STARTING: ("◐", "busy"),
    AgentState.STOPPING: ("◑", "busy"),
    AgentState.FAILED: ("✗", "bad"),
    AgentState.KEPT: ("·", "dim"),
}
PROPOSAL_GLYPHS: dict[ProposalState, tuple[str, Tone]] = {
    ProposalState.PENDING: ("?", "warn"),
    ProposalState.APPROVED: ("◐", "busy"),
    ProposalState.BUILDING: ("◐", "busy"),
    ProposalState.DEPLOYED: ("✓", "good"),
    ProposalState.FAILED: ("✗", "bad"),
    ProposalState.DENIED: ("⊘", "dim"),
    ProposalState.WITHDRAWN: ("↩", "dim"),
}
OPERATION_GLYPHS: dict[OperationState, tuple[str, Tone]] = {
    OperationState.QUEUED: ("…", "busy"),
    OperationState.RUNNING: ("▶", "busy"),
    OperationState.SUCCEEDED: ("✓", "good"),
    OperationState.FAILED: ("✗", "bad"),
    OperationState.CANCELLED: ("⊘", "warn"),
    OperationState.INTERRUPTED: ("‼", "bad"),
}
SEVERITY_TONES: dict[Severity, Tone] = {
    Severity.FORBID: "bad",
    Severity.CRITICAL: "bad",
    Severity.HIGH: "warn",
    Severity.MEDIUM: "",
    Severity.INFO: "dim",
}
SEVERITY_LETTERS: dict[Severity, str] = {
    Severity.FORBID: "F",
    Severity.CRITICAL: "C",
    Severity.HIGH: "H",
    Severity.MEDIUM: "M",
    Severity.INFO: "i",
}
"""What stands beside the number of a line that has a finding."""
_CLOCK_SKEW = timedelta(minutes=1)
_AGE_STEP_SECONDS = 5
_UNITS = ("B", "K", "M", "G", "T")


def agent_state_label(state: AgentState) -> str:
    """The state in one word."""
    return "destroyed" if state is AgentState.KEPT else str(state)


def format_size(size: int | None) -> str:
    """Bytes in at most five cells: 934B, 48M, 1.5G; a dash for None."""
    if size is None:
        return "–"
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f}{_UNITS[unit]}" if 0 < value < 9.95 and unit else f"{value:.0f}{_UNITS[unit]}"


def format_sizes(old: int | None, new: int | None) -> str:
    """The sizes of a file before and after a change, 934B→48M, or the one that there is."""
    return "→".join(format_size(size) for size in (old, new) if size is not None)


def format_span(length: timedelta) -> str:
    """A length of time in its two largest units: 12s, 3m 20s, 4h 12m, 12d 3h."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d {seconds % 86400 // 3600}h"


def format_age(then: datetime | None, now: datetime) -> str:
    """The time since `then` in its largest unit: 10s, 3m, 4h, 12d; `in 3d` for one to come; a dash for None.

    Seconds go in steps of five, so that a list of what has just begun is not painted anew each second.
    """
    if then is None:
        return "–"
    is_future = then > now + _CLOCK_SKEW
    span = abs(now - then) if is_future else now - then
    if span < timedelta(minutes=1):
        span = timedelta(seconds=span.total_seconds() // _AGE_STEP_SECONDS * _AGE_STEP_SECONDS)
    return ("in " if is_future else "") + format_span(span).partition(" ")[0]


def format_ago(then: datetime | None, now: datetime) -> str:
    """How long ago something was: "3m ago"; the date, if a clock that is not ours put it into the future."""
    if then is not None and then > now + _CLOCK_SKEW:
        return f"{format_date_time(then)} (in the future)"
    return f"{format_age(then, now)} ago" if then else "?"


def short_hash(commit: str | None) -> str:
    """An abbreviated commit; a dash for None."""
    return commits.short_hash(commit, "–")


def format_count(number: int, noun: str) -> str:
    """A number and its noun: 1 line, 2 lines."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten_worst(text: str, width: int) -> str:
    """What `format_worst` returns in so many cells: rather with the severity abbreviated than without the others."""
    if cells(text) > width:
        for severity in Severity:
            text = text.replace(f" {severity.value} ", f" {severity.value[:4]} ")
    return safe(text, width)


def format_worst(findings: Sequence[Finding] | None) -> str:
    """The worst severity of findings that are sorted by it, with its count, and how many others there are."""
    if not findings:
        return "" if findings is None else "none"
    worst = findings[0].severity
    count = sum(finding.severity is worst for finding in findings)
    others = f" +{len(findings) - count}" if len(findings) > count else ""
    return f"{count} {worst.value}{others}"
