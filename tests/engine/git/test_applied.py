"""The applied repo: made whole or not at all, and read without a process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo, applied_names
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host import files, temp_dirs
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.model.errors import BadData, HiveError, OperationFailed
from tests.engine.git.conftest import Manager


class NoRunner:
    """A runner that nobody may use."""

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        raise AssertionError(command.argv)

    def stream(self, command: Command, sink: LineSink | None = None) -> AsyncGenerator[bytes, None]:
        raise AssertionError(command.argv)


async def quarantine_made(applied: AppliedRepo) -> None:
    """Come back as soon as a fetch has begun."""
    while not list(applied.folder.glob(".incoming-*")):  # noqa: ASYNC110  it is a file that is waited for
        await asyncio.sleep(0)


def maker_killed_in(folder: Path) -> None:
    """A process that makes a quarantine and is killed in the middle of it."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom hivetui.engine.host import temp_dirs\n"
        "with temp_dirs.temporary_directory(Path(sys.argv[1]), '.incoming-') as folder:\n"
        "    (folder / 'half').touch()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run((sys.executable, "-c", code, folder)).returncode == -signal.SIGKILL


async def test_a_new_repo_is_bare_with_the_main_of_proposed_as_its_first_deployment(
    applied: AppliedRepo, manager: Manager
) -> None:
    assert applied.exists()
    assert applied.has_layout()
    assert applied.main() == manager("rev-parse", "main")
    assert [path.name for path in applied.folder.iterdir()] == [".git"]
    assert list(applied.tags()) == ["deployed/0"]
    assert applied.tags()["deployed/0"].commit == applied.main()
    assert applied.tags()["deployed/0"].tagger == "hive-c0re <hive-c0re@hyperhive>"


async def test_every_user_may_read_the_repo(applied: AppliedRepo) -> None:
    """The manager's container and the user that evaluates read it."""
    for path in (applied.folder, *applied.folder.rglob("*")):
        assert path.stat().st_mode & 0o004, path


async def test_creating_the_repo_again_changes_nothing(applied: AppliedRepo) -> None:
    before = applied.tags()
    await applied.create_from_proposed()
    assert applied.tags() == before


async def test_an_empty_directory_is_replaced(host: Host) -> None:
    host.paths.applied_of("iris").mkdir(parents=True)
    await proposed.create(host, "iris")
    await AppliedRepo(host, "iris").create_from_proposed()
    assert AppliedRepo(host, "iris").has_layout()


async def test_a_refused_repo_leaves_no_files(host: Host, manager: Manager) -> None:
    await proposed.create(host, "iris")
    (host.paths.proposed("iris") / ".git/shallow").write_text("")
    with pytest.raises(BadData):
        await AppliedRepo(host, "iris").create_from_proposed()
    assert list(host.paths.applied.iterdir()) == []
    assert not AppliedRepo(host, "iris").exists()


async def test_a_cancelled_fetch_leaves_nothing(applied: AppliedRepo, host: Host, manager: Manager) -> None:
    manager("commit", "--allow-empty", "-q", "-m", "next")
    before = set(applied.folder.rglob("*"))
    for _ in range(3):
        task = asyncio.create_task(proposed.fetch(host, "iris", manager("rev-parse", "main")))
        await quarantine_made(applied)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert set(applied.folder.rglob("*")) == before
    await proposed.fetch(host, "iris", manager("rev-parse", "main"))


async def test_the_files_of_a_killed_fetch_are_removed_by_the_next(
    applied: AppliedRepo, host: Host, manager: Manager
) -> None:
    manager("commit", "--allow-empty", "-q", "-m", "next")
    maker_killed_in(applied.folder)
    assert list(applied.folder.glob(".incoming-*"))
    await proposed.fetch(host, "iris", manager("rev-parse", "main"))
    assert [path.name for path in applied.folder.iterdir()] == [".git"]


