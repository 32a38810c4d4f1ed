"""Decisions that are described before they are made, so that their operator can sign them elsewhere.

What is signed is compared, byte by byte, with what the decision itself records afterwards (`records.signing.attach`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host import ids
from hivetui.engine.host.host import Host
from hivetui.engine.model.notes import GivenNote
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.proposals import decide
from hivetui.engine.proposals.recording import Basis, Prepared, prepare
from hivetui.engine.proposals.tag_messages import clean_text
from hivetui.engine.proposals.tags import highest_id
from hivetui.engine.records.statements import Verdict


async def prepare_approval(
    host: Host, number: int, commit: str | None, base: str | None, operator: Operator, note: str, basis: Basis
) -> Prepared:
    """What the operator is to sign of an approval on this basis; errors as for `approve`, and nothing is written."""
    tags = decide.require_pending(host, number)
    reviewed_base = decide.check_reviewed(tags, commit, base)
    described = (reviewed_base, operator, clean_text(note, "note"), decide.check_approval(tags, basis))
    return await prepare(host, tags, decide.verdict_of(tags), *described)


async def prepare_refusal(
    host: Host,
    number: int,
    verdict: Verdict,
    note: str,
    operator: Operator,
    basis: Basis,
    lines: Sequence[GivenNote] = (),
) -> Prepared:
    """What the operator is to sign of a denial or a withdrawal; errors as for these, and nothing is written."""
    note = decide.denial_note(number, note) if verdict is Verdict.DENY else ""
    tags = decide.require_pending(host, number)
    base = tags.store.main() or ""
    return await prepare(host, tags, verdict, base, operator, note, await decide.with_lines(tags, base, basis, lines))


@dataclass(frozen=True)
class _NextRollback:
    """A rollback that is not proposed yet, with the id that it will have."""

    number: int
    store: AppliedRepo
    agent: str
    commit: str
    kind: ProposalKind = ProposalKind.ROLLBACK


async def prepare_rollback(host: Host, agent: str, to: int, note: str, operator: Operator) -> Prepared:
    """What the operator is to sign of a rollback; errors as for it, and nothing is written."""
    applied, main, commit, note = decide.check_rollback(host, agent, to, note)
    number = ids.expected_id(host.paths, "proposal", highest_id(host) + 1)
    subject = _NextRollback(number, applied, agent, commit)
    return await prepare(host, subject, Verdict.ROLLBACK, main, operator, note, Basis())
