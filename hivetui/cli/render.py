"""Values of the engine as text for people: aligned, short, readable at 80 columns. Pure.

Every piece that an agent could have written passes through `safe`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from hivetui.cli.line_text import PLAIN, LineStyle, show_line
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.commits import short_hash
from hivetui.engine.model.findings import Finding
from hivetui.engine.model.history import HistoryEntry
from hivetui.engine.model.logs import LogLine
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.operations import Entry, EntryKind, Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import FileChange, Proposal, ProposalState
from hivetui.engine.model.review import Review
from hivetui.engine.model.steps import label
from hivetui.engine.model.text import cells, safe, safe_lines, subject
from hivetui.engine.model.times import format_iso, format_time
from hivetui.engine.model.warnings import Check, HiveWarning, Repair
from hivetui.widgets.operation.progress_text import format_progress

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_WIDE = 110
"""Columns of a terminal on which a list of deploys has room for a title beside everything else."""
_CLOCK_SKEW = timedelta(minutes=1)
"""How far a clock may be ahead without a word; the date of a commit is whatever its author chose."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], width: int = 0) -> list[str]:
    """Rows below a head, in columns two spaces apart; the last column is cut to `width` columns in all, 0: no limit."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(head) - 1)]
    return [_table_line(line, widths, width) for line in lines]


def _table_line(line: Sequence[str], widths: Sequence[int], width: int) -> str:
    padded = (cell + " " * (column - cells(cell) + 2) for cell, column in zip(line[:-1], widths, strict=True))
    start = "".join(padded)
    remaining = width - cells(start)
    return (start + (safe(line[-1], remaining) if width and remaining > 0 else line[-1])).rstrip()


def ago(time: datetime | None, now: datetime) -> str:
    """The age of a time in the largest unit that fits: "3 min ago"."""
    if time is None:
        return "-"
    if time > now + _CLOCK_SKEW:
        return "in the future"
    seconds = max(0, int((now - time).total_seconds()))
    unit, name = next(((unit, name) for unit, name in _UNITS if seconds >= unit), (1, "s"))
    return f"{seconds // unit} {name} ago"


def stamp(time: datetime | None, now: datetime) -> str:
    """A time as ISO 8601 in UTC, with its age."""
    return "-" if time is None else f"{format_iso(time)} ({ago(time, now)})"


def when(time: datetime | None, now: datetime) -> str:
    """A time in a column: date and time of day in UTC, which the head of the column says; `-` for None."""
    return "-" if time is None else format_time(time, now, seconds=False, dated=True)


def size(count: int | None) -> str:
    """Bytes in a binary unit: "12.5 MiB"."""
    if count is None:
        return "-"
    number, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:.0f} {units[0]}" if number >= 10 or units[0] == "B" else f"{number:.1f} {units[0]}"


_NO_MODE, _PLAIN_MODE = "000000", "100644"
"""Modes of git: of a side on which the file does not exist, and of a file that is not executable."""
NO_AGENTS = "No agents yet. Create one: hivetui spawn NAME"


def agents(rows: Sequence[Agent], now: datetime, width: int = 0) -> list[str]:
    """The agents, one a line. For an empty hive use `NO_AGENTS`."""
    head = ("AGENT", "STATE", "PORT", "DEPLOYED", "CPU", "MEMORY", "SINCE", "NOTES")
    return table(head, (_agent(agent, now) for agent in rows), width)


def _agent(agent: Agent, now: datetime) -> tuple[str, ...]:
    deployed = "-" if agent.deployed is None else f"{agent.deployed}:{short_hash(agent.deployed_commit)}"
    cpu = "-" if agent.cpu_percent is None else f"{agent.cpu_percent:.0f}%"
    since = ago(agent.since, now).removesuffix(" ago")
    state = "destroyed" if agent.state is AgentState.KEPT else agent.state.value  # the value is a public name of JSON
    return (
        safe(agent.name), state, str(agent.port or "-"), deployed, cpu, size(agent.memory_bytes), since,
        "; ".join(_notes(agent)),
    )  # fmt: skip


def _notes(agent: Agent) -> Iterator[str]:
    if agent.state is AgentState.KEPT:
        yield "data kept"
    if agent.operation is not None:
        yield f"operation {agent.operation}"
    if agent.pending:
        yield f"pending: {', '.join(map(str, agent.pending))}"
    if agent.needs_update:
        yield "outdated"
    yield from sorted({warning.code.value for warning in agent.warnings})


def proposals(rows: Sequence[Proposal], now: datetime, width: int = 0) -> list[str]:
    """The proposals, one a line; none without any."""
    if not rows:
        return []
    head = ("ID", "AGENT", "KIND", "STATE", "COMMIT", "FINDINGS", "WHEN (UTC)", "TITLE")
    groups: dict[int, list[int]] = {}
    for row in rows:
        groups.setdefault(row.id if row.group is None else row.group, []).append(row.id)
    return table(head, (_proposal(row, groups.get(row.id, []), now) for row in rows), width)


def _proposal(row: Proposal, group: Sequence[int], now: datetime) -> tuple[str, ...]:
    """`group` are the ids of those that it is the first of, and its own."""
    state = row.state.value + (" (stale)" if row.stale else "")
    time = when(row.decided_at or row.submitted_at, now)
    commit, found = short_hash(row.commit), _findings(row.findings)
    denied = [f"(denied before as {row.denied_before.id})"] if row.denied_before is not None else []
    title = "  ".join((safe(row.title), *denied, *_queue_notes(row, [one for one in group if one != row.id])))
    return (str(row.id), safe(row.agent), row.kind.value, state, commit, found, time, title)


def _queue_notes(row: Proposal, later: Sequence[int] = ()) -> Iterator[str]:
    """What a pending proposal has to do with the others; `later` are those that make the same change, if known."""
    if row.group is not None:
        others = [row.group] if row.group != row.id else later
        yield f"(same change as {', '.join(map(str, others)) or 'later ones'})"
    if row.conflicts:
        yield f"(conflicts with {', '.join(map(str, row.conflicts))})"
    others = [number for number in row.stales or () if number not in (row.conflicts or ())]
    if others:
        yield f"(makes {', '.join(map(str, others))} stale)"


def _findings(findings: Sequence[Finding] | None) -> str:
    """The worst severity and its count, and how many others there are."""
    if not findings:
        return "-" if findings is None else "none"
    worst = findings[0].severity
    count = sum(finding.severity is worst for finding in findings)
    others = len(findings) - count
    return f"{count} {worst.value}" + (f" +{others}" if others else "")


def proposal(row: Proposal, now: datetime) -> list[str]:
    """One proposal, a field a line."""
    fields = {
        "proposal": f"{row.id}, {row.kind.value} of {safe(row.agent)}, {row.state.value}",
        "commit": row.commit or "-",
        "base": (row.base or "-") + ("   stale: applied main has moved since it was submitted" if row.stale else ""),
        "title": safe(row.title),
        "submitted": f"by {safe(row.submitted_by)}, {stamp(row.submitted_at, now)}",
    }
    if row.decided_by:
        proof = f", {row.proof}" if row.proof else ""
        fields[_decision(row.state)] = f"by {safe(row.decided_by)}, {stamp(row.decided_at, now)}{proof}"
    if row.note:
        fields["note"] = safe(row.note)
    if queue := ", ".join(note.strip("()") for note in _queue_notes(row)):
        fields["queue"] = queue
    lines = [f"{name + ':':<11}{value}" for name, value in fields.items()]
    lines += _denied_itself(row, now)
    notes = [f"{place_of(note)}: {safe(note.text)}" for note in row.lines]
    lines += ["", "notes on lines:", *(f"  {note}" for note in notes)] if notes else []
    return [*lines, *_block("description", row.body), *_block("error", row.error or "")]


def _denied_itself(row: Proposal, now: datetime) -> list[str]:
    """That this very commit was denied before, when, by whom and why."""
    if (denied := row.denied_before) is None:
        return []
    at = f", {stamp(denied.decided_at, now)}" if denied.decided_at is not None else ""
    head = f"!! THIS VERY COMMIT WAS DENIED as {denied.id} by {safe(denied.decided_by)}{at}: {safe(denied.note)}"
    return ["", head]


def place_of(note: LineNote) -> str:
    """The file and lines that a note is about."""
    return f"{safe(note.file)}:{note.lines}" + (" (old)" if note.side == "old" else "")


def _decision(state: ProposalState) -> str:
    """What was decided; what became of an approved proposal is another matter."""
    refused = (ProposalState.DENIED, ProposalState.WITHDRAWN)
    return state.value if state in refused else ProposalState.APPROVED.value


def review(review: Review, now: datetime) -> list[str]:
    """A review without its diff."""
    lines = proposal(review.proposal, now)
    lines += ["", f"{'author:':<11}{safe(review.author)}, {stamp(review.authored_at, now)}"]
    lines += _block("message", review.message)
    lines += [*_reverted(review), *_denied_before(review)]
    if review.tool_messages:
        lines += ["", *(f"!! {safe(message)}" for message in review.tool_messages)]
    if len(review.commits) > 1:
        rows = (f"  {short_hash(commit.id)}  {safe(subject(commit.message))}" for commit in review.commits)
        lines += ["", f"{_count(review.commit_count, 'commit')}, newest first:", *rows]
    return [*lines, "", _count(len(review.files), "file") + ":", *(f"  {_file(change)}" for change in review.files)]


def other_messages(review: Review) -> list[str]:
    """The whole messages of the commits before the proposed one, as far as they are more than a subject."""
    others = [commit for commit in review.commits if commit.id != review.proposal.commit]
    long = [commit for commit in others if commit.message.strip() != subject(commit.message)]
    return [line for commit in long for line in _block(f"message of {short_hash(commit.id)}", commit.message)]


def _reverted(review: Review) -> list[str]:
    if not review.reverts:
        return []
    rows = [f"  {deployed.id}  {short_hash(deployed.commit)}  {safe(deployed.title)}" for deployed in review.reverts]
    count = _count(len(rows), "deployed commit")
    return ["", f"!! APPROVING THIS REVERTS {count} that it does not contain:", *rows]


def _denied_before(review: Review) -> list[str]:
    """The denied proposal that it answers, with what became of the lines of each note."""
    if (denied := review.previous) is None:
        return []
    notes = (f"  {note.mark:<9} {place_of(note)}: {safe(note.text)}" for note in denied.lines)
    head = f"denied before as {denied.id} by {safe(denied.decided_by)}: {safe(denied.note)}"
    if (itself := review.proposal.denied_before) is not None and itself.id == denied.id:  # that was said above
        return ["", "notes on its lines:", *notes] if denied.lines else []
    return ["", head, *notes]


def _block(name: str, text: str) -> list[str]:
    """An indented paragraph below its name; [] without text."""
    if not text.strip():
        return []
    return ["", f"{name}:", *(f"  {line}" for line in safe_lines(text.strip("\n")))]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _file(change: FileChange) -> str:
    counts = "binary" if change.additions is None else f"+{change.additions} -{change.deletions}"
    moved = f" (from {safe(change.old_path)})" if change.old_path and change.old_path != change.path else ""
    sizes = [size(count) for count in (change.old_size, change.new_size) if count is not None]
    binary = f"  {' -> '.join(sizes)}" if change.additions is None else ""
    return f"{change.status.value:<12} {counts:<10} {safe(change.path)}{moved}{binary}{_mode(change)}"


def _mode(change: FileChange) -> str:
    """How the mode changed, or that of a file that comes or goes, if it is not that of a plain file."""
    modes = [mode for mode in (change.old_mode, change.new_mode) if mode != _NO_MODE]
    is_plain = change.old_mode == change.new_mode or modes == [_PLAIN_MODE]
    return "" if is_plain else f"  mode {' -> '.join(modes)}"


def operations(rows: Sequence[Operation], now: datetime, width: int = 0) -> list[str]:
    """The operations, one a line; none without any."""
    if not rows:
        return []
    head = ("ID", "AGENT", "KIND", "STATE", "STEP", "STARTED (UTC)", "TOOK", "OPERATOR")
    return table(head, (_operation(row, now) for row in rows), width)


def _operation(row: Operation, now: datetime) -> tuple[str, ...]:
    took = f"{int(_seconds(row.started_at, row.ended_at or now))} s"
    step, started = safe(label(row.step or "-")), when(row.started_at, now)
    return (str(row.id), safe(row.agent), row.kind.value, row.state.value, step, started, took, safe(row.operator))


def _seconds(start: datetime, end: datetime) -> float:
    """How long it took by the wall clock; 0 if that was set back meanwhile."""
    return max(0.0, (end - start).total_seconds())


def operation(row: Operation, now: datetime, complete_commands: Callable[[str], str] = str) -> list[str]:
    """One operation, a field a line; `complete_commands` is applied to its error, which says what to do."""
    about = f" of proposal {row.proposal}" if row.proposal is not None else ""
    lines = [
        f"operation: {row.id}, {row.kind.value} of {safe(row.agent)}{about}, {row.state.value}",
        f"step:      {safe(label(row.step or '-'))}",
        f"started:   {stamp(row.started_at, now)} by {safe(row.operator)}",
        f"ended:     {stamp(row.ended_at, now)}",
    ]
    if row.progress is not None and (progress := format_progress(row.progress, now)):
        lines.append(f"progress:  {progress}")
    if row.state.ended and row.state is not OperationState.SUCCEEDED:
        lines.append(f"try again: {safe(complete_commands(retry_command(row)))}")
    return lines + _block("error", complete_commands(row.error or ""))


_STREAMS = {"stdout": "  | ", "stderr": "  ! ", "engine": "  "}


def entry(row: Entry, style: LineStyle = PLAIN) -> str | None:
    """One entry of an operation's record as a line; None for a change of state, which `outcome` prints at the end."""
    if row.kind is EntryKind.STEP:
        return f"== {safe(label(row.text))}"
    if row.kind is EntryKind.COMMAND:
        return f"  $ {safe(shlex.join(row.argv))}"
    if row.kind is EntryKind.LINE:
        return f"{_STREAMS.get(row.stream or '', '  ')}{show_line(row.text, style, row.cut)}"
    return None


