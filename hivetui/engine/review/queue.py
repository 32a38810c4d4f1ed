"""The queue of pending proposals: which make the same change, and which stand in each other's way.

Changes are the same if git's raw difference is (paths, modes, both blobs), never by `git patch-id`, which ignores
blanks: `rm -rf /state/x` and `rm -rf /state /x` have the same patch id. Conflicts are git's own: `git merge-tree`
merges the two commits into a directory of objects that is thrown away.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeVar

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.host.scratch import scratch_directory
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.queue import QueuePlace, with_place
from hivetui.engine.review.difference import TIMEOUT, merge_tree_args, raw_difference_args

_AT_ONCE = 4
_KEPT = 2000
"""Comparisons that are remembered."""
_RAW_BYTES = 64 << 20
_CLEAN, _CONFLICT = 0, 1  # git-merge-tree(1), "EXIT STATUS"
K = TypeVar("K")
V = TypeVar("V")


class Queue:
    """Compares the pending proposals of one host, each two commits once."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._changes: OrderedDict[tuple[str, str, str], str | None] = OrderedDict()
        self._merges: OrderedDict[tuple[str, str, str], bool | None] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def places(self, proposals: Iterable[Proposal]) -> tuple[QueuePlace, ...]:
        """The places of the pending ones among these, in their order."""
        pending = [one for one in proposals if one.state is ProposalState.PENDING]
        deploys = _deploys_by_agent(pending)
        groups, conflicts = await asyncio.gather(self._group(pending), self._find_conflicts(deploys))
        stales = {
            one.id: tuple(other.id for other in of_agent if other is not one)
            for of_agent in deploys
            for one in of_agent
        }
        return tuple(
            QueuePlace(
                proposal=one.id,
                agent=one.agent,
                group=groups.get(one.id),
                stales=stales.get(one.id, ()),
                conflicts=conflicts.get(one.id, ()),
            )
            for one in pending
        )

    async def _group(self, pending: Sequence[Proposal]) -> dict[int, int]:
        """The lowest id of each group by the ids of its members."""
        members: dict[str, list[int]] = defaultdict(list)
        for one, change in zip(pending, await asyncio.gather(*map(self._change_of, pending)), strict=True):
            if change is not None:
                members[change].append(one.id)
        return {one: min(ids) for ids in members.values() if len(ids) > 1 for one in ids}

    async def _change_of(self, proposal: Proposal) -> str | None:
        """A digest of the raw difference; None for one without a commit or a change, and where it cannot be read."""
        if proposal.kind is not ProposalKind.DEPLOY or proposal.commit is None or proposal.base is None:
            return None
        key = (proposal.agent, proposal.base, proposal.commit)
        if key not in self._changes:
            async with self._slots:
                _remember(self._changes, key, await self._digest(*key))
        return self._changes[key]

    async def _digest(self, agent: str, base: str, commit: str) -> str | None:
        git = AppliedRepo(self._host, agent).git
        try:
            listing = await git.run(*raw_difference_args(base, commit), timeout=TIMEOUT, keep=_RAW_BYTES)
        except HiveError:  # `show` says what is wrong with this one
            return None
        return hashlib.sha256(listing.stdout).hexdigest() if listing.stdout else None

    async def _find_conflicts(self, deploys: Sequence[Sequence[Proposal]]) -> dict[int, tuple[int, ...] | None]:
        """The ids with which each of the deploys of an agent conflicts, None for one of which git cannot tell."""
        pairs = [pair for of_agent in deploys for pair in combinations(of_agent, 2)]
        found: dict[int, tuple[int, ...] | None] = {}
        answers = await asyncio.gather(*(self._conflict(*pair) for pair in pairs))
        for (one, other), is_conflict in zip(pairs, answers, strict=True):
            for number, with_number in ((one.id, other.id), (other.id, one.id)):
                before = found.get(number, ())
                if is_conflict is None or before is None:
                    found[number] = None
                elif is_conflict:
                    found[number] = (*before, with_number)
        return found

    async def _conflict(self, one: Proposal, other: Proposal) -> bool | None:
        first, second = sorted((one.commit or "", other.commit or ""))
        key = (one.agent, first, second)
        if key not in self._merges:
            async with self._slots:
                _remember(self._merges, key, await self._merge(*key))
        return self._merges[key]

    async def _merge(self, agent: str, first: str, second: str) -> bool | None:
        git = AppliedRepo(self._host, agent).git
        objects = str(git.git_dir / "objects")
        try:
            with scratch_directory(self._host.paths) as folder:
                env = {"GIT_OBJECT_DIRECTORY": str(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}
                merged = await git.run(*merge_tree_args(first, second), check=False, env=env, timeout=TIMEOUT)
        except HiveError:
            return None
        known = {_CLEAN: False, _CONFLICT: True}
        # with a tree that is missing git complains, and ends as if it had merged
        return None if merged.timed_out or merged.stderr else known.get(merged.status)


def add_places(proposals: Iterable[Proposal], places: Iterable[QueuePlace]) -> tuple[Proposal, ...]:
    """The proposals with their places, those of one group together: by severity, and then by the age of the group."""
    found = {one.proposal: one for one in places}
    known = [with_place(one, (found[one.id],)) if one.id in found else one for one in proposals]
    order = {one.id: at for at, one in reversed(list(enumerate(known)))}
    first: dict[int, int] = {}
    for at, one in enumerate(known):
        first.setdefault(one.group or one.id, at)
    return tuple(sorted(known, key=lambda one: (first[one.group or one.id], order[one.id])))


def _deploys_by_agent(pending: Iterable[Proposal]) -> tuple[list[Proposal], ...]:
    """The deploys of each agent: the approval of one moves `main` under the others."""
    found: dict[str, list[Proposal]] = defaultdict(list)
    for one in pending:
        if one.kind is ProposalKind.DEPLOY:
            found[one.agent].append(one)
    return tuple(found.values())


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    while len(known) > _KEPT:
        known.popitem(last=False)
