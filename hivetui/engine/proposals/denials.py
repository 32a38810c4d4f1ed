"""Commits that were denied before: a proposal of one says so, whatever was deployed since. Starts no process."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.proposals import Denial, Proposal, ProposalKind
from hivetui.engine.proposals.tags import ProposalTags, list_tags


def build_proposals(wanted: Iterable[ProposalTags], known: Iterable[ProposalTags]) -> tuple[Proposal, ...]:
    """The proposals, each with the last denial of its very commit among all the `known` ones of the hive."""
    denied: dict[tuple[str, str], list[ProposalTags]] = {}
    for one in known:
        if "denied" in one.tags and one.kind is not ProposalKind.SPAWN:
            denied.setdefault((one.agent, one.commit), []).append(one)
    return tuple(_build(tags, denied.get((tags.agent, tags.commit), ())) for tags in wanted)


def build_proposal(tags: ProposalTags) -> Proposal:
    """One proposal, with the last denial of its very commit."""
    return build_proposals([tags], list_tags(tags.store))[0]


def _build(tags: ProposalTags, denied: Iterable[ProposalTags]) -> Proposal:
    earlier = [one for one in denied if one.number < tags.number] if tags.kind is not ProposalKind.SPAWN else []
    last = max(earlier, key=lambda one: one.number, default=None)
    return tags.proposal() if last is None else tags.proposal().model_copy(update={"denied_before": _denial(last)})


def _denial(tags: ProposalTags) -> Denial:
    """The denial that is in the tags; one that was made by hand has no record, and says what its tag says."""
    tag, record = tags.tags["denied"], tags.refused
    return Denial(
        id=tags.number,
        decided_by=record.operator if record else tag.tagger_name,
        decided_at=record.at if record else tag.tagged_at,
        note=tags.note or "",
    )
