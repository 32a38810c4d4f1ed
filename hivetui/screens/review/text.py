"""What a review says in words: the lines above the difference, the row of a file, the pages of its messages. Pure.

Whatever does not fit is counted, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from hivetui.engine.model.agents import AgentState, SpawnAdvice
from hivetui.engine.model.proposals import FileChange, FileStatus, Proposal, ProposalState
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.pages import Page
from hivetui.screens.review.contents import DiffOptions
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import Cell, Row, Tone

Part = Content | str | tuple[str, str]
_STATUS = {
    FileStatus.ADDED: "new",
    FileStatus.DELETED: "gone",
    FileStatus.RENAMED: "moved",
    FileStatus.TYPE_CHANGED: "other kind",
    FileStatus.MODIFIED: "",
}
_KINDS = {"120000": "link", "160000": "submodule"}
_ABSENT = "000000"
_MOST_ERROR_LINES = 5
_SHOWN_IDS = 8


@dataclass(frozen=True)
class HeadLayout:
    """What the head depends on besides the review: its size in cells, and what the diff leaves out.

    `rows` limits the lines of the message; `viewed` counts the files that are marked.
    """

    now: datetime
    width: int
    rows: int
    viewed: int
    options: DiffOptions


def file_row(change: FileChange, viewed: bool) -> Row:
    """One file: whether it was viewed, what happened to it, its path, its lines."""
    tone: Tone = "dim" if viewed else ""
    name = f"{change.old_path} → {change.path}" if change.old_path else change.path
    words = file_words(change)
    cells = Cell("✓" if viewed else "·", "good" if viewed else "dim"), Cell(words, "warn"), Cell(name, tone)
    return Row(change.path, (*cells, Cell(file_lines(change), tone, (change.additions or 0) + (change.deletions or 0))))


def file_words(change: FileChange) -> str:
    """What happened to a file besides its lines: new, gone, moved, its mode, whether it is no plain file."""
    words = [_STATUS[change.status], _KINDS.get(change.new_mode, "")]
    modes = (change.old_mode, change.new_mode)
    if _ABSENT not in modes and modes[0] != modes[1]:
        words.append({"100644100755": "+x", "100755100644": "-x"}.get("".join(modes), "mode"))
    elif modes == (_ABSENT, "100755"):
        words.append("+x")
    return " ".join(filter(None, words))


def file_lines(change: FileChange) -> str:
    """Lines added and removed, or the sizes of a binary file."""
    if change.additions is not None:
        return f"+{change.additions} -{change.deletions}"
    sizes = [wording.size(size) for size in (change.old_size, change.new_size) if size is not None]
    return f"bin {'→'.join(sizes)}"


def head(review: Review, layout: HeadLayout) -> Content:
    """The lines above the difference: what is bound, what must not be overlooked, and what its author says."""
    parts = [*_bound(review, layout), *_alarms(review, layout), *_outcome(review.proposal, layout)]
    parts += _said(review, layout)
    return Content.assemble(*parts).rstrip()


def _bound(review: Review, layout: HeadLayout) -> Iterator[Part]:
    proposal = review.proposal
    glyph, _ = wording.PROPOSAL_GLYPHS[proposal.state]
    yield (f"#{proposal.id} {safe(proposal.agent)} ", "bold $primary")
    yield (f"{glyph} {proposal.state}  ", "bold")
    if proposal.commit is None:
        yield f"a spawn request by {safe(proposal.submitted_by, 30)}, {_ago(proposal.submitted_at, layout)}\n"
        return
    runs = f" ({safe(layout.options.base, 20)})" if layout.options.base else ""
    yield f"{proposal.kind} {wording.short(proposal.commit)} against {wording.short(proposal.base)}{runs}\n"
    count = max(review.commit_count, len(review.commits))
    added = sum(one.additions or 0 for one in review.files)
    removed = sum(one.deletions or 0 for one in review.files)
    facts = (
        f"{_many(count, 'commit')}, {_many(len(review.files), 'file')} +{added} -{removed}, {layout.viewed} viewed",
        f"by {review.author}, written {_ago(review.authored_at, layout)}",
        f"proposed {_ago(proposal.submitted_at, layout)}",
    )
    yield (safe(", ".join(facts), layout.width) + "\n", "$foreground 70%")


def _alarms(review: Review, layout: HeadLayout) -> Iterator[Part]:
    if review.taken_back:
        ids = ", ".join(f"#{one.id}" for one in review.taken_back[:_SHOWN_IDS])
        more = f" and {len(review.taken_back) - _SHOWN_IDS} more" if len(review.taken_back) > _SHOWN_IDS else ""
        words = f"▲ DOES NOT CONTAIN what was deployed as {ids}{more}: approving it takes that back"
        yield (words + "\n", "bold $error")
    if layout.options.ignore_whitespace:
        yield ("▲ CHANGES OF BLANKS ARE HIDDEN: w shows them. Until then it cannot be approved.\n", "bold $error")
    if layout.options.base:
        words = f"▲ COMPARED WITH {safe(layout.options.base, 30)}, not with what runs: b changes that"
        yield (words + "\n", "bold $warning")


def _outcome(proposal: Proposal, layout: HeadLayout) -> Iterator[Part]:
    if proposal.state is not ProposalState.PENDING:
        who = f"decided by {proposal.decided_by or '?'} {_ago(proposal.decided_at, layout)}"
        yield safe(who + (f": {proposal.note}" if proposal.note else ""), layout.width) + "\n"
    if proposal.error:
        lines = proposal.error.rstrip().splitlines()
        for line in lines[:_MOST_ERROR_LINES]:
            yield (safe(line, layout.width) + "\n", "$error")
        if len(lines) > _MOST_ERROR_LINES:
            yield _more(len(lines) - _MOST_ERROR_LINES)


def _said(review: Review, layout: HeadLayout) -> Iterator[Part]:
    lines = said(review)
    for line in lines[: layout.rows]:
        yield f"  {safe(line, layout.width - 2)}\n"
    if len(lines) > layout.rows:
        yield _more(len(lines) - layout.rows)


def said(review: Review) -> list[str]:
    """The lines of what its proposer says of it, and of its commit's message; nothing twice, no line empty."""
    message = review.message.strip()
    described = review.proposal.description.strip() or review.proposal.title.strip()
    texts = [message] if described in ("", message, message.partition("\n")[0]) else [described, message]
    return [line for text in texts for line in text.split("\n") if line.strip()]


