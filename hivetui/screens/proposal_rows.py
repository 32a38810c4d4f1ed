"""The columns of the list of proposals, a proposal as a row of it, and its summary below. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from textual.content import Content

from hivetui.console.keymap import current_key
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.queue import QueuePlace
from hivetui.engine.model.text import safe
from hivetui.screens.state_labels import describe_denial
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Column, Row

COLUMNS = (
    Column("id", "ID", 3, 6, priority=10, align="right", names=True),
    Column("state", "STATE", 11, 11, priority=9),
    Column("agent", "AGENT", 9, 9, priority=8, names=True),
    Column("findings", "FINDINGS", 10, 15, priority=6, shorten=wording.shorten_worst),
    Column("kind", "KIND", 6, 8, priority=4),
    Column("commit", "COMMIT", 12, 12, priority=5),
    Column("age", "AGE", 4, 4, priority=6, align="right"),
    Column("base", "BASE", 5, 5, priority=3),
    Column("title", "TITLE", 22, 90, priority=7),
    Column("by", "DECIDED BY", 10, 14, priority=2),
    Column("note", "NOTE", 8, 40, priority=1),
)
SUMMARY_LINES = 4
"""How many a summary may always have; it unfolds into rows that the list leaves free."""
_AFTER_PENDING = 100


def sort_queue(proposals: Iterable[Proposal], places: Mapping[int, QueuePlace]) -> list[Proposal]:
    """The pending ones by severity, then age, those that make the same change together; the others as they are."""
    known = list(proposals)
    ranks: dict[int, int] = {}
    for one in known:
        group = _group_of(one, places)
        ranks[group] = min(ranks.get(group, _AFTER_PENDING), severity_rank(one))

    def order(one: Proposal) -> tuple[int, int, int]:
        group = _group_of(one, places)
        return (ranks[group], group, one.id) if one.state is ProposalState.PENDING else (_AFTER_PENDING, 0, 0)

    return sorted(known, key=order)


def _group_of(proposal: Proposal, places: Mapping[int, QueuePlace]) -> int:
    place = places.get(proposal.id)
    return proposal.id if place is None or place.group is None else place.group


def describe_place(number: int, places: Mapping[int, QueuePlace]) -> list[tuple[str, str]]:
    """What a pending proposal has to do with the others, in lines with their styles."""
    if (place := places.get(number)) is None:
        return []
    lines = []
    if same := [
        one for one in places.values() if place.group is not None and one.group == place.group and one != place
    ]:
        others = ", ".join(f"#{one.proposal} of {one.agent}" for one in same)
        lines.append((f"= the same change as {others}: read once, approved each", "$text-accent"))
    if place.conflicts:
        lines.append((f"▲ conflicts with {_numbers(place.conflicts)} of this agent", "$warning"))
    if stale := [one for one in place.stales if one not in (place.conflicts or ())]:
        unknown = "; whether they conflict is not known" if place.conflicts is None else ""
        lines.append((f"its deploy makes {_numbers(stale)} stale{unknown}", "$foreground 70%"))
    return lines


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(f"#{number}" for number in numbers)


def build_summary(
    proposal: Proposal, width: int, places: Mapping[int, QueuePlace], rows: int = SUMMARY_LINES
) -> Content:
    """Title, proposer, decision, description and error: wrapped, or in one row each where they are more than `rows`.

    Lines left out are counted.
    """
    lines = list(_summary_lines(proposal, places))
    wrapped: list[Content] = []
    for line, style in lines[: rows + 1]:
        wrapped += Content.styled(safe(line, rows * width), style).wrap(width)
    if len(wrapped) <= rows:
        return Content("\n").join(wrapped)
    if len(lines) > rows:
        left_out = len(lines) - rows + 1
        keys = f"{current_key('list.open')}, then {current_key('review.commits')}"
        lines[rows - 1 :] = [(f"… {left_out} more lines: {keys}", "$warning")]
    return Content("\n").join(Content.styled(safe(line, width), style) for line, style in lines)


def _summary_lines(proposal: Proposal, places: Mapping[int, QueuePlace]) -> Iterator[tuple[str, str]]:
    """The lines of the summary with their styles; not escaped yet."""
    yield f"#{proposal.id} {proposal.agent}: {proposal.title}", "bold"
    yield f"proposed by {proposal.submitted_by}", "$foreground 70%"
    if denied := describe_denial(proposal):
        yield denied, "$warning"
    yield from describe_place(proposal.id, places)
    if is_stale(proposal):
        yield "▲ base moved since: the review shows the diff against what runs now", "$warning"
    if proposal.obstacle:
        yield f"▲ cannot be approved: {proposal.obstacle}", "$warning"
    if proposal.decided_by:
        note = f": {proposal.note}" if proposal.note else ""
        yield f"{proposal.state}, decided by {proposal.decider}{note}", ""
    yield from ((line, "") for line in proposal.body.splitlines() if line.strip())
    yield from ((line, "$error") for line in (proposal.error or "").splitlines() if line.strip())


def is_stale(proposal: Proposal) -> bool:
    """Whether main moved while it was pending."""
    return proposal.stale and proposal.state is ProposalState.PENDING


def build_row(proposal: Proposal, now: datetime, place: QueuePlace | None = None) -> Row:
    """One proposal as a row; one that cannot be approved now is shown as blocked."""
    glyph, tone = wording.PROPOSAL_GLYPHS[proposal.state]
    state = Cell("? blocked", "dim") if proposal.obstacle else Cell(f"{glyph} {proposal.state}", tone)
    submitted = proposal.submitted_at
    return Row(
        str(proposal.id),
        (
            Cell(f"#{proposal.id}", "strong", proposal.id),
            state,
            proposal.agent,
            _findings_cell(proposal),
            str(proposal.kind),
            wording.short_hash(proposal.commit),
            Cell(wording.format_age(submitted, now), "", -submitted.timestamp()),
            Cell("moved" if is_stale(proposal) else "", "warn"),
            f"{_denied_mark(proposal)}{_queue_mark(place)}{proposal.title}",
            proposal.decided_by or "",
            proposal.note or proposal.obstacle or _last_line(proposal.error),
        ),
    )


def _denied_mark(proposal: Proposal) -> str:
    """What stands before the title of one that is pending although its very commit was denied: "✗#3 "."""
    denied = proposal.denied_before if proposal.state is ProposalState.PENDING else None
    return f"{wording.PROPOSAL_GLYPHS[ProposalState.DENIED][0]}#{denied.id} " if denied is not None else ""


def _queue_mark(place: QueuePlace | None) -> str:
    """What stands before the title: "=#7 " where #7 makes the same change, "≠#9 " where it conflicts with #9."""
    if place is None:
        return ""
    same = f"=#{place.group} " if place.group not in (None, place.proposal) else ""
    return same + (f"≠{_numbers(place.conflicts)} " if place.conflicts else "")


def _findings_cell(proposal: Proposal) -> Cell:
    """The worst severity with its count; "…" while the findings are looked for."""
    findings = proposal.findings
    if findings is None:
        return Cell("…" if proposal.state is ProposalState.PENDING else "", "dim", severity_rank(proposal))
    tone = wording.SEVERITY_TONES[findings[0].severity] if findings else "dim"
    return Cell(wording.format_worst(findings), tone, severity_rank(proposal))


def severity_rank(proposal: Proposal) -> int:
    """The place of the worst finding in the order of severities; after all of them without a finding."""
    return min((finding.severity.rank for finding in proposal.findings or ()), default=len(Severity))


def _last_line(error: str | None) -> str:
    """The last line of an error, which names its cause."""
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else ""
