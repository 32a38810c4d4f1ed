"""A repo that has more than regular files and directories, or borrows from another, is refused before git serves it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from hivetui.engine.git.untrusted import proposed
from hivetui.engine.model.errors import NotFound
from tests.engine.git.canaries.conftest import Hostile

pytestmark = pytest.mark.usefixtures("jailed")


async def test_a_gitfile_is_refused(hostile: Hostile) -> None:
    shutil.rmtree(hostile.git_dir)
    hostile.git_dir.write_text(f"gitdir: {hostile.secret}/.git\n")
    refusal = await hostile.refused(hostile.secret_commit)
    assert refusal.what.endswith("/.git is a file, not a directory")
    assert "linked worktree" in refusal.why
    assert "Clone the repo anew" in refusal.fix


async def test_a_git_directory_that_is_a_link_is_refused(hostile: Hostile) -> None:
    shutil.rmtree(hostile.git_dir)
    hostile.git_dir.symlink_to(hostile.secret / ".git")
    assert "is a symbolic link" in (await hostile.refused(hostile.secret_commit)).what


@pytest.mark.parametrize("part", ["config", "iris"])
async def test_a_link_above_the_repo_is_refused(hostile: Hostile, part: str) -> None:
    place = hostile.folder if part == "config" else hostile.folder.parent
    shutil.rmtree(place)
    place.symlink_to(hostile.secret if part == "config" else hostile.secret.parent)
    assert "is a symbolic link" in (await hostile.refused(hostile.secret_commit)).what


@pytest.mark.parametrize("part", ["objects", "refs", "refs/heads/main", "HEAD", "objects/pack"])
async def test_links_inside_the_repo_are_refused(hostile: Hostile, part: str) -> None:
    path = hostile.git_dir / part
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to(hostile.secret / ".git" / part)
    assert "is a symbolic link" in (await hostile.refused(hostile.secret_commit)).what


def test_an_ordinary_fetch_would_leak(hostile: Hostile, tmp_path: Path) -> None:
    """What the refusals stand between: git itself follows a gitfile and alternates into another repo."""
    (hostile.git_dir / "objects/info").mkdir(exist_ok=True)
    (hostile.git_dir / "objects/info/alternates").write_text(f"{hostile.secret}/.git/objects\n")
    into = tmp_path / "into"
    into.mkdir()
    hostile.manager("init", "-q", "--bare", folder=into)
    fetch = ("-c", "protocol.version=2", "fetch", "-q", str(hostile.folder), hostile.secret_commit)
    hostile.manager(*fetch, folder=into)
    assert hostile.manager("cat-file", "-t", hostile.secret_commit, folder=into) == "commit"


@pytest.mark.parametrize("part", ["objects/info/alternates", "objects/info/http-alternates"])
async def test_objects_of_another_repo_are_refused(hostile: Hostile, part: str) -> None:
    path = hostile.git_dir / part
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{hostile.secret}/.git/objects\n")
    assert (await hostile.refused(hostile.secret_commit)).what.endswith(f"{part} exists")


@pytest.mark.parametrize("part", ["HEAD", "refs", "objects"])
async def test_what_git_takes_for_no_repo_is_refused(hostile: Hostile, part: str) -> None:
    commit = hostile.commit()
    hostile.manager("pack-refs", "--all")
    path = hostile.git_dir / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    refusal = await hostile.refused(commit)
    assert refusal.what.endswith(".git is not a repo that git accepts")
    assert part in refusal.why
    assert "Clone the repo anew" in refusal.fix


@pytest.mark.parametrize("head", ["", "\0" * 41, "ref: heads/main\n", "main\n"])
async def test_a_head_that_git_does_not_accept_is_refused(hostile: Hostile, head: str) -> None:
    commit = hostile.commit()
    (hostile.git_dir / "HEAD").write_text(head)
    assert "its HEAD" in (await hostile.refused(commit)).why


async def test_objects_that_are_borrowed_become_the_repo_s_own_by_the_advice(hostile: Hostile, tmp_path: Path) -> None:
    commit, other = hostile.commit(), tmp_path / "other"
    hostile.folder.rename(other)
    hostile.manager("clone", "-q", "--shared", str(other), str(hostile.folder), folder=tmp_path)
    assert "git repack -a -d" in (await hostile.refused(commit)).fix
    hostile.manager("repack", "-q", "-a", "-d")
    (hostile.git_dir / "objects/info/alternates").unlink()
    await hostile.accepted(commit)


async def test_a_shallow_clone_is_completed_by_the_advice(hostile: Hostile, tmp_path: Path) -> None:
    hostile.commit()
    commit, other = hostile.commit(), tmp_path / "other"
    hostile.folder.rename(other)
    hostile.manager("clone", "-q", "--depth=1", f"file://{other}", str(hostile.folder), folder=tmp_path)
    assert "git fetch --unshallow" in (await hostile.refused(commit)).fix
    hostile.manager("fetch", "-q", "--unshallow")
    await hostile.accepted(commit)


async def test_a_sparse_checkout_is_undone_by_the_advice(hostile: Hostile) -> None:
    commit = hostile.commit()
    hostile.manager("sparse-checkout", "set", "mods")
    assert "git sparse-checkout disable" in (await hostile.refused(commit)).fix
    hostile.manager("sparse-checkout", "disable")
    hostile.manager("config", "--unset", "extensions.worktreeConfig")
    (hostile.git_dir / "config.worktree").unlink()
    await hostile.accepted(commit)


@pytest.mark.parametrize("part", ["commondir", "gitdir", "config.worktree", "shallow", "info/grafts"])
async def test_special_files_of_git_are_refused(hostile: Hostile, part: str) -> None:
    commit = hostile.commit()
    path = hostile.git_dir / part
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{hostile.secret}/.git\n")
    assert (await hostile.refused(commit)).what.endswith(f"{part} exists")


async def test_a_pack_of_a_partial_clone_is_refused(hostile: Hostile) -> None:
    commit = hostile.commit()
    hostile.manager("repack", "-q", "-a", "-d")
    pack = next((hostile.git_dir / "objects/pack").glob("*.pack"))
    pack.with_suffix(".promisor").touch()
    assert "partial clone" in (await hostile.refused(commit)).what


@pytest.mark.parametrize("part", ["config", "HEAD", "objects/info/packs", "refs/heads/trap"])
async def test_a_fifo_is_refused_and_nothing_blocks_on_it(hostile: Hostile, part: str) -> None:
    commit = hostile.commit()
    path = hostile.git_dir / part
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert "is a FIFO" in (await hostile.refused(commit)).what


async def test_a_socket_is_refused(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hostile.commit()
    monkeypatch.chdir(hostile.git_dir)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("trap")
        assert "is a socket" in (await hostile.refused(commit)).what


@pytest.mark.root
async def test_a_device_is_refused(hostile: Hostile) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    commit = hostile.commit()
    os.mknod(hostile.git_dir / "trap", 0o600 | 0o020000, os.makedev(1, 3))
    assert "is a device" in (await hostile.refused(commit)).what


async def test_a_repo_that_is_gone_is_refused(hostile: Hostile) -> None:
    shutil.rmtree(hostile.folder)
    with pytest.raises(NotFound, match="config does not exist"):
        await proposed.fetch(hostile.host, "iris", "1" * 40)


async def test_a_repo_readable_by_its_owner_only_is_accepted(hostile: Hostile) -> None:
    commit = hostile.commit()
    for where, folders, names in os.walk(hostile.git_dir):
        for name in (*folders, *names):
            path = Path(where, name)
            path.chmod(0o700 if path.is_dir() else 0o600)
    await hostile.accepted(commit)
