"""Values of the engine as text for people: aligned, short, readable at 80 columns. Pure.

Every piece that an agent could have written passes through `safe`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from hivetui.engine.model.agents import Agent
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.operations import Entry, EntryKind, Operation
from hivetui.engine.model.proposals import Deployment, FileChange, Finding, Proposal
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import cells, safe, safe_lines
from hivetui.engine.model.warnings import Check, HiveWarning, Repair

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SHORT = 12  # characters of a hash that people see


def table(head: Sequence[str], rows: Iterable[Sequence[str]], width: int = 0) -> list[str]:
    """Rows below a head, in columns two spaces apart; the last column is cut to a width that is not 0."""
    whole = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(cells(row[column]) for row in whole) for column in range(len(head) - 1)]
    return [_row(row, widths, width) for row in whole]


def _row(row: Sequence[str], widths: Sequence[int], width: int) -> str:
    front = "".join(cell + " " * (room - cells(cell) + 2) for cell, room in zip(row[:-1], widths, strict=True))
    room = width - cells(front)
    return (front + (safe(row[-1], room) if width and room > 0 else row[-1])).rstrip()


def ago(time: datetime | None, now: datetime) -> str:
    """How long since, in the largest unit: "3 min ago"."""
    if time is None:
        return "-"
    seconds = max(0, int((now - time).total_seconds()))
    unit, name = next(((unit, name) for unit, name in _UNITS if seconds >= unit), (1, "s"))
    return f"{seconds // unit} {name} ago"


def stamp(time: datetime | None, now: datetime) -> str:
    """A time both ways: ISO 8601 in UTC, and how long ago."""
    return "-" if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} ({ago(time, now)})"


def size(count: int | None) -> str:
    """Bytes with a binary unit: "12.5 MiB"."""
    if count is None:
        return "-"
    number, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:.0f} {units[0]}" if number >= 10 or units[0] == "B" else f"{number:.1f} {units[0]}"


NO_AGENTS = "No agents yet. Make one with: hivetui spawn NAME"


def agents(rows: Sequence[Agent], now: datetime, width: int = 0) -> list[str]:
    """The agents, one a line; without any, `NO_AGENTS` is the thing to say."""
    head = ("AGENT", "STATE", "PORT", "DEPLOYED", "CPU", "MEMORY", "SINCE", "NOTES")
    return table(head, (_agent(agent, now) for agent in rows), width)


def _agent(agent: Agent, now: datetime) -> tuple[str, ...]:
    deployed = "-" if agent.deployed is None else f"{agent.deployed}:{short(agent.deployed_commit)[:7]}"
    cpu = "-" if agent.cpu_percent is None else f"{agent.cpu_percent:.0f}%"
    since = ago(agent.since, now).removesuffix(" ago")
    return (
        safe(agent.name), agent.state.value, str(agent.port or "-"), deployed, cpu, size(agent.memory_bytes), since,
        "; ".join(_notes(agent)),
    )  # fmt: skip


def _notes(agent: Agent) -> Iterator[str]:
    if agent.operation is not None:
        yield f"operation {agent.operation}"
    if agent.pending:
        yield f"waiting: {', '.join(map(str, agent.pending))}"
    if agent.needs_update:
        yield "needs update"
    yield from sorted({warning.code.value for warning in agent.warnings})


def proposals(rows: Sequence[Proposal], now: datetime, width: int = 0) -> list[str]:
    """The proposals, one a line."""
    if not rows:
        return ["Nothing waits for a decision."]
    head = ("ID", "AGENT", "KIND", "STATE", "COMMIT", "WHEN", "TITLE")
    return table(head, (_proposal(row, now) for row in rows), width)


def _proposal(row: Proposal, now: datetime) -> tuple[str, ...]:
    state = row.state.value + (" (stale)" if row.stale else "")
    when = ago(row.decided_at or row.submitted_at, now)
    return (str(row.id), safe(row.agent), row.kind.value, state, short(row.commit), when, safe(row.title))


def proposal(row: Proposal, now: datetime) -> list[str]:
    """One proposal, a field a line."""
    fields = {
        "proposal": f"{row.id}, {row.kind.value} of {safe(row.agent)}, {row.state.value}",
        "commit": row.commit or "-",
        "base": (row.base or "-") + ("   applied main has moved since it was submitted" if row.stale else ""),
        "title": safe(row.title),
        "submitted": f"by {safe(row.submitted_by)}, {stamp(row.submitted_at, now)}",
    }
    if row.decided_by:
        fields["decided"] = f"by {safe(row.decided_by)}, {stamp(row.decided_at, now)}"
    if row.note:
        fields["note"] = safe(row.note)
    lines = [f"{name + ':':<11}{value}" for name, value in fields.items()]
    return [*lines, *_block("description", row.description), *_block("error", row.error or "")]


def review(seen: Review, now: datetime) -> list[str]:
    """A review, all but the difference."""
    lines = proposal(seen.proposal, now)
    lines += ["", f"{'author:':<11}{safe(seen.author)}, {stamp(seen.authored_at, now)}"]
    lines += _block("message", seen.message)
    lines += _taken_back(seen)
    if len(seen.commits) > 1:
        rows = (f"  {short(commit.id)}  {safe(_first_line(commit.message))}" for commit in seen.commits)
        lines += ["", f"{_count(seen.commit_count, 'commit')}, newest first:", *rows]
    lines += ["", _count(len(seen.files), "file") + ":", *(f"  {_file(change)}" for change in seen.files)]
    findings = [line for finding in seen.proposal.findings for line in _finding(finding)]
    return lines + (["", "findings:", *findings] if findings else [])


def _taken_back(seen: Review) -> list[str]:
    if not seen.taken_back:
        return []
    rows = [f"  {gone.id}  {short(gone.commit)}  {safe(gone.title)}" for gone in seen.taken_back]
    return ["", "!! APPROVING THIS TAKES BACK what is deployed and not contained in it:", *rows]


def _block(name: str, text: str) -> list[str]:
    if not text.strip():
        return []
    return ["", f"{name}:", *(f"  {line}" for line in safe_lines(text.strip("\n")))]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _file(change: FileChange) -> str:
    counts = "binary" if change.additions is None else f"+{change.additions} -{change.deletions}"
    moved = f" (from {safe(change.old_path)})" if change.old_path and change.old_path != change.path else ""
    mode = f"  mode {change.old_mode} -> {change.new_mode}" if change.old_mode != change.new_mode else ""
    return f"{change.status.value:<12} {counts:<10} {safe(change.path)}{moved}{mode}"


def _finding(finding: Finding) -> list[str]:
    where = safe(finding.file or "-") + (f":{finding.line}" if finding.line else "")
    return [f"  {finding.severity.value.upper():<8} {finding.rule}  {where}", f"    {safe(finding.why)}"] + [
        f"    > {line}" for line in safe_lines(finding.text)
    ]


def operations(rows: Sequence[Operation], now: datetime, width: int = 0) -> list[str]:
    """The operations, one a line."""
    if not rows:
        return ["No operations."]
    head = ("ID", "AGENT", "KIND", "STATE", "STEP", "STARTED", "TOOK", "OPERATOR")
    return table(head, (_operation(row, now) for row in rows), width)


def _operation(row: Operation, now: datetime) -> tuple[str, ...]:
    took = f"{((row.ended_at or now) - row.started_at).total_seconds():.0f} s"
    step, started = safe(row.step or "-"), ago(row.started_at, now)
    return (str(row.id), safe(row.agent), row.kind.value, row.state.value, step, started, took, safe(row.operator))


def operation(row: Operation, now: datetime) -> list[str]:
    """One operation, a field a line."""
    about = f" of proposal {row.proposal}" if row.proposal is not None else ""
    lines = [
        f"operation: {row.id}, {row.kind.value} of {safe(row.agent)}{about}, {row.state.value}",
        f"step:      {safe(row.step or '-')}",
        f"started:   {stamp(row.started_at, now)} by {safe(row.operator)}",
        f"ended:     {stamp(row.ended_at, now)}",
    ]
    return lines + _block("error", row.error or "")


_STREAMS = {"stdout": "  | ", "stderr": "  ! ", "engine": "  "}


def entry(row: Entry) -> str | None:
    """One entry of an operation's record as a line; None for a change of state, which the end tells."""
    if row.kind is EntryKind.STEP:
        return f"== {safe(row.text)}"
    if row.kind is EntryKind.COMMAND:
        return f"  $ {safe(shlex.join(row.argv))}"
    if row.kind is EntryKind.LINE:
        cut = f" (+{row.cut} characters)" if row.cut else ""
        return f"{_STREAMS.get(row.stream or '', '  ')}{safe(row.text)}{cut}"
    return None


