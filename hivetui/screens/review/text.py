"""What a review says: the head above the diff, the row of a file, the pages of its messages. Pure.

Whatever does not fit is counted, never dropped without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from textual.content import Content

from hivetui.console.keymap import current_key
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.proposals import FileChange, FileStatus, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import cells, safe, subject
from hivetui.engine.model.times import format_date_time
from hivetui.screens.dialogs.pages import Page
from hivetui.screens.review.contents import DiffOptions, ReviewContents, key_of_base
from hivetui.screens.review.cuts import AUTHOR_CELLS, MAX_TOOL_MESSAGES, MESSAGE_INDENT, HeadFit, HeadTexts
from hivetui.screens.review.notes_text import describe_denied
from hivetui.screens.state_labels import describe_denial, proposal_predicate
from hivetui.widgets import wording
from hivetui.widgets.table.rows import Cell, Row, Tone

Part = Content | str | tuple[str, str]
"""Text, or text with a style, as `Content.assemble` takes it."""

_STATUS_LABELS = {
    FileStatus.ADDED: "new",
    FileStatus.DELETED: "deleted",
    FileStatus.RENAMED: "renamed",
    FileStatus.TYPE_CHANGED: "now a",
    FileStatus.MODIFIED: "",
}
_MODE_LABELS = {"120000": "link", "160000": "submodule"}
_MODE_CHANGES = {("100644", "100755"): "+x", ("100755", "100644"): "-x"}
_EXECUTABLE = "100755"
_BINARY = "binary"
_LONG_COUNT = re.compile(r"\d{4,}")
_ABSENT = "000000"  # git's mode of a side on which the file does not exist
_MAX_ERROR_LINES = 5
_MAX_IDS = 8
_LEAST_LINES, _FRAME_ROWS, _DIFF_ROWS = 3, 2, 6
"""Lines of the head on a low terminal, and the rows that it leaves on others: to the frame, to files and diff."""
_CUT_CELLS = len("… (+999)")  # what the count at the end of a line takes that is cut


@dataclass(frozen=True)
class HeadLayout:
    """What the head depends on besides the review: its size in cells, and what the diff leaves out.

    `rows` limits the lines of the message, `height` all lines; `viewed` counts the files that are marked; `findings`
    and `effect` are lines about them with their styles, "" for none; `drafts` is one about the notes on lines, `queue`
    those about other pending proposals.
    """

    now: datetime
    width: int
    rows: int
    height: int
    viewed: int
    options: DiffOptions
    findings: tuple[str, str] = ("", "")
    effect: tuple[str, str] = ("", "")
    drafts: str = ""
    queue: tuple[tuple[str, str], ...] = ()


def name_of(change: FileChange) -> str:
    """The path of a file, or both paths of a renamed one: what the list of files is filtered and sorted by."""
    return f"{change.old_path} → {change.path}" if change.old_path else change.path


def build_file_row(change: FileChange, viewed: bool) -> Row:
    """One file: its mark, what happened to it, its path, its line counts."""
    tone: Tone = "dim" if viewed else ""
    line_count = (change.additions or 0) + (change.deletions or 0)
    cells = (
        Cell("✓" if viewed else "·", "good" if viewed else "dim"),
        Cell(describe_change(change), "warn"),
        Cell(name_of(change), tone),
        Cell(_format_size(change), tone, line_count),
    )
    return Row(change.path, cells)


def describe_change(change: FileChange) -> str:
    """What happened to a file besides its lines: created, deleted, renamed, its mode, whether it is a plain file."""
    mode = _MODE_LABELS.get(change.new_mode, "file" if change.status is FileStatus.TYPE_CHANGED else "")
    labels = [_STATUS_LABELS[change.status], mode]
    modes = (change.old_mode, change.new_mode)
    if _ABSENT not in modes and change.old_mode != change.new_mode:
        labels.append(_MODE_CHANGES.get(modes, "mode"))
    elif modes == (_ABSENT, _EXECUTABLE):
        labels.append("+x")
    return " ".join(filter(None, labels))


def _format_size(change: FileChange) -> str:
    """Lines added and removed, or the sizes of a binary file."""
    if change.additions is not None:
        return f"+{change.additions} -{change.deletions}"
    return f"{_BINARY} {wording.format_sizes(change.old_size, change.new_size)}"


def shorten_size(size: str, width: int) -> str:
    """What `_format_size` returns in so many cells: counts in thousands, and of a binary file that it is one."""
    if cells(size) <= width:
        return size
    if size.startswith(_BINARY):
        return _BINARY
    short = _LONG_COUNT.sub(lambda count: f"{count[0][:-3]}K", size)
    forms = (size.replace(" ", ""), short, short.replace(" ", ""))
    return next((form for form in forms if cells(form) <= width), safe(short, width))


class Head(NamedTuple):
    """The lines above the diff, and how much of all that belongs there fits."""

    content: Content
    fit: HeadFit


def build_head(texts: HeadTexts, layout: HeadLayout) -> Head:
    """The lines above the diff: what a decision is bound to, the alarms, the outcome, and the author's message."""
    review = texts.review
    parts = [*_subject(review, layout), *_alarms(review, layout), *_outcome(review.proposal, layout)]
    lines = Content.assemble(*parts).rstrip().wrap(layout.width)
    shown, rows = _fitting(len(lines), texts.count, layout)
    content = [*lines[:shown], *_message(texts, rows, layout)]
    if missing := len(lines) - shown + texts.count - rows:
        key = current_key("review.commits" if shown == len(lines) else "review.next_cut")
        content.append(Content.assemble(_more_lines(missing, key)).rstrip())
    subject_lines = 1 if review.proposal.commit is None else 2  # which proposal it is, and the facts of its commit
    hidden = tuple(line.plain for line in lines[max(shown, subject_lines) :])
    author_cells = _author_cells(review, layout) if shown >= subject_lines else 0
    fit = HeadFit(layout.width, rows, author_cells, hidden)
    return Head(Content("\n").join(content[: layout.height]), fit)