def outcome(row: Operation) -> str:
    """How an operation ended, in a line."""
    took = "" if row.ended_at is None else f" after {_seconds(row.started_at, row.ended_at):.1f} s"
    return f"operation {row.id}, {row.kind.value} of {safe(row.agent)}: {row.state.value}{took}"


def retry_command(row: Operation) -> str:
    """The command that tries again what an operation did not do."""
    if row.proposal is not None:
        return f"hivetui retry {row.proposal}"
    if row.kind is OperationKind.PURGE:
        return f"hivetui destroy {row.agent} --purge"
    return f"hivetui {row.kind.value} {row.agent}"


def history(rows: Sequence[HistoryEntry], now: datetime, width: int = 0) -> list[str]:
    """The deploys and those that failed, one a line; a narrow terminal has no columns for commit and kind."""
    if not rows:
        return ["No deploys."]
    head = ("ID", "AGENT", "STATE", "DEPLOYED (UTC)", "BY", "COMMIT", "KIND", "TITLE; NOTE OR ERROR")
    lines = [head, *(_history_entry(row, now) for row in rows)]
    if 0 < width < _WIDE:
        lines = [(*line[:5], line[-1]) for line in lines]
    return table(lines[0], lines[1:], width)


def _history_entry(row: HistoryEntry, now: datetime) -> tuple[str, ...]:
    reason = ": ".join((row.error or "").splitlines()[:2]) or row.note.partition("\n")[0]
    texts = "; ".join(safe(text) for text in (row.title, reason) if text)
    kind, commit, time = row.kind.value, short_hash(row.commit), when(row.at, now)
    return (str(row.id), safe(row.agent), row.outcome.value, time, safe(row.operator) or "-", commit, kind, texts)


