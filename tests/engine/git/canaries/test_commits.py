"""Commits that exceed the limits, and names that are not of commits, are refused with the limit and the count."""

from __future__ import annotations

import pytest

from tests.engine.git.canaries.conftest import Hostile

pytestmark = pytest.mark.usefixtures("mostly_jailed")


async def test_a_bomb_of_nested_trees_is_refused_at_once(hostile: Hostile) -> None:
    tree = hostile.tree(*(("100644", "blob", hostile.blob(b"boom"), b"f%d" % at) for at in range(10)))
    for _ in range(12):
        tree = hostile.tree(*(("040000", "tree", tree, b"d%d" % at) for at in range(10)))
    refusal = await hostile.refused(hostile.commit_tree(tree))
    assert "5000" in refusal.what


async def test_a_bomb_without_any_file_is_refused_at_once(hostile: Hostile) -> None:
    tree = hostile.tree()
    for _ in range(20):
        tree = hostile.tree(*(("040000", "tree", tree, b"d%d" % at) for at in range(10)))
    refusal = await hostile.refused(hostile.commit_tree(tree))
    assert "5000 directories" in refusal.what


@pytest.mark.slow
async def test_a_small_pack_of_600_megabytes_is_refused(hostile: Hostile) -> None:
    with (hostile.folder / "zeros").open("wb") as file:
        file.truncate(600 << 20)
    hostile.manager("config", "core.bigFileThreshold", "1m")
    refusal = await hostile.refused(hostile.commit())
    assert "1048576 bytes of a file" in refusal.what
    assert "zeros" in refusal.why


async def test_too_many_entries_are_refused(hostile: Hostile) -> None:
    blob = hostile.blob(b"x")
    tree = hostile.tree(*(("100644", "blob", blob, b"%05d" % at) for at in range(5001)))
    refusal = await hostile.refused(hostile.commit_tree(tree))
    assert "5000 entries" in refusal.what
    assert "05000" in refusal.why


async def test_the_largest_number_of_entries_is_accepted(hostile: Hostile) -> None:
    blob = hostile.blob(b"x")
    tree = hostile.tree(*(("100644", "blob", blob, b"%05d" % at) for at in range(5000)))
    await hostile.accepted(hostile.commit_tree(tree))


async def test_more_than_16_mebibytes_are_refused(hostile: Hostile) -> None:
    blob = hostile.blob(b"x" * (1 << 20))
    tree = hostile.tree(*(("100644", "blob", blob, b"%05d" % at) for at in range(17)))
    assert "16777216 bytes in all" in (await hostile.refused(hostile.commit_tree(tree))).what


async def test_a_path_that_is_too_long_is_refused(hostile: Hostile) -> None:
    tree = hostile.tree(("100644", "blob", hostile.blob(b"x"), b"x" * 250))
    for _ in range(2):
        tree = hostile.tree(("040000", "tree", tree, b"y" * 200))
    assert "512 bytes of a path" in (await hostile.refused(hostile.commit_tree(tree))).what


@pytest.mark.parametrize(("levels", "fits"), [(32, True), (33, False)])
async def test_33_levels_are_one_too_many(hostile: Hostile, levels: int, fits: bool) -> None:
    tree = hostile.tree(("100644", "blob", hostile.blob(b"x"), b"f"))
    for _ in range(levels - 1):
        tree = hostile.tree(("040000", "tree", tree, b"d"))
    commit = hostile.commit_tree(tree)
    if fits:
        await hostile.accepted(commit)
    else:
        assert "32 levels" in (await hostile.refused(commit)).what


async def test_a_submodule_is_refused(hostile: Hostile) -> None:
    tree = hostile.tree(("160000", "commit", "1" * 40, b"module"))
    assert "submodule" in (await hostile.refused(hostile.commit_tree(tree))).what


@pytest.mark.parametrize(
    "target", ["/etc/shadow", "../outside", "a/../../outside", "loop", "", "bell\a", "x" * 1025], ids=repr
)
async def test_a_link_that_leads_out_is_refused(hostile: Hostile, target: str) -> None:
    tree = hostile.tree(("120000", "blob", hostile.blob(target.encode()), b"loop"))
    refusal = await hostile.refused(hostile.commit_tree(tree))
    assert "loop" in refusal.what + refusal.why