def test_a_directory_of_a_running_process_is_not_removed(tmp_path: Path) -> None:
    with temp_dirs.temporary_directory(tmp_path, ".making-") as folder:
        assert temp_dirs.remove_stale(tmp_path, ".making-") == ()
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_applied_names_are_directories_with_a_valid_name_in_order(host: Host) -> None:
    assert applied_names(host) == ()
    for folder in ("zoe", "adam", ".making-x", "name-that-is-too-long"):
        (host.paths.applied / folder).mkdir(parents=True)
    (host.paths.applied / "file").write_text("not a directory")
    assert applied_names(host) == ("adam", "zoe")


async def test_reading_starts_no_process(applied: AppliedRepo, host: Host) -> None:
    read = AppliedRepo(replace(host, runner=NoRunner()), "iris")
    main = read.main()
    assert main
    assert read.has_layout()
    assert read.tags()["deployed/0"].commit == main
    assert read.commit_summary(main).title == "The configuration of iris"


async def test_packed_refs_and_objects_read_the_same(applied: AppliedRepo) -> None:
    main = applied.main()
    assert main
    await applied.create_tag("proposal/1", main, "one\n\n{}")
    before = applied.tags(), applied.commit_summary(main)
    await applied.git.run("pack-refs", "--all", "--prune")
    await applied.git.run("repack", "-a", "-d", "-q")
    again = AppliedRepo(applied.host, "iris")
    assert not list((applied.git_dir / "refs/tags").iterdir())
    assert (again.tags(), again.commit_summary(main)) == before
    assert again.main() == main


async def test_created_and_deleted_tags_are_seen_at_once(applied: AppliedRepo) -> None:
    main = applied.main()
    assert main
    for number in range(3):
        assert await applied.create_tag(f"building/{number}", main, "x")
        assert f"building/{number}" in applied.tags()
        assert await applied.delete_tag(f"building/{number}")
        assert not await applied.delete_tag(f"building/{number}")
        assert f"building/{number}" not in applied.tags()


