"""How the pending proposals stand to each other."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.base import Model
from hivetui.engine.model.proposals import Proposal


class QueuePlace(Model):
    """What one pending proposal has to do with the others.

    `group` is the lowest id of those that make the very same change (paths, modes and contents of both sides), None for
    a change that no other makes. `stales` are those of the same agent: `main` moves under them when this one is
    approved. `conflicts` are those of them that could not be merged with it by git, None where git cannot tell.
    """

    proposal: int
    agent: str
    group: int | None = None
    stales: tuple[int, ...] = ()
    conflicts: tuple[int, ...] | None = ()


def with_place(proposal: Proposal, places: Iterable[QueuePlace]) -> Proposal:
    """The proposal with its place among these; one that has none is as it was."""
    place = next((one for one in places if one.proposal == proposal.id), None)
    if place is None:
        return proposal
    fields = {"group": place.group, "stales": place.stales, "conflicts": place.conflicts}
    return proposal.model_copy(update=fields)
