"""Making a proposed repo, reading names in it, and pointing its remote."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hivetui.engine.git.untrusted import proposed, revisions
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData, CannotCreate
from tests.engine.git.conftest import Manager


@pytest.fixture
async def made(host: Host) -> Path:
    await proposed.create(host, "iris")
    return host.paths.proposed("iris")


async def test_a_new_repo_has_two_files_in_one_commit_on_main(made: Path, manager: Manager) -> None:
    assert manager("ls-files").split() == ["agent.nix", "flake.nix"]
    assert manager("rev-list", "--count", "main") == "1"
    assert manager("status", "--porcelain") == ""
    assert manager("log", "-1", "--format=%an <%ae>") == "hive-c0re <hive-c0re@hyperhive>"


async def test_its_remote_is_applied_as_the_manager_sees_it(made: Path, manager: Manager) -> None:
    assert manager("remote", "get-url", "applied") == "/applied/iris/.git"


async def test_creating_the_repo_again_changes_no_file(host: Host, made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    await proposed.create(host, "iris")
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


async def test_another_directory_in_its_place_is_left_alone(host: Host) -> None:
    place = host.paths.proposed("iris")
    place.mkdir(parents=True)
    (place / "notes").write_text("mine")
    with pytest.raises(CannotCreate, match="blocks the new"):
        await proposed.create(host, "iris")
    assert [path.name for path in place.iterdir()] == ["notes"]
    assert list(host.paths.work.iterdir()) == []


async def test_two_creations_at_once_create_one_repo(host: Host, manager: Manager) -> None:
    made = await asyncio.gather(*(proposed.create(host, "iris") for _ in range(3)), return_exceptions=True)
    assert None in made
    assert manager("rev-list", "--count", "main") == "1"


async def test_main_a_branch_and_hashes_are_resolved(host: Host, made: Path, manager: Manager) -> None:
    whole = manager("rev-parse", "main")
    manager("branch", "side/one")
    for text in (None, "main", "side/one", whole, whole.upper(), whole[:7], whole[:4]):
        assert await proposed.resolve(host, "iris", text) == whole


async def test_packed_refs_and_objects_are_resolved(host: Host, made: Path, manager: Manager) -> None:
    whole = manager("rev-parse", "main")
    manager("gc", "-q")
    assert not (made / ".git/objects" / whole[:2]).exists()
    for text in (None, "main", whole[:8]):
        assert await proposed.resolve(host, "iris", text) == whole


async def test_an_ambiguous_hash_is_refused_with_the_count(host: Host, made: Path) -> None:
    folder = made / ".git/objects/ab"
    folder.mkdir(exist_ok=True)
    for digit in "123":
        (folder / ("cd" + digit * 36)).touch()
    with pytest.raises(BadData, match="ambiguous") as caught:
        await proposed.resolve(host, "iris", "abcd")
    assert "3 objects" in caught.value.why


async def test_a_branch_that_looks_like_another_commit_is_ambiguous(host: Host, made: Path, manager: Manager) -> None:
    whole = manager("rev-parse", "main")
    manager("commit", "--allow-empty", "-q", "-m", "other")
    manager("branch", whole[:7])
    with pytest.raises(BadData, match="ambiguous"):
        await proposed.resolve(host, "iris", whole[:7])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-x",
        "--upload-pack=x",
        "../main",
        "a..b",
        "main\n",
        "main.lock",
        "HEAD^",
        "x:y",
        "1" * 41,
        "HEAD",
        ".x",
        "x/.y",
        "x/",
    ],
)
async def test_text_that_names_no_commit_is_refused(host: Host, made: Path, text: str) -> None:
    (made / ".git/HEAD").write_text("ref: refs/heads/unborn\n")
    with pytest.raises(BadData, match="is not a commit"):
        await proposed.resolve(host, "iris", text)


NAMES = [
    *("fix#12", "user@feat", "feature/ä", "a/-b", "x,y", "50%", "+1", "a'b", 'a"b', "$(x)", "`x`", "(a)", "a&b", "a|b"),
    *(
        "a;b",
        "<a>",
        "!a",
        "a=b",
        "@a",
        "a@",
        "{a}",
        "v1.2.3",
        "한글",
        "a\u0308",
        "deadbeef",
        "dead",
        "_",
        "1",
        "heads/x",
    ),
    *("refs/heads/x", "a\u2028b", "a\u0085b", "a.lock.b", "a--b", "locked"),
]


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
async def test_every_branch_that_git_takes_is_resolved(host: Host, made: Path, manager: Manager, packed: bool) -> None:
    commits = {}
    for name in NAMES:
        manager("commit", "--allow-empty", "-q", "-m", name)
        commits[name] = manager("rev-parse", "HEAD")
        manager("update-ref", f"refs/heads/{name}", "HEAD")
    if packed:
        manager("pack-refs", "--all")
    assert {name: await proposed.resolve(host, "iris", name) for name in NAMES} == commits


WRONG_NAMES = [
    *(
        "",
        "/x",
        "x/",
        "x//y",
        ".x",
        "x/.y",
        "x.",
        "x.lock",
        "x.lock/y",
        "x..y",
        "a b",
        "a~b",
        "a^b",
        "a:b",
        "a?b",
        "a*b",
    ),
    *("a[b", "a\\b", "a@{b", "a\tb", "a\x7fb", "a\nb"),
]


def test_names_are_those_that_git_takes(manager: Manager, made: Path) -> None:
    def git_takes(name: str) -> bool:
        try:
            return manager("check-ref-format", f"refs/heads/{name}") == ""
        except subprocess.CalledProcessError:
            return False

    for name in (*NAMES, *WRONG_NAMES):
        assert revisions.is_name(name) == git_takes(name), name


async def test_head_and_a_detached_head_are_resolved(host: Host, made: Path, manager: Manager) -> None:
    first = manager("rev-parse", "HEAD")
    assert [await proposed.resolve(host, "iris", text) for text in ("HEAD", "@")] == [first, first]
    manager("checkout", "-q", "--detach")
    manager("commit", "--allow-empty", "-q", "-m", "other")
    assert await proposed.resolve(host, "iris", "HEAD") == manager("rev-parse", "HEAD") != first


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
async def test_tags_are_resolved_to_their_commits(host: Host, made: Path, manager: Manager, packed: bool) -> None:
    commit = manager("rev-parse", "main")
    manager("tag", "light")
    manager("tag", "-m", "words", "v1.0")
    manager("tag", "-m", "words", "of-a-tag", "v1.0")
    manager("update-ref", "refs/remotes/origin/main", "main")
    manager("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    if packed:
        manager("gc", "-q")
    for name in ("light", "v1.0", "tags/v1.0", "refs/tags/v1.0", "of-a-tag", "origin/main", "origin", "heads/main"):
        assert await proposed.resolve(host, "iris", name) == commit


async def test_a_tag_and_a_branch_of_one_name_are_told_apart(host: Host, made: Path, manager: Manager) -> None:
    manager("tag", "v1")
    manager("commit", "--allow-empty", "-q", "-m", "other")
    manager("branch", "v1")
    with pytest.raises(BadData, match="ambiguous") as caught:
        await proposed.resolve(host, "iris", "v1")
    assert "heads/NAME" in caught.value.fix
    assert await proposed.resolve(host, "iris", "heads/v1") == manager("rev-parse", "main")
    assert await proposed.resolve(host, "iris", "tags/v1") == manager("rev-parse", "main~")


async def test_a_directory_of_branches_is_no_branch(host: Host, made: Path, manager: Manager) -> None:
    manager("branch", "fix/one")
    for text in ("fix", "fix/one/two"):
        with pytest.raises(BadData, match="is not a commit"):
            await proposed.resolve(host, "iris", text)


async def test_a_branch_through_a_link_is_refused(host: Host, made: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1" * 40 + "\n")
    (made / ".git/refs/heads/out").symlink_to(tmp_path)
    with pytest.raises(BadData, match="symbolic link"):
        await proposed.resolve(host, "iris", "out/one")


async def test_a_sha256_repo_is_named_and_its_fix_works(
    host: Host, made: Path, manager: Manager, tmp_path: Path
) -> None:
    shutil.rmtree(made)
    made.mkdir()
    manager("init", "-q", "--object-format=sha256")
    manager("commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(BadData, match="objectformat = sha256") as caught:
        await proposed.resolve(host, "iris", None)
    assert "fast-export --all | git -C /tmp/new fast-import" in caught.value.fix
    new = tmp_path / "new"
    new.mkdir()
    manager("init", "-q", "--object-format=sha1", folder=new)
    exported = manager("fast-export", "--all").encode()
    manager("fast-import", "--quiet", stdin=exported + b"\n", folder=new)
    shutil.rmtree(made / ".git")
    (new / ".git").rename(made / ".git")
    assert await proposed.resolve(host, "iris", None) == manager("rev-parse", "main")


@pytest.mark.parametrize("hashes", ["sha1", "sha256"])
async def test_a_reftable_repo_as_git_3_makes_it_is_named_and_its_fix_works(
    host: Host, made: Path, manager: Manager, tmp_path: Path, hashes: str
) -> None:
    shutil.rmtree(made)
    made.mkdir()
    init = ("git", "init", "-q", "-b", "main", "--ref-format=reftable", f"--object-format={hashes}", str(made))
    if (await asyncio.to_thread(subprocess.run, init, capture_output=True)).returncode:
        pytest.skip("this git makes no reftable repos; 2.45 and later do")
    manager("commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(BadData, match=r"objectformat = sha256|refstorage = reftable") as caught:
        await proposed.resolve(host, "iris", None)
    if hashes == "sha1":
        assert "git refs migrate --ref-format=files" in caught.value.fix
        manager("refs", "migrate", "--ref-format=files")
    else:
        new = tmp_path / "new"
        assert "GIT_DEFAULT_REF_FORMAT=files git init --object-format=sha1 /tmp/new" in caught.value.fix
        new.mkdir()
        manager("init", "-q", "--ref-format=files", "--object-format=sha1", folder=new)
        manager("fast-import", "--quiet", stdin=manager("fast-export", "--all").encode() + b"\n", folder=new)
        shutil.rmtree(made / ".git")
        (new / ".git").rename(made / ".git")
    assert await proposed.resolve(host, "iris", None) == manager("rev-parse", "main")


async def test_without_a_main_the_branches_are_named(host: Host, made: Path, manager: Manager) -> None:
    manager("branch", "-q", "-m", "main", "master")
    with pytest.raises(BadData, match="has no main branch") as caught:
        await proposed.resolve(host, "iris", None)
    assert caught.value.why == "it has: master"


async def test_a_main_that_is_a_fifo_does_not_hang(host: Host, made: Path) -> None:
    main = made / ".git/refs/heads/main"
    main.unlink()
    os.mkfifo(main)
    with pytest.raises(BadData, match="is a FIFO"):
        await proposed.resolve(host, "iris", None)


@pytest.mark.parametrize("text", ["", "\0" * 41, "0" * 40 + "\n", "no hash\n"])
async def test_a_main_that_a_power_cut_has_damaged_is_told_as_that(host: Host, made: Path, text: str) -> None:
    (made / ".git/refs/heads/main").write_text(text)
    for name in (None, "main", "HEAD"):
        with pytest.raises(BadData, match="refs/heads/main is damaged") as caught:
            await proposed.resolve(host, "iris", name)
        assert "git reflog" in caught.value.fix


@pytest.mark.parametrize("damaged", ["refs/heads/v1", "refs/remotes/v1/HEAD"])
async def test_a_damaged_ref_beside_a_tag_of_its_name_is_left_out_as_by_git(
    host: Host, made: Path, manager: Manager, damaged: str
) -> None:
    manager("tag", "v1")
    (made / ".git" / damaged).parent.mkdir(parents=True, exist_ok=True)
    (made / ".git" / damaged).write_text("")
    assert await proposed.resolve(host, "iris", "v1") == manager("rev-parse", "v1") == manager("rev-parse", "main")


@pytest.mark.parametrize("end", ["", "\r\n", " \n", " more\n"])
async def test_a_ref_with_all_that_git_reads_as_one_is_no_damaged_one(
    host: Host, made: Path, manager: Manager, end: str
) -> None:
    whole = manager("rev-parse", "main")
    for text in (whole, whole.upper()):
        (made / ".git/refs/heads/main").write_text(f"{text}{end}", newline="")
        assert await proposed.resolve(host, "iris", None) == manager("rev-parse", "main") == whole


async def test_a_symbolic_main_is_followed_among_branches_only(host: Host, made: Path, manager: Manager) -> None:
    whole = manager("rev-parse", "main")
    manager("branch", "other")
    manager("symbolic-ref", "refs/heads/main", "refs/heads/other")
    assert await proposed.resolve(host, "iris", None) == whole
    for target in ("refs/heads/main", "refs/heads/../../config"):
        (made / ".git/refs/heads/main").write_text(f"ref: {target}\n")
        with pytest.raises(BadData, match="has no main"):
            await proposed.resolve(host, "iris", None)


async def test_a_changed_remote_is_corrected_and_all_else_is_kept(host: Host, made: Path, manager: Manager) -> None:
    manager("config", "remote.applied.url", "/elsewhere")
    manager("config", "--add", "remote.applied.url", "/elsewhere/too")
    manager("config", "user.name", "the manager")
    assert proposed.set_applied_remote(host, "iris") is None
    assert manager("config", "--get-all", "remote.applied.url") == "/applied/iris/.git"
    assert manager("config", "user.name") == "the manager"


async def test_a_correct_remote_is_not_written_again(host: Host, made: Path) -> None:
    config = made / ".git/config"
    assert proposed.set_applied_remote(host, "iris") is None
    before = config.stat().st_ino
    assert proposed.set_applied_remote(host, "iris") is None
    assert config.stat().st_ino == before


async def test_a_hostile_configuration_is_left_and_reported(host: Host, made: Path, tmp_path: Path) -> None:
    config, victim = made / ".git/config", tmp_path / "victim"
    victim.write_text("[core]\n")
    config.unlink()
    config.symlink_to(victim)
    assert "symbolic link" in (proposed.set_applied_remote(host, "iris") or "")
    config.unlink()
    os.mkfifo(config)
    assert "FIFO" in (proposed.set_applied_remote(host, "iris") or "")
    assert victim.read_text() == "[core]\n"


async def test_a_locked_configuration_is_left_and_reported(host: Host, made: Path, manager: Manager) -> None:
    manager("config", "remote.applied.url", "/elsewhere")
    (made / ".git/config.lock").touch()
    assert "cannot be written" in (proposed.set_applied_remote(host, "iris") or "")
    assert manager("config", "remote.applied.url") == "/elsewhere"


async def test_huge_indexes_do_not_block_a_short_hash(host: Host, made: Path) -> None:
    head = b"\xfftOc\0\0\0\2" + (4_000_000).to_bytes(4, "big") * 256
    for number in range(50):
        index = made / f".git/objects/pack/pack-{number}.idx"
        index.write_bytes(head)
        os.truncate(index, 80 << 20)
    began = time.monotonic()
    with pytest.raises(BadData, match="too large") as caught:
        await proposed.resolve(host, "iris", "0000")
    assert "full hash" in caught.value.fix
    assert time.monotonic() - began < 5
