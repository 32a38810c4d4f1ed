"""What a deploy reads and plants: the claim, the record of the host before it, and the end. All idempotent.

The caller holds the agent's lock. A deployed, failed, denied or withdrawn proposal gets no second end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from hivetui.engine.events.journal import publish
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.proposals import ProposalKind, ProposalState
from hivetui.engine.proposals import tag_messages
from hivetui.engine.proposals.tag_messages import (
    Approved,
    BuildRecord,
    Deployed,
    Failed,
    escape_undecodable,
    parse_message,
)
from hivetui.engine.proposals.tags import (
    ENDS,
    MetaTagStore,
    ProposalTags,
    find_store,
    list_tags,
    load_tags,
    tag_stores,
    unknown_proposal,
)


@dataclass(frozen=True)
class Claim:
    """An approved proposal: `commit` is to run in place of `base`. For a spawn both are meta's HEAD of their times."""

    proposal: int
    agent: str
    kind: ProposalKind
    commit: str
    base: str
    operator: str
    source: str
    at: datetime
    note: str
    acknowledged: tuple[str, ...]


def claim_from_record(number: int, record: Approved) -> Claim:
    """The claim that the record of `approved/<id>` tells."""
    return Claim(
        number,
        record.agent,
        record.kind,
        record.commit,
        record.base,
        record.operator,
        record.source,
        record.at,
        record.note,
        record.acknowledged,
    )


def load_claim(host: Host, name: str, number: int) -> Claim | None:
    """The claim on proposal `number`, None when nobody approved it; NotFound without such a proposal.

    OperationFailed for an `approved/<id>` that is not of the engine's making or on another commit: nothing is
    deployed by it.
    """
    found = _case(host, name, number)
    if "approved" not in found.tags:
        return None
    record = found.approved
    if record is None or record.commit != found.commit or record.agent != name:
        raise OperationFailed(
            f"The tag approved/{number} of {name} is not the engine's",
            "Its record is missing or is about another commit.",
            f"Look at it with: git -C {found.store.git_dir} cat-file -p approved/{number}",
        )
    return claim_from_record(number, record)


async def mark_building(host: Host, name: str, number: int, record: BuildRecord) -> None:
    """Plant `building/<id>`; one that is there stays as it is."""
    found = _case(host, name, number)
    await _plant(found, "building", f"Proposal {number} of {name} is being built", record)


def load_build_record(host: Host, name: str, number: int) -> BuildRecord | None:
    """What `building/<id>` recorded, None without one (or with one made by hand)."""
    tag = _case(host, name, number).tags.get("building")
    return parse_message(tag.message, BuildRecord) if tag else None


async def unmark_building(host: Host, name: str, number: int) -> None:
    """Take `building/<id>` away, if it is there."""
    await find_store(host, name, number).delete_tag(f"building/{number}")


async def mark_deployed(host: Host, name: str, number: int, commit: str) -> None:
    """Plant `deployed/<id>` on `commit`; OperationFailed when it ended otherwise."""
    record = Deployed(at=host.clock(), commit=commit)
    await _end(host, name, number, ProposalState.DEPLOYED, f"Proposal {number} of {name} was deployed", record, commit)


async def mark_failed(host: Host, name: str, number: int, error: str) -> None:
    """Plant `failed/<id>` with the end of `error`; OperationFailed when it ended otherwise."""
    kept = escape_undecodable(error).strip()[-tag_messages.MAX_ERROR_CHARS :]
    line = f"Proposal {number} of {name} failed: {kept.partition(chr(10))[0]}"
    await _end(host, name, number, ProposalState.FAILED, line, Failed(at=host.clock(), error=kept))


def list_unfinished(host: Host, name: str) -> tuple[int, ...]:
    """The ids of an agent that are approved or building and have no end, spawns too, ascending."""
    going = (ProposalState.APPROVED, ProposalState.BUILDING)
    found = (case for store in tag_stores(host, name) for case in list_tags(store))
    return tuple(sorted(case.number for case in found if case.agent == name and case.state in going))


def agents_with_unfinished_spawn(host: Host) -> frozenset[str]:
    """The agents whose spawn was approved and has no end; of such an agent the host may have no other trace."""
    going = (ProposalState.APPROVED, ProposalState.BUILDING)
    return frozenset(case.agent for case in list_tags(MetaTagStore(host)) if case.state in going)


def list_stale_build_marks(host: Host, name: str) -> tuple[int, ...]:
    """The ids of an agent that ended and whose `building/<id>` is still there, ascending."""
    found = (case for store in tag_stores(host, name) for case in list_tags(store))
    return tuple(
        sorted(case.number for case in found if case.agent == name and case.state in ENDS and "building" in case.tags)
    )


async def _end(
    host: Host, name: str, number: int, end: ProposalState, line: str, record: BaseModel, commit: str | None = None
) -> None:
    found = _case(host, name, number)
    if found.state in ENDS and found.state != end:
        raise OperationFailed(
            f"Proposal {number} of {name} cannot be {end.value}: it is {found.state.value}",
            "A proposal ends once.",
            f"See: hivetui show {number}",
        )
    if await _plant(found, end.value, line, record, commit):
        publish(host, _ended(host, found, end, line))


def _ended(host: Host, found: ProposalTags, end: ProposalState, line: str) -> Event:
    return Event(
        time=host.clock(),
        kind=EventKind.PROPOSAL_ENDED,
        agent=found.agent,
        proposal=found.number,
        text=line,
        data={"state": end.value, "kind": found.kind.value, "commit": found.commit},
    )


async def _plant(found: ProposalTags, state: str, line: str, record: BaseModel, commit: str | None = None) -> bool:
    return await found.store.create_tag(
        f"{state}/{found.number}", commit or found.commit, tag_messages.format_message(line, record)
    )


def _case(host: Host, name: str, number: int) -> ProposalTags:
    found = load_tags(find_store(host, name, number), number)
    if found is None:
        raise unknown_proposal(number, "Somebody removed its tag.")
    return found
