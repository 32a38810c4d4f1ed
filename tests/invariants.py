"""What must hold of a hive on which no operation runs, whatever happened to it before: a kill, a full disk."""

from __future__ import annotations

import os
import subprocess

from hivetui.engine.agents import intent
from hivetui.engine.containers import drift, nixos_container
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.nix import build
from hivetui.engine.operations import store
from hivetui.engine.proposals import tags
from hivetui.engine.recovery.null_progress import NullProgress
from hivetui.engine.verification.verify import verify

_GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


async def check(host: Host, name: str) -> None:
    """Assert every invariant of the hive and of one agent."""
    _check_tags(AppliedRepo(host, name))
    await _check_systems(host, name)
    assert (await verify(host)).problems == ()
    _check_no_stale_files(host)
    _check_ids(host)
    assert store.list_operations(host.paths, ended=False) == ()
    assert intent.read(host.paths, name).doing is None


def _check_tags(applied: AppliedRepo) -> None:
    """Each id has at most one final state, a claimed one has one, and `main` is the newest deployed commit."""
    states: dict[int, set[str]] = {}
    for name in applied.tags():
        state, _, text = name.partition("/")
        states.setdefault(int(text), set()).add(state)
    for number, found in states.items():
        ends = found & {"deployed", "failed", "denied", "withdrawn"}
        assert len(ends) <= 1, (number, found)
        assert ends or "approved" not in found, (number, found)
        assert "building" not in found, (number, found)
    if not states:
        assert not applied.exists()
        return
    newest = max(number for number, found in states.items() if "deployed" in found)
    tag = applied.tag(f"deployed/{newest}")
    assert tag is not None
    assert applied.main() == tag.commit


async def _check_systems(host: Host, name: str) -> None:
    """Meta locks `main`, the profile holds the system built from it, and the container's files have not drifted."""
    pinned = await repository.pinned_commits(host)
    if not host.paths.conf(name).exists():
        assert name not in pinned
        assert nixos_container.system_of(host, name) is None
        assert not host.paths.limits(name).exists()
        return
    assert host.paths.conf(name).stat().st_size > 0
    assert pinned[name] == AppliedRepo(host, name).main()
    expected = await build.build_system(host, NullProgress(host), name, None, host.paths.root / "expected")
    assert nixos_container.system_of(host, name) == expected
    assert drift.drifted_files(host, name) == ()


def _check_no_stale_files(host: Host) -> None:
    """No lock, temporary file or half-removed tree is left, and meta's work tree is clean."""
    paths = host.paths
    for repo in (paths.meta / ".git", *paths.applied.glob("*/.git")):
        assert not [*repo.glob("*.lock"), *(repo / "refs").rglob("*.lock"), *(repo / "objects").rglob("tmp_*")]
    assert not list(paths.library.rglob(".*.tmp"))
    assert not [*paths.containers.glob(".*"), *paths.applied.glob(".*"), *paths.applied.glob("*/.incoming-*")]
    assert not [*paths.work.glob("*"), *(paths.engine / "trash").glob("*")]
    if paths.meta.is_dir():
        status = subprocess.run(["git", "status", "--porcelain"], cwd=paths.meta, env=_GIT, capture_output=True)
        assert status.stdout == b""


def _check_ids(host: Host) -> None:
    """No id is above its counter, which would give it out a second time."""
    counters = {kind: host.paths.engine / f"last-{kind}" for kind in ("proposal", "operation")}
    last = {kind: int(counter.read_text()) if counter.exists() else 0 for kind, counter in counters.items()}
    assert last["proposal"] >= tags.highest_id(host)
    assert last["operation"] >= max((found.id for found in store.list_operations(host.paths, ended=True)), default=0)