def head_height(height: int) -> int:
    """How many lines the head may have on a terminal with so many rows: what the frame and some of the diff leave."""
    return max(0, min(max(_LEAST_LINES, height - _FRAME_ROWS - _DIFF_ROWS), height - _FRAME_ROWS))


def _fitting(count: int, message: int, layout: HeadLayout) -> tuple[int, int]:
    """How many of the first `count` lines and how many of a message fit; one that counts the others has to fit too."""
    free = layout.height - count
    if message <= min(layout.rows, free):
        return count, message
    rows = min(layout.rows, free - 1)
    return (count, rows) if rows >= 0 else (max(0, layout.height - 1), 0)


def _subject(review: Review, layout: HeadLayout) -> Iterator[Part]:
    proposal = review.proposal
    glyph, _ = wording.PROPOSAL_GLYPHS[proposal.state]
    yield (f"#{proposal.id} {safe(proposal.agent)} ", "bold $primary")
    yield (f"{glyph} {proposal.state}  ", "bold")
    if proposal.commit is None:
        yield f"spawn request by {safe(proposal.submitted_by, 30)}, {_ago(proposal.submitted_at, layout)}\n"
        return
    base = f" ({safe(layout.options.base, 20)})" if layout.options.base else ""
    yield f"{proposal.kind} {wording.short_hash(proposal.commit)} against {wording.short_hash(proposal.base)}{base}\n"
    facts = ", ".join(_facts(review, layout))
    if cells(facts) > layout.width:  # cut once, at the end, with one count of all that does not fit
        facts = ", ".join(_facts(review, layout, author_cells=None))
    yield (safe(facts, layout.width) + "\n", "$foreground 70%")


def _facts(review: Review, layout: HeadLayout, author_cells: int | None = AUTHOR_CELLS) -> tuple[str, str, str]:
    """How much it changes, who wrote it, and when it was proposed."""
    proposal = review.proposal
    commits = max(review.commit_count, len(review.commits))
    added = sum(change.additions or 0 for change in review.files)
    removed = sum(change.deletions or 0 for change in review.files)
    files = f"{_count(len(review.files), 'file')} +{added} -{removed}"
    again = f" again, after #{proposal.retry_of}" if proposal.retry_of is not None else ""
    return (
        f"{_count(commits, 'commit')}, {files}, {layout.viewed} viewed",
        f"by {safe(review.author, author_cells)}, written {_ago(review.authored_at, layout)}",
        f"proposed {_ago(proposal.submitted_at, layout)}{again}",
    )