def change_notice(before: Proposal, now: Proposal) -> str | None:
    """What changed about a pending proposal while it was being read, or None."""
    if before.state is ProposalState.PENDING and now.state is not ProposalState.PENDING:
        note = f": {now.note}" if now.note else ""
        return f"▲ It was decided while you read: {now.state}, by {now.decided_by or 'somebody'}{note}"
    if before.base != now.base:
        moved = f"▲ main moved from {wording.short(before.base)} to {wording.short(now.base)} while you read."
        return f"{moved} This is the new difference: read it again. Files that stayed the same stay viewed."
    return None


def _more(count: int) -> Part:
    return (f"  … {count} more {'line' if count == 1 else 'lines'}: m\n", "$warning")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _ago(then: datetime | None, layout: HeadLayout) -> str:
    return f"{wording.ago(then, layout.now)} ago" if then else "?"


def pages(review: Review) -> Iterator[Page]:
    """All texts of a review: what was said and decided, then each commit, newest first."""
    proposal = review.proposal
    said = [proposal.title, "", proposal.description, "", f"Proposed by {proposal.submitted_by}."]
    if proposal.decided_by:
        said.append(f"{proposal.state.capitalize()}, decided by {proposal.decided_by}. {proposal.note or ''}")
    if proposal.error:
        said += ["", proposal.error]
    yield Page(f"proposal #{proposal.id}: {proposal.title}", "\n".join(said))
    if proposal.commit and not review.commits:
        words = f"{proposal.commit}\n{review.author}\n\n{review.message}"
        yield Page(f"{proposal.commit[:8]} (nothing that the base has not)", words)
    for commit in review.commits:
        title = f"{commit.id[:8]} {commit.authored_at:%Y-%m-%d %H:%M} {commit.author}: {commit.message}"
        head = f"commit {commit.id}\nby {commit.author}\n{commit.authored_at:%Y-%m-%d %H:%M:%S} UTC\n\n"
        yield Page(title.partition("\n")[0], head + commit.message)


def more_commits(review: Review) -> str:
    """What of the commits is not listed."""
    rest = review.commit_count - len(review.commits)
    return f"the newest {len(review.commits)} of {review.commit_count} commits" if rest > 0 else ""


def spawn_lines(advice: SpawnAdvice, states: dict[str, AgentState]) -> Iterator[Part]:
    """What approving a spawn request would make, and what would keep it from that."""
    if advice.container is None:
        yield (f"▲ {safe(advice.problem or 'The name cannot be had.')}\n", "bold $error")
        return
    yield ("approving it makes\n", "bold")
    kept = states.get(advice.name) is AgentState.KEPT
    yield f"  the container {safe(advice.container)}, of the base system and an empty agent.nix\n"
    yield f"  its repos, credentials and notes{', of which those that were kept are used again' if kept else ''}\n"
    yield f"  its web page on port {advice.port}\n"
    yield from spawn_obstacles(advice, states)


def spawn_obstacles(advice: SpawnAdvice, states: dict[str, AgentState]) -> Iterator[Part]:
    """Why it could not be made, or not run."""
    if advice.problem:
        yield (f"\n▲ {safe(advice.problem)}: it cannot be made\n", "bold $error")
    for other in advice.shared_with:
        running = states.get(other) is AgentState.RUNNING
        what = "runs now: the spawn would be refused" if running else "does not run: only one of them can"
        yield (f"\n▲ port {advice.port} is that of {safe(other)} too, which {what}\n", "bold $warning")
    if advice.listener:
        yield (f"\n▲ {safe(advice.listener)} listens on port {advice.port}\n", "bold $warning")
    if advice.free_names:
        yield "  free names near it: " + ", ".join(safe(name) for name in advice.free_names) + "\n"
