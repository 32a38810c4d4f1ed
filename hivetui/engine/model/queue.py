"""How the pending proposals stand to each other."""

from __future__ import annotations

from hivetui.engine.model.base import Model


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
