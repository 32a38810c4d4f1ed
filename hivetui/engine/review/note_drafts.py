"""The notes on lines that operators write while they read a proposal, kept until it is decided.

One file an operator in the engine's state: for each proposal the notes, the base that they were written against, and
when. Unlike marks of viewed files they are somebody's words: only those of proposals that were not touched for a long
time are dropped, and a file that cannot be read is an error to readers too, so that no denial goes out without the
notes that were written for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import HiveError, OperationFailed
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.proposals.decide import require_pending
from hivetui.engine.proposals.line_notes import NoteChecker
from hivetui.engine.proposals.tags import find_tags

MAX_AGE = timedelta(days=90)
MAX_PROPOSALS = 200
"""With notes, of one operator; those of the others are dropped, the oldest first."""
_MAX_BYTES = 32 << 20


class Draft(Model):
    """The notes of one operator on one proposal; `base` is what it was compared with when they were written."""

    written_at: datetime
    base: str
    lines: tuple[LineNote, ...]


async def load_notes(host: Host, operator: str, number: int) -> tuple[LineNote, ...]:
    """The notes of an operator on a pending proposal; none of a decided one. OperationFailed if they cannot be read.

    When `main` has moved, the notes on old lines of files that are another there are left out.
    """
    tags = find_tags(host, number)
    draft = load_draft(host.paths, operator, number) if tags.state is ProposalState.PENDING else None
    if draft is None:
        return ()
    main = tags.store.main() or ""
    return tuple([note for note in draft.lines if await _is_in_place(tags.store, draft.base, main, note)])


async def _is_in_place(applied: AppliedRepo, base: str, main: str, note: LineNote) -> bool:
    if note.side == "new" or base == main:
        return True
    before, now = [await applied.git.resolve(f"{commit}:{note.file}") for commit in (base, main)]
    return before is not None and before == now


async def load_for_denial(host: Host, operator: str, number: int) -> tuple[LineNote, ...]:
    """The notes that go with a denial; OperationFailed, which says that nothing is denied, if they cannot be read."""
    try:
        return await load_notes(host, operator, number)
    except OperationFailed as error:
        raise OperationFailed(
            f"Proposal {number} was not denied: your notes on lines cannot be read",
            error.why,
            f"{error.fix}, then deny it again, without them.",
        ) from error


async def keep_notes(
    host: Host, operator: str, number: int, notes: Sequence[GivenNote], now: datetime
) -> tuple[LineNote, ...]:
    """Keep these notes, in place of earlier ones, until the proposal is decided; returns them as they are kept.

    TryAgain when it is decided; BadData as in `line_notes`.
    """
    tags = require_pending(host, number)
    base = tags.store.main() or ""
    checked = await NoteChecker(tags, base).check(notes)
    draft = Draft(written_at=now, base=base, lines=checked)
    await asyncio.to_thread(store_draft, host.paths, operator, number, draft)
    return checked


def load_draft(paths: Paths, operator: str, proposal: int) -> Draft | None:
    """The notes of an operator on a proposal; None without any, OperationFailed if they cannot be read."""
    return _read(_file_of(paths, operator)).get(proposal)


def store_draft(paths: Paths, operator: str, proposal: int, draft: Draft) -> None:
    """Store the notes of an operator on a proposal; without any, forget them."""
    path = _file_of(paths, operator)
    files.make_directory(paths.locks)
    files.make_directory(path.parent, 0o700)
    with locks.hold_briefly(paths.locks / "notes"):
        drafts = _read(path)
        drafts.pop(proposal, None)
        if draft.lines:
            drafts[proposal] = draft
        kept = _prune(drafts, draft.written_at)
        content = {number: one.model_dump(mode="json") for number, one in kept.items()}
        files.replace(path, json.dumps(content).encode("ascii"), 0o600)


def forget_draft(paths: Paths, operator: str, proposal: int, now: datetime) -> None:
    """Forget the notes that a decision has taken. It is made: that they cannot be removed undoes nothing."""
    with suppress(HiveError):
        if load_draft(paths, operator, proposal) is not None:
            store_draft(paths, operator, proposal, Draft(written_at=now, base="", lines=()))


def _file_of(paths: Paths, operator: str) -> Path:
    """The file of an operator, whose name may hold any character."""
    digest = hashlib.sha256(operator.encode("utf-8", "surrogatepass")).hexdigest()
    return paths.engine / "notes" / f"{digest[:16]}.json"


def _read(path: Path) -> dict[int, Draft]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_BYTES))  # not by pydantic: a path may have lone surrogates
        return {int(number): Draft.model_validate(one) for number, one in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        why = str(error).partition("\n")[0]
        raise OperationFailed("Your notes on lines cannot be read", why, f"Move this file away: {path}") from error


def _prune(drafts: dict[int, Draft], now: datetime) -> dict[int, Draft]:
    recent = [(one.written_at, number) for number, one in drafts.items() if one.written_at >= now - MAX_AGE]
    return {number: drafts[number] for _, number in sorted(recent)[-MAX_PROPOSALS:]}