async def test_a_link_that_leads_out_by_way_of_another_is_refused(hostile: Hostile) -> None:
    inner = hostile.tree(("120000", "blob", hostile.blob(b"../.."), b"up"))
    middle = hostile.tree(("040000", "tree", inner, b"b"))
    rows = (("040000", "tree", middle, b"a"), ("120000", "blob", hostile.blob(b"a/b/up/.."), b"out"))
    assert "out" in (await hostile.refused(hostile.commit_tree(hostile.tree(*rows)))).what


async def test_a_link_that_stays_inside_is_accepted(hostile: Hostile) -> None:
    (hostile.folder / "modules").mkdir()
    (hostile.folder / "modules/base.nix").symlink_to("../agent.nix")
    await hostile.accepted(hostile.commit())


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\x1b[2Jb", "‮txt.exe".encode(), "zero​width".encode()], ids=repr)
async def test_a_name_that_is_not_printable_is_refused(hostile: Hostile, name: bytes) -> None:
    tree = hostile.tree(("100644", "blob", hostile.blob(b"x"), name))
    refusal = await hostile.refused(hostile.commit_tree(tree))
    assert "printable" in refusal.what + refusal.why
    assert "\x1b" not in str(refusal)


async def test_a_name_that_git_forbids_is_refused(hostile: Hostile) -> None:
    tree = hostile.tree(("040000", "tree", hostile.tree(), b".git"))
    assert "was refused" in (await hostile.refused(hostile.commit_tree(tree))).what


@pytest.mark.parametrize(("count", "fits"), [(200, True), (201, False)])
async def test_201_new_commits_are_one_too_many(hostile: Hostile, count: int, fits: bool) -> None:
    tree, parent = hostile.manager("rev-parse", "HEAD^{tree}"), hostile.manager("rev-parse", "HEAD")
    lines = [f"commit refs/heads/long\ncommitter m <m@m> {1_000 + at} +0000\ndata 1\nx\n" for at in range(count)]
    lines[0] += f"from {parent}\n"
    lines[-1] += f"M 040000 {tree} \n"
    hostile.manager("fast-import", "--quiet", stdin="".join(lines).encode())
    commit = hostile.manager("rev-parse", "long")
    if fits:
        await hostile.accepted(commit)
    else:
        assert "more than 200 new commits" in (await hostile.refused(commit)).what


async def test_a_hostile_commit_below_a_good_one_is_refused(hostile: Hostile) -> None:
    (hostile.folder / "large").write_bytes(b"x" * ((1 << 20) + 1))
    hostile.commit()
    (hostile.folder / "large").unlink()
    assert "large" in (await hostile.refused(hostile.commit())).why


async def test_hashes_of_other_objects_are_refused(hostile: Hostile) -> None:
    hostile.manager("tag", "-a", "-m", "x", "v1")
    kinds = {"tree": "HEAD^{tree}", "blob": "HEAD:agent.nix", "tag": "v1"}
    blob = hostile.blob(b"new")
    new_tree = hostile.tree(("100644", "blob", blob, b"new"))
    hashes = {kind: hostile.manager("rev-parse", revision) for kind, revision in kinds.items()}
    for kind, name in (*hashes.items(), ("blob", blob), ("tree", new_tree)):
        assert kind in (await hostile.refused(name)).what


async def test_a_hash_of_no_object_is_refused(hostile: Hostile) -> None:
    assert "does not exist" in (await hostile.refused("1" * 40)).what


@pytest.mark.parametrize(
    "text",
    ["--upload-pack=touch canary", "1" * 40 + "\n", "1" * 39, "HEAD", "1" * 40 + ":refs/heads/main", "", "A" * 40],
)
async def test_text_that_is_not_a_full_hash_is_refused(hostile: Hostile, text: str) -> None:
    assert "not a full hash" in (await hostile.refused(text)).what


async def test_very_long_messages_of_earlier_commits_are_refused(hostile: Hostile) -> None:
    for _ in range(3):
        hostile.manager("commit", "--allow-empty", "-q", "-F", "-", stdin=b"long " * 180_000)
    refusal = await hostile.refused(hostile.commit("short"))
    assert "2097152 bytes of new commits" in refusal.what
