"""Decisions: approve, deny, withdraw, roll back. Of any number at once about one proposal, exactly one wins.

All run under the agent's decision lock, and each plants one create-only tag. Every one is told in the event log and
in the host's journal, after its tag is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from hivetui.engine.events.journal import publish
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, HiveError, NotFound, Stale, TryAgain
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals import tag_messages
from hivetui.engine.proposals.claims import Claim, claim_from_record
from hivetui.engine.proposals.submit import decision_lock, pin_proposal, require_layout
from hivetui.engine.proposals.tag_messages import Approved, Refused, escape_undecodable
from hivetui.engine.proposals.tags import ProposalTags, find_tags, load_tags

_SHORT_HASH = re.compile(r"[0-9a-f]{7,40}", re.ASCII)


async def approve(
    host: Host,
    number: int,
    commit: str | None,
    base: str | None,
    operator: Operator,
    note: str = "",
    acknowledged: Sequence[str] = (),
) -> Claim:
    """Claim a pending proposal; the caller holds the agent's lock, and goes on to deploy (or spawn).

    `commit` and `base` are what the operator read, whole or at least seven digits of it; None for a spawn. Stale when
    either is no longer what is there; TryAgain, with who did what, when it is decided already.
    """
    found = find_tags(host, number)
    with await decision_lock(host, found.agent, f"approve {number}"):
        found = _pending(host, number)
        now = _checked_pair(found, commit, base)
        return await _claim(
            host, found, now, operator, _checked_note(note), tuple(map(escape_undecodable, acknowledged))
        )


async def deny(host: Host, number: int, note: str, operator: Operator) -> Proposal:
    """Refuse a pending proposal; BadData for a blank note, TryAgain when it is decided already."""
    if not note.strip():
        raise BadData(f"Proposal {number} was not denied", "A denial needs a note.", "Say why with: --note TEXT")
    return await _refuse(host, number, ProposalState.DENIED, _checked_note(note), operator)


async def withdraw(host: Host, number: int, operator: Operator) -> Proposal:
    """Take a pending proposal back; TryAgain when it is decided already."""
    return await _refuse(host, number, ProposalState.WITHDRAWN, "", operator)


async def plan_rollback(host: Host, name: str, to: int, note: str, operator: Operator) -> Claim:
    """A new, claimed proposal at the commit of `deployed/<to>`; the caller holds the agent's lock.

    NotFound when that was never deployed; BadData for a blank note, and for what runs now.
    """
    if not note.strip():
        raise BadData(f"{name} was not rolled back", "A roll back needs a note.", "Say why with: --note TEXT")
    applied = require_layout(host, name)
    target = applied.tag(f"deployed/{to}")
    if target is None:
        raise NotFound(f"{name} never ran proposal {to}", f"There is no deployed/{to}.", f"See: hivetui history {name}")
    main = applied.main() or ""
    if target.commit == main:
        raise BadData(f"{name} runs the commit of {to} already", f"It is {main[:12]}.", f"See: hivetui history {name}")
    with await decision_lock(host, name, f"roll back to {to}"):
        title = f"Roll back to {to}"
        made = await pin_proposal(
            host, applied, name, ProposalKind.ROLLBACK, target.commit, title, _checked_note(note), operator
        )
        try:
            return await _claim(host, _pending(host, made.id), main, operator, _checked_note(note), ())
        except HiveError:  # a full disk: nobody asked for a proposal that waits
            with suppress(HiveError):
                _pending(host, made.id)  # one that was claimed all the same is failed by the next repair, as a crash is
                await applied.delete_tag(f"proposal/{made.id}")
            raise


def _pending(host: Host, number: int) -> ProposalTags:
    """The proposal if it still waits."""
    found = find_tags(host, number)
    if found.state != ProposalState.PENDING:
        _lost(found)
    return found


def _lost(found: ProposalTags) -> NoReturn:
    """Tell who comes late what has become of it, and by whom."""
    decision = found.decision
    by = f"by {decision.operator} ({decision.source}) at {decision.at:%Y-%m-%d %H:%M:%S} UTC" if decision else ""
    verb = "approved" if found.approved else found.state.value
    raise TryAgain(
        f"Proposal {found.number} is {found.state.value}, it no longer waits",
        f"It was {verb} {by}.".replace(" .", "."),
        f"See: hivetui show {found.number}",
    )


def _checked_pair(found: ProposalTags, commit: str | None, base: str | None) -> str:
    """The whole hash of the base, if what was read is what is there."""
    main = found.store.main() or ""
    if found.kind == ProposalKind.SPAWN:
        if commit or base:
            raise BadData(
                f"Proposal {found.number} is a spawn request", "It has no commit and no base.", "Leave them out."
            )
        return main
    for what, given, there in (("commit", commit, found.commit), ("base", base, main)):
        if not given or not _SHORT_HASH.fullmatch(given):
            raise BadData(
                f"{(given or '')[:50]!r} is not the {what} of proposal {found.number}",
                "An approval names the commit that was read and the main it was compared with.",
                f"Take both from: hivetui show {found.number}",
            )
        if not there.startswith(given):
            raise Stale(
                f"Proposal {found.number} is not what was read: its {what} is {there[:12]}",
                f"The approval was for {given[:12]}.",
                f"Read it again, then decide: hivetui show {found.number} --diff",
            )
    return main


async def _claim(
    host: Host, found: ProposalTags, base: str, operator: Operator, note: str, acknowledged: tuple[str, ...]
) -> Claim:
    record = Approved(
        at=host.clock(),
        operator=escape_undecodable(operator.name),
        source=escape_undecodable(operator.source),
        kind=found.kind,
        agent=found.agent,
        commit=found.commit,
        base=base,
        note=note,
        acknowledged=acknowledged,
    )
    line = f"Proposal {found.number} of {found.agent} approved by {record.operator} ({record.source})"
    if not await found.store.create_tag(
        f"approved/{found.number}", found.commit, tag_messages.format_message(line, record)
    ):
        _lost(find_tags(host, found.number))
    facts = {"commit": record.commit, "base": base, "note": note, "acknowledged": " ".join(acknowledged)}
    _tell(host, found, "approved", operator, record, facts)
    return claim_from_record(found.number, record)


async def _refuse(host: Host, number: int, end: ProposalState, note: str, operator: Operator) -> Proposal:
    found = find_tags(host, number)
    with await decision_lock(host, found.agent, f"{end.value} {number}"):
        found = _pending(host, number)
        record = Refused(
            at=host.clock(),
            operator=escape_undecodable(operator.name),
            source=escape_undecodable(operator.source),
            note=note,
            base=found.store.main() or "",
        )
        line = f"Proposal {number} of {found.agent} {end.value} by {record.operator}"
        if not await found.store.create_tag(
            f"{end.value}/{number}", found.commit, tag_messages.format_message(line, record)
        ):
            _lost(find_tags(host, number))
    facts = {"commit": found.commit, "base": record.base, "note": note}
    _tell(host, found, end.value, operator, record, facts)
    after = load_tags(found.store, number)
    return (after or found).proposal()


def _tell(
    host: Host, found: ProposalTags, verb: str, operator: Operator, record: Approved | Refused, facts: dict[str, str]
) -> None:
    rolled = found.kind == ProposalKind.ROLLBACK and verb == "approved"
    event = Event(
        time=record.at,
        kind=EventKind.PROPOSAL_DECIDED,
        agent=found.agent,
        proposal=found.number,
        operator=record.operator,
        source=record.source,
        text=f"Proposal {found.number} of {found.agent} was {verb} by {record.operator}",
        data={"decision": "rolled back" if rolled else verb, "kind": found.kind.value, "uid": str(operator.uid)}
        | facts,
    )
    publish(host, event)


def _checked_note(note: str) -> str:
    note = escape_undecodable(note).strip()
    if len(note) > tag_messages.MAX_TEXT_CHARS:
        raise BadData(
            f"The note has {len(note)} characters", f"It may have {tag_messages.MAX_TEXT_CHARS}.", "Say it shorter."
        )
    return note
