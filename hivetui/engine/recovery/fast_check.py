"""Whether a crash may have left something of an agent, by the names in a few directories.

A hundred agents without leftovers cost a few milliseconds. A positive answer is only a hint, which `scan` verifies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hivetui.engine.agents import leftovers
from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import FINAL_STATES, PROPOSAL_TAGS
from hivetui.engine.proposals import claims, recording
from hivetui.engine.proposals.leftovers import is_abandoned_rollback
from hivetui.engine.records import keeping
from hivetui.engine.recovery import migration

_Tags = Mapping[str, tuple[str, ...]]
"""The entries of `refs/tags/<name>` by that name: ids, and perhaps lock files."""


def needs_scan(host: Host, name: str, targets: frozenset[str]) -> bool:
    """Whether a crash may have left something of the agent.

    `targets` comes from `leftovers.targets_of_temporary_files` and is the same for all agents.
    """
    paths = host.paths
    if leftovers.interrupted_work(paths, name) or leftovers.may_have_temporary_files(paths, name, targets):
        return True
    if not paths.applied_of(name).is_dir():
        return False
    git_dir = paths.applied_git(name)
    tags = _list_tags(git_dir)
    applied = AppliedRepo(host, name)
    is_unsettled = migration.needs_migration(host, name) or _has_unfinished(git_dir, tags)
    is_unsettled = is_unsettled or _has_abandoned_rollback(applied, tags)
    return is_unsettled or _has_lock(git_dir, tags) or _lacks_records(applied, tags)


def agents_with_unfinished_spawn(host: Host) -> frozenset[str]:
    """The agents whose spawn request was approved and is not finished."""
    git_dir = host.paths.meta / ".git"
    has_unfinished = _has_unfinished(git_dir, _list_tags(git_dir))
    return claims.agents_with_unfinished_spawn(host) if has_unfinished else frozenset()


def _list_tags(git_dir: Path) -> _Tags:
    return {name: _list(git_dir / "refs/tags" / name) for name in PROPOSAL_TAGS}


def _has_unfinished(git_dir: Path, tags: _Tags) -> bool:
    """Whether a proposal is approved or building and not finished.

    The engine does not pack tags. Where someone else did, the packed ones are read too, which costs more.
    """
    if (git_dir / "packed-refs").exists():
        refs = [ref.split("/") for ref in objects.refs(git_dir, "refs/tags")]
        tags = {name: tuple(ref[-1] for ref in refs if ref[2] == name) for name in PROPOSAL_TAGS}
    finished = {number for state in FINAL_STATES for number in tags[state.value]}
    return bool(tags["building"]) or not finished.issuperset(tags["approved"])


def _has_abandoned_rollback(applied: AppliedRepo, tags: _Tags) -> bool:
    """Whether a rollback is pending. Only where something is pending, a tag has to be read.

    True too where one cannot be read: the scan says so, and of this agent only.
    """
    decided = {number for name in PROPOSAL_TAGS if name != "proposal" for number in tags[name]}
    pending = (number for number in tags["proposal"] if number not in decided and number.isdecimal())
    try:
        return any(is_abandoned_rollback(applied, int(number)) for number in pending)
    except HiveError:
        return True


def _lacks_records(applied: AppliedRepo, tags: _Tags) -> bool:
    """Whether a decision has no record, or none is kept at all. Only for the former, tags have to be read."""
    recorded = _list(applied.git_dir / keeping.FOLDER)
    if keeping.FIRST not in recorded:
        return keeping.record_ref(applied.git_dir, keeping.FIRST) is None
    decided = {number for name in recording.DECISION_TAGS for number in tags[name]}
    return not decided.issubset(recorded) and any(recording.unplanted_records(applied))


def _has_lock(git_dir: Path, tags: _Tags) -> bool:
    folders: Iterable[tuple[str, ...]] = (_list(git_dir), _list(git_dir / "refs/heads"), *tags.values())
    has_lock = any(entry.endswith(".lock") for entries in folders for entry in entries)
    return has_lock or any(entry.startswith("tmp_") for entry in _list(git_dir / "objects/pack"))


def _list(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))  # noqa: PTH208  (a Path for each entry is the larger part of the cost)
    except (FileNotFoundError, NotADirectoryError):
        return ()
