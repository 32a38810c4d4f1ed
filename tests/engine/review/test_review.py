"""Reviews of hostile and ordinary proposals: files, commits, reverted deploys, and the difference."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivetui.engine.host.output import CHUNK_BYTES
from hivetui.engine.model.errors import BadData, NotFound, OperationFailed
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import FileStatus
from hivetui.engine.proposals import decide, submit
from hivetui.engine.review import changed_files
from hivetui.engine.review.difference import stream_difference
from hivetui.engine.review.overview import load_review

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos


async def read_difference(
    repos: AgentRepos, number: int, base: str, context: int = 3, ignore_whitespace: bool = False
) -> bytes:
    async with aclosing(stream_difference(repos.host, number, base, context, ignore_whitespace)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_review_compares_with_the_running_commit(repos: AgentRepos) -> None:
    main = repos.fetch(repos.commit({"agent.nix": "{ }\n"}))
    assert await repos.applied.move_main(main, repos.main)
    made = await repos.pin(repos.commit({"agent.nix": "{ a = 1; }\n", "new.nix": "x\ny\n"}, "Add\n\nAt length."))
    seen = await load_review(repos.host, made.id)
    assert (seen.proposal.base, seen.message, seen.author) == (main, "Add\n\nAt length.\n", "hm1nd <hm1nd>")
    assert [(change.path, change.status, change.additions, change.deletions) for change in seen.files] == [
        ("agent.nix", FileStatus.MODIFIED, 1, 1),
        ("new.nix", FileStatus.ADDED, 2, 0),
    ]
    assert [commit.id for commit in seen.commits] == [made.commit]
    assert seen.proposal.files == seen.files
    assert seen.reverts == ()


async def test_every_kind_of_change_is_shown_as_what_it_is(repos: AgentRepos) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    base = repos.fetch(repos.commit({"old.nix": text, "gone.nix": "1\n", "run.sh": "#!/bin/sh\n", "kind": "file\n"}))
    (repos.proposed / "old.nix").rename(repos.proposed / "moved.nix")
    (repos.proposed / "run.sh").chmod(0o755)
    (repos.proposed / "kind").unlink()
    (repos.proposed / "kind").symlink_to("agent.nix")
    made = await repos.pin(repos.commit({"gone.nix": None, "image": b"\x00\x01\x02"}))
    changes = {change.path: change for change in (await load_review(repos.host, made.id, base)).files}
    assert (changes["moved.nix"].status, changes["moved.nix"].old_path) == (FileStatus.RENAMED, "old.nix")
    assert (changes["run.sh"].old_mode, changes["run.sh"].new_mode) == ("100644", "100755")
    assert (changes["kind"].status, changes["kind"].new_mode) == (FileStatus.TYPE_CHANGED, "120000")
    assert (changes["gone.nix"].status, changes["gone.nix"].new_size) == (FileStatus.DELETED, None)
    assert (changes["image"].additions, changes["image"].new_size, len(changes["image"].new_blob)) == (None, 3, 40)


@pytest.mark.parametrize(
    "attributes",
    [
        "*.nix -diff",
        "*.nix binary",
        "*.nix diff=evil",
        "*.nix -text ident export-subst",
        "*.nix working-tree-encoding=UTF-16",
        "* -diff -text linguist-generated export-ignore",
    ],
)
async def test_attributes_of_a_proposal_hide_nothing(repos: AgentRepos, attributes: str) -> None:
    main = repos.main
    repos.commit({"agent.nix": "{ evil = $Id$; }\n"})
    (repos.proposed / "attributes").write_text(attributes + "\n")
    blob = repos.git("hash-object", "-w", "--no-filters", "attributes")
    repos.git("update-index", "--add", "--cacheinfo", f"100644,{blob},.gitattributes")
    repos.git("commit", "-q", "-m", "Hide")
    made = await repos.pin(repos.git("rev-parse", "HEAD"))
    assert b"\n+{ evil = $Id$; }\n" in await read_difference(repos, made.id, main)
    changes = {change.path: change for change in (await load_review(repos.host, made.id)).files}
    assert changes["agent.nix"].additions == 1


async def test_attributes_that_were_deployed_before_hide_nothing(repos: AgentRepos) -> None:
    earlier = await repos.pin(repos.commit({".gitattributes": "*.nix -diff\n"}))
    await repos.mark_deployed(earlier.id, earlier.commit or "")
    made = await repos.pin(repos.commit({"agent.nix": "{ evil = 1; }\n"}))
    assert b"\n+{ evil = 1; }\n" in await read_difference(repos, made.id, repos.main)
    assert (await load_review(repos.host, made.id)).files[0].additions == 1


async def test_a_zero_byte_hides_no_line(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"agent.nix": b"{ evil = 1; }\n# \x00\n"}))
    assert b"\n+{ evil = 1; }\n" in await read_difference(repos, made.id, repos.main)
    (change,) = (await load_review(repos.host, made.id)).files
    assert (change.additions, change.new_size) == (None, 18)


async def test_a_message_and_names_that_look_like_a_patch_do_not_change_the_list(repos: AgentRepos) -> None:
    names = ["a\nb.nix", "x\t9\t9\tz", ":100644 100644", "ü → ‮.nix", "-p", 'q"q']
    patch = "diff --git a/agent.nix b/agent.nix\n--- a/agent.nix\n+++ b/agent.nix\n"
    made = await repos.pin(repos.commit(dict.fromkeys(names, patch), patch))
    seen = await load_review(repos.host, made.id)
    assert sorted(change.path for change in seen.files) == sorted(names)
    assert all(change.additions == 3 for change in seen.files)


async def test_an_undecodable_path_keeps_its_bytes(repos: AgentRepos) -> None:
    path = os.fsencode(repos.proposed) + b"/caf\xe9.nix"
    Path(os.fsdecode(path)).write_text("1\n")
    made = await repos.pin(repos.commit_all())
    assert [change.path for change in (await load_review(repos.host, made.id)).files] == ["caf\udce9.nix"]


async def test_deployed_commits_that_would_be_reverted_are_listed(repos: AgentRepos) -> None:
    first, kept = repos.main, repos.commit({"agent.nix": "{ kept = 1; }\n"}, "Kept work")
    made = await repos.pin(kept)
    await repos.mark_deployed(made.id, kept)
    repos.reset_to(first)
    other = await repos.pin(repos.commit({"agent.nix": "{ other = 1; }\n"}))
    reverts = (await load_review(repos.host, other.id)).reverts
    assert [(lost.id, lost.commit, lost.title) for lost in reverts] == [(made.id, kept, "Kept work")]


async def test_every_commit_since_the_base_is_listed_newest_first(repos: AgentRepos) -> None:
    commits = [repos.commit({"agent.nix": f"{{ n = {number}; }}\n"}, f"Step {number}") for number in range(3)]
    seen = await load_review(repos.host, (await repos.pin(commits[-1])).id)
    assert [commit.message for commit in seen.commits] == ["Step 2\n", "Step 1\n", "Step 0\n"]
    assert seen.commit_count == 3


async def test_of_very_many_commits_the_newest_are_listed_and_all_are_counted(
    repos: AgentRepos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivetui.engine.review.overview.MAX_COMMITS", 2)
    commits = [repos.commit({"agent.nix": f"{{ n = {number}; }}\n"}) for number in range(4)]
    seen = await load_review(repos.host, (await repos.pin(commits[-1])).id)
    assert ([commit.id for commit in seen.commits], seen.commit_count) == ([commits[3], commits[2]], 4)


async def test_a_spawn_request_has_a_description_and_no_difference(repos: AgentRepos, operator: Operator) -> None:
    repos.git("clone", "-q", "--no-local", str(repos.applied.git_dir), str(repos.host.paths.meta))
    made = await submit.request_spawn(repos.host, "bob", "We need one more", operator)
    seen = await load_review(repos.host, made.id)
    assert (seen.message, seen.files, seen.commits) == ("We need one more", (), ())
    assert await read_difference(repos, made.id, repos.main) == b""


async def test_a_decided_proposal_is_compared_with_the_base_of_its_decision(
    repos: AgentRepos, operator: Operator
) -> None:
    base = repos.main
    one, two = await repos.pin(repos.commit({"a": "1"})), await repos.pin(repos.commit({"b": "1"}))
    await decide.approve(repos.host, one.id, one.commit, base, operator)
    await decide.deny(repos.host, two.id, "Not now", operator)
    await repos.mark_deployed(one.id, one.commit or "")
    assert (await load_review(repos.host, one.id)).proposal.base == base
    assert (await load_review(repos.host, two.id)).proposal.base == base


async def test_another_base_can_be_named_by_hash_or_tag(repos: AgentRepos) -> None:
    first = repos.main
    one, two = await repos.pin(repos.commit({"a": "1"})), await repos.pin(repos.commit({"b": "1"}))
    by_tag = await load_review(repos.host, two.id, f"proposal/{one.id}")
    assert [change.path for change in by_tag.files] == ["b"]
    assert (await load_review(repos.host, two.id, first[:10])).proposal.base == first


@pytest.mark.parametrize("base", ["main", "--output=/tmp/x", "0" * 40, "deployed/99", "a\nb", "HEAD~1", "../x"])
async def test_an_invalid_base_is_refused(repos: AgentRepos, base: str) -> None:
    made = await repos.pin(repos.commit({"a": "1"}))
    with pytest.raises(BadData, match="Cannot compare with"):
        await load_review(repos.host, made.id, base)
    with pytest.raises(BadData, match="Cannot compare with"):
        await read_difference(repos, made.id, base)


async def test_a_review_of_an_unknown_proposal_is_not_found(repos: AgentRepos) -> None:
    with pytest.raises(NotFound):
        await load_review(repos.host, 99)


async def test_the_difference_has_the_requested_number_of_context_lines(repos: AgentRepos) -> None:
    text = [f"line {number}\n" for number in range(40)]
    base = repos.fetch(repos.commit({"a": "".join(text)}))
    text[20] = "changed\n"
    made = await repos.pin(repos.commit({"a": "".join(text)}))
    assert b" line 10\n" not in await read_difference(repos, made.id, base)
    assert b" line 10\n" in await read_difference(repos, made.id, base, context=10)


async def test_the_difference_can_ignore_whitespace(repos: AgentRepos) -> None:
    base = repos.fetch(repos.commit({"a": "x y\n"}))
    made = await repos.pin(repos.commit({"a": "x\t y  \n"}))
    assert b"+x\t y  \n" in await read_difference(repos, made.id, base)
    assert await read_difference(repos, made.id, base, ignore_whitespace=True) == b""


async def test_the_difference_of_fifty_thousand_lines_comes_in_bounded_chunks(repos: AgentRepos) -> None:
    made = await repos.pin(repos.commit({"big": "".join(f"{number} {'x' * 40}\n" for number in range(50_000))}))
    async with aclosing(stream_difference(repos.host, made.id, repos.main)) as chunks:
        sizes = [len(chunk) async for chunk in chunks]
    assert max(sizes) <= CHUNK_BYTES
    assert sum(sizes) > 2_000_000


@given(st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        found = changed_files.parse_changes(data)
    except OperationFailed:
        return
    assert all(change.path is not None for change in found)


def test_a_truncated_list_is_refused() -> None:
    entry = b":100644 100644 " + b"a" * 40 + b" " + b"b" * 40 + b" R090\0old\0"
    with pytest.raises(OperationFailed):
        changed_files.parse_changes(entry)


def test_a_submodule_is_listed_without_a_size() -> None:
    entry = b":000000 160000 " + b"0" * 40 + b" " + b"b" * 40 + b" A\0lib\0" + b"1\t0\tlib\0"
    (change,) = changed_files.parse_changes(entry)
    assert (change.new_mode, change.additions) == ("160000", 1)
    assert changed_files.list_blobs([change]) == []


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "", "UTF-8"])
async def test_a_commit_in_another_encoding_is_read_as_git_reads_it(
    repos: AgentRepos, operator: Operator, encoding: str
) -> None:
    tree = repos.git("rev-parse", repos.commit({"agent.nix": "{ a = 1; }\n"}) + "^{tree}")
    header = f"encoding {encoding}\n".encode() if encoding else b""
    who = b"J\xc4ger <j@x> 32503680000 +0000"
    body = b"tree %s\nauthor %s\ncommitter %s\n%s\n\n  \nB\xc4r\n" % (tree.encode(), who, who, header)
    (repos.proposed.parent / "commit").write_bytes(body)
    commit = repos.git("hash-object", "-t", "commit", "-w", str(repos.proposed.parent / "commit"))
    made = await submit.submit(repos.host, repos.name, commit, "", operator)
    seen = await load_review(repos.host, made.id)
    expected = "Ä" if encoding == "ISO-8859-1" else "\udcc4"
    assert seen.author == f"J{expected}ger <j@x>"
    assert seen.message.strip() == f"B{expected}r"
    assert made.title == ("BÄr" if encoding == "ISO-8859-1" else "B\udcc4r")


async def test_a_byte_in_a_path_and_the_letters_of_its_escape_are_two_files(repos: AgentRepos) -> None:
    (repos.proposed / os.fsdecode(b"\xf6.nix")).write_text("1\n")
    made = await repos.pin(repos.commit({"\\xf6.nix": "2\n"}))
    paths = {change.path for change in (await load_review(repos.host, made.id)).files}
    assert paths == {"\udcf6.nix", "\\xf6.nix"}


async def test_what_a_rollback_reverted_is_not_reverted_again_by_the_next_proposal(
    repos: AgentRepos, operator: Operator
) -> None:
    first, made = repos.main, await repos.pin(repos.commit({"a": "1"}))
    await repos.mark_deployed(made.id, made.commit or "")
    claim = await decide.approve_rollback(repos.host, repos.name, 0, "It broke", operator)
    await repos.mark_deployed(claim.proposal, first)
    repos.reset_to(first)
    following = await repos.pin(repos.commit({"b": "1"}))
    assert (await load_review(repos.host, following.id)).reverts == ()