def _author_cells(review: Review, layout: HeadLayout) -> int:
    """How many cells of the author's name are in view."""
    facts = _facts(review, layout)
    if cells(", ".join(facts)) <= layout.width:
        return AUTHOR_CELLS
    return max(0, min(AUTHOR_CELLS, layout.width - cells(f"{facts[0]}, by ") - _CUT_CELLS))


def describe_findings(contents: ReviewContents) -> tuple[str, str]:
    """What the head says about the findings, and how."""
    if contents.review is None or contents.review.proposal.kind is ProposalKind.SPAWN:
        return "", ""
    if contents.findings_error is not None:
        return (f"▲ FINDINGS ARE NOT KNOWN: {contents.findings_error}", "bold $error")
    if contents.assessment is None:
        return ("findings: looking …", "$foreground 70%")
    worst = contents.assessment.findings[0].severity if contents.assessment.findings else None
    what = "Findings" if contents.options.base is None else "Findings of this comparison"
    text = f"{what}: {contents.acknowledged.describe(contents.assessment)}"
    if worst in (Severity.FORBID, Severity.CRITICAL):
        return (f"▲ {text}", "bold $error")
    return (text, "$warning" if worst is Severity.HIGH else "$foreground 70%")


def describe_effect(effect: Effect) -> tuple[str, str]:
    """What the head says about the effect, and how; nothing before anybody has asked for it."""
    unknown = f"; ▲ {wording.format_count(len(effect.unknown), 'part')} unknown" if effect.unknown else ""
    style = "bold $warning" if effect.unknown else "$foreground 70%"
    if effect.state is EffectState.RUNNING:
        return ("Effect: being found out …", "$foreground 70%")
    if effect.state is EffectState.FAILED and effect.failure is not None:
        return (f"▲ It would fail ({effect.failure.stage}): {effect.failure.hint or 'see why'}", "bold $error")
    if effect.state is EffectState.OUTDATED:
        return (f"▲ Effect: outdated, {', '.join(one.input for one in effect.moved)} moved{unknown}", "bold $warning")
    if effect.state is not EffectState.KNOWN:
        return "", ""
    if effect.changed is False:
        return (f"Effect: none, the agent has this very system{unknown}", style)
    packages, units = effect.packages, effect.units
    counts = (
        (len(effect.options), "option"),
        (len(packages.added) + len(packages.removed) + len(packages.changed), "package"),
        (len(units.added) + len(units.removed) + len(units.changed), "unit"),
    )
    told = ", ".join(wording.format_count(count, noun) for count, noun in counts if count) or "another system"
    return (f"Effect: {told}{unknown}", style)


def _findings(layout: HeadLayout) -> Iterator[Part]:
    for (line, style), key in ((layout.findings, "review.findings"), (layout.effect, "review.effect")):
        if line:
            yield (safe(f"{line} ({current_key(key)})", layout.width) + "\n", style)


def _notes(review: Review, layout: HeadLayout) -> Iterator[Part]:
    """The denial before, with what became of its notes, and the operator's own notes."""
    denied, marks = describe_denied(review)
    lines = (
        (describe_denial(review.proposal), "bold $warning"),
        (denied, "bold $warning"),
        (marks, "$warning"),
        (layout.drafts, "$text-accent"),
        *layout.queue,
    )
    for line, style in lines:
        if line:
            yield (safe(line, layout.width) + "\n", style)


