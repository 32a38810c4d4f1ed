"""Git in our own repos: create-only tags, compare-and-swap, durable and deaf to the host's configuration."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.commands import NULL_ID, Git
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.model.errors import BadData, CommandFailed, Unavailable


@pytest.fixture
def git(applied: AppliedRepo) -> Git:
    return applied.git


async def main_of(git: Git) -> str:
    found = await git.resolve("refs/heads/main")
    assert found
    return found


async def test_of_many_tags_at_once_exactly_one_is_created(git: Git) -> None:
    main = await main_of(git)
    created = await asyncio.gather(*(git.create_tag("approved/1", main, f"by {at}") for at in range(12)))
    assert sorted(created) == [False] * 11 + [True]
    assert git.stale_locks() == ()


async def test_a_tag_that_exists_is_not_moved(git: Git) -> None:
    main = await main_of(git)
    assert await git.create_tag("approved/1", main, "first")
    before = await git.resolve("refs/tags/approved/1")
    assert not await git.create_tag("approved/1", main, "second")
    assert await git.resolve("refs/tags/approved/1") == before


@pytest.mark.parametrize(
    "tag", ["", "-d", "approved", "approved/../x", "Approved/1", "approved/1\n", "approved/1.lock"]
)
async def test_a_tag_that_is_not_of_the_engine_is_refused(git: Git, tag: str) -> None:
    with pytest.raises(BadData):
        await git.create_tag(tag, await main_of(git), "x")


async def test_a_message_is_stored_as_it_is(git: Git, host: Host) -> None:
    message = 'denied: “no”\n\n{"note": "-----BEGIN PGP SIGNATURE-----\\n# x"}'
    await git.create_tag("denied/7", await main_of(git), message)
    tag = AppliedRepo(host, "iris").tag("denied/7")
    assert tag
    assert tag.message == message + "\n"


async def test_compare_and_swap_moves_only_from_the_old_value(git: Git) -> None:
    main = await main_of(git)
    tree = await git.resolve("main^{tree}")
    assert tree
    new = (await git.run("commit-tree", "-m", "next", "-p", main, tree)).text.strip()
    assert not await git.compare_and_swap("refs/heads/main", new, new)
    assert await git.compare_and_swap("refs/heads/main", new, main)
    assert await main_of(git) == new


async def test_deleting_a_ref_needs_its_value(git: Git) -> None:
    main = await main_of(git)
    await git.compare_and_swap("refs/heads/side", main, NULL_ID)
    assert not await git.delete_ref("refs/heads/side", "1" * 40)
    assert await git.delete_ref("refs/heads/side", main)
    assert await git.resolve("refs/heads/side") is None


async def test_a_failure_other_than_a_lost_race_is_raised(git: Git) -> None:
    with pytest.raises(CommandFailed):
        await git.compare_and_swap("refs/heads/other", "1" * 40, NULL_ID)


@pytest.mark.parametrize("revision", ["", "-x", "nothing", "refs/heads/main\0"])
async def test_an_unknown_revision_resolves_to_none(git: Git, revision: str) -> None:
    assert await git.resolve(revision) is None


async def test_a_stale_lock_is_found_and_removed(git: Git) -> None:
    lock = git.git_dir / "refs/heads/main.lock"
    lock.touch()
    long_ago = time.time() - 10 * 365 * 86400
    os.utime(lock, (long_ago, long_ago))
    assert git.stale_locks() == (lock,)
    assert git.remove_stale_locks() == (lock,)
    assert not lock.exists()


@pytest.fixture
def living() -> Iterator[None]:
    """A git that runs during the test."""
    with subprocess.Popen(("git", "hash-object", "--stdin"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        yield
        assert child.poll() is None
        child.communicate()


@pytest.mark.usefixtures("living")
async def test_a_lock_of_a_running_git_is_kept(git: Git) -> None:
    lock = git.git_dir / "refs/heads/main.lock"
    lock.touch()
    assert git.remove_stale_locks() == ()
    assert lock.exists()


async def test_hooks_and_configuration_of_the_user_have_no_effect(host: Host, git: Git, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / ".gitconfig").write_text(f"[core]\n\tfsmonitor = touch {canary}\n[user]\n\tname = other\n")
    heard = Git(replace(host, environment={**host.environment, "HOME": str(tmp_path), "GIT_DIR": "/x"}), git.folder)
    hook = git.git_dir / "hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    assert await heard.create_tag("approved/3", await main_of(git), "x")
    assert not canary.exists()


async def test_a_missing_git_is_reported(host: Host, git: Git) -> None:
    without = replace(host, tools=Tools(git=("/nowhere/git",)))
    with pytest.raises(Unavailable):
        await Git(without, git.folder).resolve("main")