def ending(row: Operation) -> str:
    """How an operation ended, in a line."""
    took = "" if row.ended_at is None else f" after {(row.ended_at - row.started_at).total_seconds():.1f} s"
    return f"operation {row.id}, {row.kind.value} of {safe(row.agent)}: {row.state.value}{took}"


def history(rows: Sequence[Deployment], now: datetime, width: int = 0) -> list[str]:
    """The deploys, one a line; the one that runs is marked."""
    if not rows:
        return ["Nothing was deployed yet."]
    head = ("ID", "AGENT", "COMMIT", "KIND", "WHEN", "BY", "", "NOTE")
    return table(head, (_deployment(row, now) for row in rows), width)


def _deployment(row: Deployment, now: datetime) -> tuple[str, ...]:
    when, mark = ago(row.deployed_at, now), "running" if row.running else ""
    by = row.operator.partition(" <")[0]  # the mail address of a tagger is of no use here
    return (str(row.id), safe(row.agent), short(row.commit), row.kind.value, when, safe(by), mark, safe(row.note))


def warnings(rows: Sequence[HiveWarning], hint: Callable[[str], str] = str) -> list[str]:
    """The standing warnings, two lines each; `hint` completes the commands that they name."""
    if not rows:
        return ["No warnings."]
    return [line for row in rows for line in (f"{row.code.value}: {safe(row.text)}", f"    fix: {safe(hint(row.fix))}")]


def repairs(rows: Sequence[Repair], dry_run: bool) -> list[str]:
    """What a repair found and did."""
    if not rows:
        return ["Nothing to repair."]
    verb = "would" if dry_run else "done"
    return [f"{safe(row.agent or 'hive')}: {safe(row.found)}\n    {verb}: {safe(row.done)}" for row in rows]


def checks(rows: Sequence[Check], hint: Callable[[str], str] = str) -> list[str]:
    """The checks of the doctor, with what to do below each that is not fit; `hint` completes the commands in it."""
    room = max((len(row.name) for row in rows), default=0)
    return [line for row in rows for line in _check(row, room, hint)]


def _check(row: Check, room: int, hint: Callable[[str], str]) -> list[str]:
    line = f"{'ok ' if row.ok else 'BAD'}  {row.name:<{room}}  {safe(row.found)}"
    return [line, f"     fix: {safe(hint(row.fix))}"] if not row.ok and row.fix else [line]


def log_line(row: LogLine, room: int) -> str:
    """One line of a log; `room` is the width of the names."""
    return f"{row.time.astimezone(UTC):%m-%d %H:%M:%S} {safe(row.agent):<{room}} {safe(row.text)}"


def short(commit: str | None) -> str:
    """The beginning of a hash, as people see it."""
    return commit[:_SHORT] if commit else "-"
