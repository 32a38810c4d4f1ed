"""The tags of a deploy: reads `approved/<id>`, and creates `building/<id>` and then `deployed/<id>` or `failed/<id>`.

The caller holds the agent's lock. Everything here can be repeated after a kill. A proposal in a final state gets no
other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from hivetui.engine.events.journal import publish
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.proposals import ProposalKind, ProposalState
from hivetui.engine.model.records import EffectReference
from hivetui.engine.proposals.tag_messages import (
    MAX_ERROR_CHARS,
    Approved,
    BuildRecord,
    Deployed,
    Failed,
    escape_undecodable,
    format_message,
    parse_message,
)
from hivetui.engine.proposals.tags import MetaTagStore, ProposalTags, find_tags_of, list_tags, tag_stores

_UNFINISHED = (ProposalState.APPROVED, ProposalState.BUILDING)


@dataclass(frozen=True)
class Claim:
    """An approved proposal: `commit` replaces `base`. For a spawn both are meta's HEAD, at submission and approval.

    With an `effect`, its derivation is deployed and nothing else; it was evaluated with commit `effect_meta` of meta.
    With `restart` the agent is restarted even if it has that system already.
    """

    proposal: int
    agent: str
    kind: ProposalKind
    commit: str
    base: str
    note: str
    effect: EffectReference | None = None
    effect_meta: str | None = None
    restart: bool = False

    @classmethod
    def from_record(cls, number: int, record: Approved) -> Claim:
        """The claim that the record of `approved/<id>` describes."""
        return cls(
            proposal=number,
            agent=record.agent,
            kind=record.kind,
            commit=record.commit,
            base=record.base,
            note=record.note,
            effect=record.effect,
            effect_meta=record.effect_meta,
            restart=record.restart,
        )


def load_claim(host: Host, agent: str, number: int) -> Claim | None:
    """The claim on proposal `number`, None while it is not approved; NotFound when there is no such proposal.

    OperationFailed for an `approved/<id>` that the engine did not make or that is on another commit: such a tag must
    not deploy anything.
    """
    tags = find_tags_of(host, agent, number)
    if "approved" not in tags.tags:
        return None
    record = tags.approved
    if record is None or record.commit != tags.commit or record.agent != agent:
        raise OperationFailed(
            f"The tag approved/{number} of {agent} was not made by the engine",
            "Its record is missing or names another commit.",
            f"Look at it with: git -C {tags.store.git_dir} cat-file -p approved/{number}",
        )
    return Claim.from_record(number, record)


async def mark_building(host: Host, agent: str, number: int, record: BuildRecord) -> None:
    """Create `building/<id>`; an existing one is left as it is."""
    tags = find_tags_of(host, agent, number)
    await _create_tag(tags, "building", f"Proposal {number} of {agent} is being built", record)


def load_build_record(host: Host, agent: str, number: int) -> BuildRecord | None:
    """The record of `building/<id>`; None without such a tag, or with one made by hand."""
    tag = find_tags_of(host, agent, number).tags.get("building")
    return parse_message(tag.message, BuildRecord) if tag else None


async def unmark_building(host: Host, agent: str, number: int) -> None:
    """Remove `building/<id>` if it exists."""
    await find_tags_of(host, agent, number).store.delete_tag(f"building/{number}")


async def mark_deployed(
    host: Host, agent: str, number: int, commit: str, unchanged: bool = False, system: str | None = None
) -> None:
    """Create `deployed/<id>` on `commit`; OperationFailed when the proposal has another final state.

    `system` is the store path of what was built from it; `unchanged` says that the agent had that before.
    """
    line = f"Proposal {number} of {agent} was deployed{', without a change of its system' if unchanged else ''}"
    record = Deployed(at=host.clock(), commit=commit, unchanged=unchanged, system=system)
    await _end(host, find_tags_of(host, agent, number), ProposalState.DEPLOYED, line, record, commit)


async def mark_failed(host: Host, agent: str, number: int, error: str) -> None:
    """Create `failed/<id>` with the end of `error`; OperationFailed when the proposal has another final state."""
    error = escape_undecodable(error).strip()[-MAX_ERROR_CHARS:]
    line = f"Proposal {number} of {agent} failed: {error.partition(chr(10))[0]}"
    record = Failed(at=host.clock(), error=error)
    await _end(host, find_tags_of(host, agent, number), ProposalState.FAILED, line, record)


def list_unfinished(host: Host, agent: str) -> tuple[int, ...]:
    """The ids of an agent's proposals that are approved or building, spawn requests included, ascending."""
    return tuple(sorted(tags.number for tags in _tags_of_agent(host, agent) if tags.state in _UNFINISHED))


def agents_with_unfinished_spawn(host: Host) -> frozenset[str]:
    """The agents whose spawn request is approved and not finished. The host may have no other trace of them."""
    return frozenset(tags.agent for tags in list_tags(MetaTagStore(host)) if tags.state in _UNFINISHED)


def list_stale_build_marks(host: Host, agent: str) -> tuple[int, ...]:
    """The ids of an agent's proposals in a final state that still have their `building/<id>`, ascending."""
    stale = (tags for tags in _tags_of_agent(host, agent) if tags.state.is_final and "building" in tags.tags)
    return tuple(sorted(tags.number for tags in stale))


def _tags_of_agent(host: Host, agent: str) -> Iterator[ProposalTags]:
    return (tags for store in tag_stores(host, agent) for tags in list_tags(store) if tags.agent == agent)


async def _end(
    host: Host, tags: ProposalTags, end: ProposalState, line: str, record: BaseModel, commit: str | None = None
) -> None:
    """Create the tag of a final state and publish it; a repeat with the same state does nothing."""
    if tags.state.is_final and tags.state != end:
        raise OperationFailed(
            f"Proposal {tags.number} of {tags.agent} cannot become {end.value}: it is {tags.state.value}",
            "A proposal has only one final state.",
            f"See: hivetui show {tags.number}",
        )
    if await _create_tag(tags, end.value, line, record, commit):
        publish(
            host,
            Event(
                time=host.clock(),
                kind=EventKind.PROPOSAL_ENDED,
                agent=tags.agent,
                proposal=tags.number,
                text=line,
                data={"state": end.value, "kind": tags.kind.value, "commit": tags.commit},
            ),
        )


async def _create_tag(tags: ProposalTags, name: str, line: str, record: BaseModel, commit: str | None = None) -> bool:
    """Create `<name>/<id>` on `commit`, or on the proposal's; False when it exists."""
    return await tags.store.create_tag(f"{name}/{tags.number}", commit or tags.commit, format_message(line, record))