async def test_a_tag_without_a_message_is_its_commit(applied: AppliedRepo) -> None:
    main = applied.main()
    assert main
    await applied.git.compare_and_swap("refs/tags/light", main, "0" * 40)
    tag = applied.tags()["light"]
    assert (tag.commit, tag.message, tag.tagger) == (main, None, None)


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("1764180000 +1400", "2025-11-26T18:00:00+00:00"),
        ("253402300799 +0000", "9999-12-31T23:59:59+00:00"),
        ("253402300800 +0000", "9999-12-31T23:59:59+00:00"),
        ("99999999999999 +0000", "9999-12-31T23:59:59+00:00"),
    ],
)
async def test_every_date_that_git_accepts_is_told_apart_from_its_author(
    applied: AppliedRepo, host: Host, manager: Manager, date: str, shown: str
) -> None:
    tree = manager("rev-parse", "main^{tree}")
    raw = f"tree {tree}\nauthor A B <a@b> {date}\ncommitter c <c@d> 1764180000 +0000\n\nnext\n"
    commit = manager("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw.encode())
    await proposed.fetch(host, "iris", commit)
    summary = applied.commit_summary(commit)
    assert summary.author == "A B <a@b>"
    assert summary.authored_at.replace(microsecond=0).isoformat() == shown


async def test_a_missing_object_is_reported(applied: AppliedRepo) -> None:
    with pytest.raises(OperationFailed, match="missing"):
        applied.commit_summary("1" * 40)


async def test_a_fetched_commit_exists_without_a_ref(applied: AppliedRepo, host: Host, manager: Manager) -> None:
    manager("commit", "--allow-empty", "-q", "-m", "next")
    commit = manager("rev-parse", "main")
    before = applied.tags(), applied.main()
    await asyncio.gather(*(proposed.fetch(host, "iris", commit) for _ in range(3)))
    assert (applied.tags(), applied.main()) == before
    assert applied.commit_summary(commit).title == "next"
    assert await applied.move_main(commit, before[1] or "")
    assert applied.main() == commit


@pytest.fixture
def small_disk(host: Host) -> Iterator[None]:
    """A tmpfs of 256 KiB for applied."""
    host.paths.applied.mkdir(parents=True)
    mount = ("mount", "-t", "tmpfs", "-o", "size=256k", "none", str(host.paths.applied))
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root that may mount")
    yield
    subprocess.run(("umount", str(host.paths.applied)), check=True)


@pytest.mark.root
@pytest.mark.usefixtures("small_disk")
async def test_a_full_disk_leaves_nothing(host: Host, manager: Manager) -> None:
    await proposed.create(host, "iris")
    applied = AppliedRepo(host, "iris")
    await applied.create_from_proposed()
    (host.paths.proposed("iris") / "noise").write_bytes(os.urandom(400_000))
    manager("add", "-A")
    manager("commit", "-q", "-m", "next")
    before = set(host.paths.applied.rglob("*"))
    with pytest.raises(HiveError) as caught:
        await proposed.fetch(host, "iris", manager("rev-parse", "main"))
    assert caught.value.code == 73
    assert os.strerror(errno.ENOSPC) in caught.value.why
    assert caught.value.fix == files.fix_for(OSError(errno.ENOSPC, ""))
    assert set(host.paths.applied.rglob("*")) == before


async def test_tags_that_are_packed_while_they_are_read_are_seen(
    applied: AppliedRepo, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_packed = objects._packed_refs

    def packed_now(git_dir: Path, prefix: str) -> list[tuple[str, str]]:
        before = list(read_packed(git_dir, prefix))
        manager("pack-refs", "--all", "--prune", folder=applied.git_dir)
        return before

    def packed_first(git_dir: Path, prefix: str) -> list[tuple[str, str]]:
        manager("pack-refs", "--all", "--prune", folder=applied.git_dir)
        return list(read_packed(git_dir, prefix))

    for reader in (packed_now, packed_first):
        monkeypatch.setattr(objects, "_packed_refs", reader)
        assert list(applied.tags()) == ["deployed/0"]


async def test_tags_made_by_hand_hide_no_other_tag(applied: AppliedRepo, manager: Manager) -> None:
    manager("tag", "a-tree", "main^{tree}", folder=applied.git_dir)
    manager("tag", "-a", "-m", "x", "of-a-tree", "main^{tree}", folder=applied.git_dir)
    manager("symbolic-ref", "refs/tags/a-link", "refs/heads/main", folder=applied.git_dir)
    (applied.git_dir / "refs/tags/emptied").touch()
    manager("tag", "-a", "-m", "x", "of-a-tag", "deployed/0", folder=applied.git_dir)
    tags = applied.tags()
    assert set(tags) == {"deployed/0", "of-a-tag"}
    assert tags["of-a-tag"].commit == applied.main()


@pytest.mark.parametrize("value", ["", "ref: refs/heads/main\n", "1" * 40])
async def test_a_decision_that_cannot_be_read_is_an_error(applied: AppliedRepo, value: str) -> None:
    (applied.git_dir / "refs/tags/denied").mkdir()
    (applied.git_dir / "refs/tags/denied/1").write_text(value)
    with pytest.raises(OperationFailed, match="missing"):
        applied.tags()


async def test_a_damaged_object_is_reported(applied: AppliedRepo) -> None:
    main = applied.main() or ""
    await applied.create_tag("denied/1", main, "x")
    value = objects.ref(applied.git_dir, "refs/tags/denied/1") or ""
    path = applied.git_dir / "objects" / value[:2] / value[2:]
    path.chmod(0o644)
    path.write_bytes(b"torn")
    with pytest.raises(OperationFailed, match="damaged"):
        applied.tags()


async def test_a_partial_pack_of_a_killed_fetch_is_removed_by_the_next(
    applied: AppliedRepo, host: Host, manager: Manager
) -> None:
    manager("commit", "--allow-empty", "-q", "-m", "next")
    old, young = (applied.git_dir / f"objects/pack/pack-{letter * 40}.idx" for letter in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    await proposed.fetch(host, "iris", manager("rev-parse", "main"))
    assert (old.exists(), young.exists()) == (False, True)
    assert applied.commit_summary(manager("rev-parse", "main")).title == "next"