def _alarms(review: Review, layout: HeadLayout) -> Iterator[Part]:
    yield from _findings(layout)
    yield from _notes(review, layout)
    if review.proposal.obstacle:
        yield (safe(f"▲ CANNOT BE APPROVED NOW: {review.proposal.obstacle}", layout.width) + "\n", "bold $warning")
    if review.reverts:
        ids = ", ".join(f"#{reverted.id}" for reverted in review.reverts[:_MAX_IDS])
        more = f" and {len(review.reverts) - _MAX_IDS} more" if len(review.reverts) > _MAX_IDS else ""
        yield (f"▲ DOES NOT CONTAIN what was deployed as {ids}{more}: approving it reverts that\n", "bold $error")
    for message in review.tool_messages[:MAX_TOOL_MESSAGES]:
        yield (safe(f"▲ {message}", layout.width) + "\n", "bold $warning")
    if len(review.tool_messages) > MAX_TOOL_MESSAGES:
        yield _more_lines(len(review.tool_messages) - MAX_TOOL_MESSAGES, current_key("review.commits"))
    if layout.options.ignore_whitespace:
        key = current_key("review.whitespace")
        yield (f"▲ WHITESPACE CHANGES HIDDEN: press {key} to show them and unlock approval\n", "bold $error")
    if layout.options.base:
        base = safe(layout.options.base, 30)
        key = key_of_base(review, layout.options.base)
        yield (f"▲ COMPARED WITH {base}, not with what runs: press {key} to change that\n", "bold $warning")


def _outcome(proposal: Proposal, layout: HeadLayout) -> Iterator[Part]:
    if proposal.state is not ProposalState.PENDING:
        note = f": {proposal.note}" if proposal.note else ""
        outcome = f"decided by {proposal.decider or '?'} {_ago(proposal.decided_at, layout)}{note}"
        yield safe(outcome, layout.width) + "\n"
    if proposal.error:
        lines = proposal.error.rstrip().splitlines()
        for line in lines[:_MAX_ERROR_LINES]:
            yield (safe(line, layout.width) + "\n", "$error")
        if len(lines) > _MAX_ERROR_LINES:
            yield _more_lines(len(lines) - _MAX_ERROR_LINES, current_key("review.commits"))


def _message(texts: HeadTexts, rows: int, layout: HeadLayout) -> Iterator[Content]:
    for line in texts.lines(rows):
        yield Content(f"{'':{MESSAGE_INDENT}}{safe(line, layout.width - MESSAGE_INDENT)}")


def describe_update(before: Proposal, now: Proposal) -> str | None:
    """What changed about a pending proposal while it was being read, or None."""
    if before.state is ProposalState.PENDING and now.state is not ProposalState.PENDING:
        note = f": {now.note}" if now.note else ""
        by = f" by {now.decided_by}" if now.decided_by else ""
        return f"▲ Decided while you were reading: #{now.id} {proposal_predicate(now.state)}{by}{note}"
    if before.base != now.base:
        old, new = wording.short_hash(before.base), wording.short_hash(now.base)
        moved = f"▲ main moved from {old} to {new} while you were reading."
        return f"{moved} This is the new diff: read it again. Unchanged files are still marked as viewed."
    return None


def _more_lines(count: int, key: str) -> Part:
    return (f"  … {count} more {'line' if count == 1 else 'lines'}: {key}\n", "$warning")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _ago(then: datetime | None, layout: HeadLayout) -> str:
    return wording.format_ago(then, layout.now)


def build_pages(review: Review) -> Iterator[Page]:
    """All texts of a review: the proposal with its decision, then each commit, newest first."""
    proposal = review.proposal
    lines = [proposal.title, "", proposal.body, "", f"Proposed by {proposal.submitted_by}."]
    if proposal.decided_by:
        lines.append(f"{proposal.state.capitalize()}, decided by {proposal.decider}. {proposal.note or ''}")
    if proposal.error:
        lines += ["", proposal.error]
    if review.tool_messages:
        lines += ["", *review.tool_messages]
    yield Page(f"proposal #{proposal.id}: {proposal.title}", "\n".join(lines))
    if proposal.commit and not review.commits:
        text = f"{proposal.commit}\n{review.author}\n\n{review.message}"
        yield Page(f"{wording.short_hash(proposal.commit)} (already contained in the base)", text)
    for commit in review.commits:
        number, authored = wording.short_hash(commit.id), format_date_time(commit.authored_at)
        title = f"{number} {subject(commit.message)}  {commit.author}, {authored}"
        head = f"commit {commit.id}\nby {commit.author}\n{format_date_time(commit.authored_at)} UTC\n\n"
        yield Page(title, head + commit.message)


def describe_unlisted(review: Review) -> str:
    """That not all commits are listed; "" if they are."""
    is_cut = review.commit_count > len(review.commits)
    return f"the newest {len(review.commits)} of {review.commit_count} commits" if is_cut else ""