def warnings(rows: Sequence[HiveWarning], complete_commands: Callable[[str], str] = str) -> list[str]:
    """The current warnings, two lines each; `complete_commands` is applied to the fixes."""
    if not rows:
        return ["No warnings."]
    return [
        line
        for row in rows
        for line in (f"{row.code.value}: {safe(row.text)}", f"    fix: {safe(complete_commands(row.fix))}")
    ]


def repairs(rows: Sequence[Repair], dry_run: bool) -> list[str]:
    """What a repair found and did, or would do."""
    if not rows:
        return ["Nothing to repair."]
    verb = "would" if dry_run else "done"
    return [f"{safe(row.agent or 'hive')}: {safe(row.found)}\n    {verb}: {safe(row.done)}" for row in rows]


def checks(rows: Sequence[Check], complete_commands: Callable[[str], str] = str) -> list[str]:
    """The checks of the doctor, each failed one with its fix; `complete_commands` is applied to the fixes."""
    name_width = max((len(row.name) for row in rows), default=0)
    return [line for row in rows for line in _check(row, name_width, complete_commands)]


def _check(row: Check, name_width: int, complete_commands: Callable[[str], str]) -> list[str]:
    line = f"{'ok ' if row.ok else 'BAD'}  {row.name:<{name_width}}  {safe(row.found)}"
    return [line, f"     fix: {safe(complete_commands(row.fix))}"] if not row.ok and row.fix else [line]


def log_line(row: LogLine, name_width: int, now: datetime, style: LineStyle) -> str:
    """One line of a log; `name_width` is the width of the column of agents. Its year is left out if it is this one."""
    return f"{format_time(row.time, now, dated=True)} {safe(row.agent):<{name_width}} {show_line(row.text, style)}"
