"""Decisions: approve, deny, withdraw, roll back. Of any number of decisions about one proposal, exactly one succeeds.

Each runs under the agent's decision lock and creates its tag (a rollback also `proposal/<id>`), which fails if the tag
exists. The tag names the record of the decision, which is written before it and whose ref is created after it
(`records`). After that the decision is published: to the event log and to the host's journal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from tempfile import TemporaryFile

from hivetui.engine.events.journal import publish
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, HiveError, NotFound, Stale, TryAgain
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.findings import Finding, format_counts
from hivetui.engine.model.notes import GivenNote
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import STATE_PHRASES, Proposal, ProposalKind, ProposalState
from hivetui.engine.model.records import EffectReference, GivenSignatures, RulesReference, Seen
from hivetui.engine.model.times import format_date_time
from hivetui.engine.proposals.acknowledgement import require_acknowledged
from hivetui.engine.proposals.claims import Claim
from hivetui.engine.proposals.denials import build_proposal
from hivetui.engine.proposals.line_notes import NoteChecker
from hivetui.engine.proposals.recording import Basis, time_of, write_record
from hivetui.engine.proposals.submit import decision_lock, pin_proposal, require_layout
from hivetui.engine.proposals.tag_messages import (
    Approved,
    Refused,
    clean_text,
    describe_note,
    escape_undecodable,
    format_message,
    record_findings,
    recorded_note,
)
from hivetui.engine.proposals.tags import ProposalTags, find_tags, load_tags
from hivetui.engine.records import keeping
from hivetui.engine.records.keeping import Written
from hivetui.engine.records.statements import Verdict

_LOCKS_OF_A_DELETION = 2
"""Of the ref, and of the packed refs."""
_SHORT_HASH = re.compile(r"[0-9a-f]{7,40}", re.ASCII)


async def approve(
    host: Host,
    number: int,
    commit: str | None,
    base: str | None,
    operator: Operator,
    note: str = "",
    acknowledged: Sequence[str] = (),
    findings: Sequence[Finding] | None = None,
    rules: RulesReference | None = None,
    effect: EffectReference | None = None,
    effect_meta: str | None = None,
    seen: Seen | None = None,
    restart: bool = False,
    given: GivenSignatures | None = None,
) -> Claim:
    """Approve a pending proposal. The caller holds the agent's lock and then deploys (or spawns) what was claimed.

    `commit` and `base` are the hashes that the operator reviewed, complete or at least seven digits; None for a spawn.
    `findings` are those of that commit against that base, None if it is exempt from them, and `rules` what they were
    made by; `effect` is what the approval is bound to besides, checked with commit `effect_meta` of meta. `seen` is
    what was on the operator's screen; with `restart` the agent is restarted even if its system stays the same. BadData
    for that of a spawn; Stale when commit or base has changed since; TryAgain, naming who decided and how, when it is
    already decided; for the findings as in `acknowledgement`. `given` is what the operator has signed, of
    `prepared.prepare_approval`; errors for it as for `keeping.write`.
    """
    agent = find_tags(host, number).agent
    with await decision_lock(host, agent, f"approve {number}"):
        tags = require_pending(host, number)
        reviewed_base = check_reviewed(tags, commit, base)
        basis = Basis(findings, tuple(acknowledged), rules, effect, effect_meta, seen=seen, restart=restart)
        basis = check_approval(tags, basis)
        return await _plant_approval(host, tags, reviewed_base, operator, clean_text(note, "note"), basis, given)


def check_approval(tags: ProposalTags, basis: Basis) -> Basis:
    """The basis of an approval as it is recorded."""
    if basis.restart and tags.kind is ProposalKind.SPAWN:
        what = f"Proposal {tags.number} is a spawn request"
        raise BadData(what, "There is no container yet that could be restarted.", "Leave out: --restart")
    if basis.findings is not None:
        require_acknowledged(tags.number, basis.findings, basis.acknowledged)
    return replace(basis, acknowledged=tuple(map(escape_undecodable, basis.acknowledged)))


def require_reviewed(host: Host, number: int, commit: str | None, base: str | None) -> str:
    """The full hash of the base that a pending proposal is approved against; errors as for `approve`."""
    return check_reviewed(require_pending(host, number), commit, base)


async def deny(
    host: Host,
    number: int,
    note: str,
    operator: Operator,
    findings: Sequence[Finding] | None = None,
    rules: RulesReference | None = None,
    lines: Sequence[GivenNote] = (),
    given: GivenSignatures | None = None,
) -> Proposal:
    """Refuse a pending proposal; BadData for a blank note, TryAgain when it is already decided.

    `lines` are notes on lines, checked as in `line_notes` against the proposal and its base.
    """
    note, basis = denial_note(number, note), Basis(findings, rules=rules)
    return await _refuse(host, number, ProposalState.DENIED, note, operator, basis, lines, given)


def denial_note(number: int, note: str) -> str:
    """The note of a denial as it is recorded; BadData for a blank one."""
    if not note.strip():
        raise BadData(f"Proposal {number} was not denied", "A denial needs a note.", "Say why with: --note TEXT")
    return clean_text(note, "note")


async def with_lines(tags: ProposalTags, base: str, basis: Basis, lines: Sequence[GivenNote]) -> Basis:
    """The basis of a denial with its notes on lines, which are checked."""
    return replace(basis, lines=tuple(map(recorded_note, await NoteChecker(tags, base).check(lines))))


async def withdraw(
    host: Host,
    number: int,
    operator: Operator,
    findings: Sequence[Finding] | None = None,
    rules: RulesReference | None = None,
    given: GivenSignatures | None = None,
) -> Proposal:
    """Withdraw a pending proposal; TryAgain when it is already decided."""
    basis = Basis(findings, rules=rules)
    return await _refuse(host, number, ProposalState.WITHDRAWN, "", operator, basis, given=given)


async def approve_rollback(
    host: Host, agent: str, to: int, note: str, operator: Operator, given: GivenSignatures | None = None
) -> Claim:
    """Submit and approve, in one go, a proposal for the commit of `deployed/<to>`. The caller holds the agent's lock.

    NotFound when that proposal was never deployed; BadData for a blank note, and for the commit that already runs.
    `given` is what the operator has signed, of `prepared.prepare_rollback`: Stale if another proposal got the id.
    """
    applied, main, commit, note = check_rollback(host, agent, to, note)
    with await decision_lock(host, agent, f"roll back to {to}"):
        title = f"Roll back to {to}"
        with _spare_files(applied) as spare:
            made = await pin_proposal(host, applied, agent, ProposalKind.ROLLBACK, commit, title, note, operator)
            try:
                tags = require_pending(host, made.id)
                return await _plant_approval(host, tags, main, operator, note, Basis(), given)
            except HiveError:  # for example a full disk: no pending proposal that nobody asked for may remain
                spare.close()
                with suppress(HiveError):
                    require_pending(host, made.id)  # if it was approved nevertheless, the next repair fails it
                    await applied.delete_tag(f"proposal/{made.id}")
                raise


def check_rollback(host: Host, agent: str, to: int, note: str) -> tuple[AppliedRepo, str, str, str]:
    """The repo, `main`, the commit and the note of a rollback."""
    if not note.strip():
        raise BadData(f"{agent} was not rolled back", "A rollback needs a note.", "Say why with: --note TEXT")
    applied = require_layout(host, agent)
    main = applied.main() or ""
    return applied, main, _rollback_commit(applied, to, main), clean_text(note, "note")


@contextmanager
def _spare_files(applied: AppliedRepo) -> Iterator[ExitStack]:
    """Files in place of the locks by which git deletes a tag, for which a full disk has no room; closing frees them."""
    with ExitStack() as stack, files.translate_os_errors(f"{applied.git_dir} could not be written"):
        for _ in range(_LOCKS_OF_A_DELETION):
            stack.enter_context(TemporaryFile(dir=applied.git_dir, buffering=0)).write(bytes(1))
        yield stack


def _rollback_commit(applied: AppliedRepo, to: int, main: str) -> str:
    target = applied.tag(f"deployed/{to}")
    agent = applied.name
    if target is None:
        raise NotFound(
            f"{agent} never ran proposal {to}", f"There is no deployed/{to}.", f"See: hivetui history {agent}"
        )
    if target.commit == main:
        raise BadData(
            f"{agent} already runs the commit of proposal {to}", f"It is {main[:12]}.", f"See: hivetui history {agent}"
        )
    return target.commit


def require_pending(host: Host, number: int) -> ProposalTags:
    """The tags of a proposal; TryAgain unless it is pending."""
    tags = find_tags(host, number)
    if tags.state != ProposalState.PENDING:
        raise _already_decided(tags)
    return tags


def _already_decided(tags: ProposalTags) -> TryAgain:
    """The error for a decision that comes too late: who decided before, what, and when."""
    verb = "approved" if tags.approved else tags.state.value
    by = ""
    if decision := tags.decision:
        by = f" by {decision.operator} ({decision.source}) at {format_date_time(decision.at)} UTC"
    return TryAgain(
        f"Proposal {tags.number} {STATE_PHRASES.get(tags.state, 'is decided')}; it is no longer pending",
        f"It was {verb}{by}.",
        f"See: hivetui show {tags.number}",
    )


def check_reviewed(tags: ProposalTags, commit: str | None, base: str | None) -> str:
    """The full hash of the base, if commit and base are still what the operator reviewed; BadData, Stale."""
    main = tags.store.main() or ""
    if tags.kind == ProposalKind.SPAWN:
        if commit or base:
            raise BadData(
                f"Proposal {tags.number} is a spawn request", "It has no commit and no base.", "Leave them out."
            )
        return main
    for field, reviewed, current in (("commit", commit, tags.commit), ("base", base, main)):
        if not reviewed or not _SHORT_HASH.fullmatch(reviewed):
            raise BadData(
                f"{(reviewed or '')[:50]!r} is not the {field} of proposal {tags.number}",
                "An approval names the commit that was reviewed and the main that it was compared with.",
                f"Take both from: hivetui show {tags.number}",
            )
        if not current.startswith(reviewed):
            raise _other_reviewed(tags.number, field, reviewed, current)
    return main


def _other_reviewed(number: int, field: str, reviewed: str, current: str) -> Stale:
    """The error for an approval of something else: `main` can move, but the commit of a proposal never changes."""
    if field == "commit":
        what = f"The approval is for another commit: that of proposal {number} is {current[:12]}"
        why = f"{reviewed[:12]} was given; the commit of a proposal never changes."
    else:
        what = f"main has moved since proposal {number} was reviewed: its base is now {current[:12]}"
        why = f"The approval was for a comparison with {reviewed[:12]}."
    return Stale(what, why, f"Review it again, then decide: hivetui show {number} --diff")


def verdict_of(tags: ProposalTags) -> Verdict:
    """What an approval of this proposal is recorded as."""
    return Verdict.ROLLBACK if tags.kind is ProposalKind.ROLLBACK else Verdict.APPROVE


async def _plant_approval(
    host: Host,
    tags: ProposalTags,
    base: str,
    operator: Operator,
    note: str,
    basis: Basis,
    given: GivenSignatures | None,
) -> Claim:
    """Record the decision, create `approved/<id>` on the commit of the proposal, and publish it.

    TryAgain when the tag exists.
    """
    at = time_of(host, given)
    written = await write_record(host, tags, verdict_of(tags), at, base, operator, note, basis, given)
    record = Approved(
        at=at,
        operator=escape_undecodable(operator.name),
        source=escape_undecodable(operator.source),
        kind=tags.kind,
        agent=tags.agent,
        commit=tags.commit,
        base=base,
        note=note,
        acknowledged=basis.acknowledged,
        findings=None if basis.findings is None else record_findings(basis.findings, basis.acknowledged),
        effect=basis.effect,
        effect_meta=basis.effect_meta,
        record=written.blob,
        seen=basis.seen and basis.seen.digest,
        restart=basis.restart,
    )
    line = f"Proposal {tags.number} of {tags.agent} approved by {record.operator} ({record.source})"
    await _plant_decision(host, tags, "approved", format_message(line, record), written)
    details = {"commit": record.commit, "base": base, "note": note, "acknowledged": " ".join(basis.acknowledged)}
    _publish_decision(host, tags, "approved", operator, record, details | _details(basis, written))
    return Claim.from_record(tags.number, record)


async def _plant_decision(host: Host, tags: ProposalTags, name: str, message: str, written: Written) -> None:
    """Create the tag, which decides, and then the ref of the record; TryAgain when it was decided meanwhile."""
    if not await tags.store.create_tag(f"{name}/{tags.number}", tags.commit, message):
        raise _already_decided(find_tags(host, tags.number))
    await keeping.plant_or_leave(tags.store.git, str(tags.number), written.blob)


def _details(basis: Basis, written: Written) -> dict[str, str]:
    """What the event of a decision says of findings, effect, notes on lines (how many) and record."""
    details = {"record": written.blob, "proof": written.proof.value}
    if basis.findings is not None:
        details["findings"] = format_counts(basis.findings)
    if basis.effect is not None:
        details["derivation"] = basis.effect.derivation
    if basis.lines:
        details["lines"] = str(len(basis.lines))
    if basis.seen is not None:
        details["seen"] = basis.seen.digest
    if basis.restart:
        details["restart"] = "true"
    return details


async def _refuse(
    host: Host,
    number: int,
    end: ProposalState,
    note: str,
    operator: Operator,
    basis: Basis,
    lines: Sequence[GivenNote] = (),
    given: GivenSignatures | None = None,
) -> Proposal:
    """Create `denied/<id>` or `withdrawn/<id>` and publish the decision; TryAgain when it is already decided."""
    agent = find_tags(host, number).agent
    verdict = Verdict.DENY if end is ProposalState.DENIED else Verdict.WITHDRAW
    with await decision_lock(host, agent, f"{end.value} {number}"):
        tags = require_pending(host, number)
        at, base = time_of(host, given), tags.store.main() or ""
        basis = await with_lines(tags, base, basis, lines)
        written = await write_record(host, tags, verdict, at, base, operator, note, basis, given)
        record = Refused(
            at=at,
            operator=escape_undecodable(operator.name),
            source=escape_undecodable(operator.source),
            note=note,
            base=base,
            findings=None if basis.findings is None else record_findings(basis.findings),
            record=written.blob,
            lines=basis.lines,
        )
        line = f"Proposal {number} of {agent} {end.value} by {record.operator}"
        message = format_message(line, record, map(describe_note, basis.lines))
        await _plant_decision(host, tags, end.value, message, written)
    details = {"commit": tags.commit, "base": record.base, "note": note} | _details(basis, written)
    _publish_decision(host, tags, end.value, operator, record, details)
    return build_proposal(load_tags(tags.store, number) or tags)


def _publish_decision(
    host: Host,
    tags: ProposalTags,
    verb: str,
    operator: Operator,
    record: Approved | Refused,
    details: dict[str, str],
) -> None:
    is_rollback = tags.kind == ProposalKind.ROLLBACK and verb == "approved"
    decision = "rolled back" if is_rollback else verb
    key = {"key": operator.key} if operator.key else {}
    event = Event(
        time=record.at,
        kind=EventKind.PROPOSAL_DECIDED,
        agent=tags.agent,
        proposal=tags.number,
        operator=record.operator,
        source=record.source,
        text=f"Proposal {tags.number} of {tags.agent} was {verb} by {record.operator}",
        data={"decision": decision, "kind": tags.kind.value, "uid": str(operator.uid)} | key | details,
    )
    publish(host, event)
