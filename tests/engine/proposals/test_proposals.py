"""Proposals from their submission to their final state: which tags are created, by whom, and what they say."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivetui.engine import tool_messages
from hivetui.engine.events import journal
from hivetui.engine.model.errors import BadData, HiveError, NotFound, OperationFailed, Stale, TryAgain
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.settings import ProposalsSection, Settings
from hivetui.engine.proposals import claims, decide, queries, retry, submit, tags
from hivetui.engine.proposals.tag_messages import (
    MAX_ERROR_CHARS,
    MAX_TITLE_CHARS,
    BuildRecord,
    Failed,
    format_message,
    parse_message,
)
from tests.event_log import last_events

if TYPE_CHECKING:
    from hivetui.engine.host.host import Host
    from tests.engine.conftest import AgentRepos

RECORD = BuildRecord(old_system="/nix/store/old", was_running=True, meta_head="f" * 40, main="e" * 40)


async def a_proposal(repos: AgentRepos, text: str = "1") -> Proposal:
    return await repos.pin(repos.commit({"change": text}))


async def approved(repos: AgentRepos, made: Proposal, operator: Operator) -> claims.Claim:
    return await decide.approve(repos.host, made.id, made.commit, repos.main, operator, "Fine", ("flake-changed",))


# Submit


async def test_a_submitted_commit_is_pinned_and_pending(repos: AgentRepos, operator: Operator) -> None:
    commit = repos.commit({"agent.nix": "{ a = 1; }\n"}, "Use one\n\nAnd why.")
    made = await submit.submit(repos.host, repos.name, None, "", operator)
    assert (made.commit, made.base, made.title, made.state) == (commit, repos.main, "Use one", ProposalState.PENDING)
    assert (made.submitted_by, made.kind, made.stale) == ("anna", ProposalKind.DEPLOY, False)
    assert await queries.list_proposals(repos.host) == (made.model_copy(update={"uncommitted": None}),)
    (event,) = last_events(repos.host.paths, 1)
    assert (event.kind, event.proposal, event.operator) == (EventKind.PROPOSAL_PINNED, made.id, "anna")


async def test_a_pinned_commit_survives_a_forced_push_and_gc_in_proposed(repos: AgentRepos, operator: Operator) -> None:
    first = repos.main
    commit = repos.commit({"agent.nix": "{ a = 1; }\n"}, "Use one")
    made = await submit.submit(repos.host, repos.name, commit[:8], "Words\nand more", operator)
    repos.reset_to(first)
    repos.git("gc", "-q", "--prune=now")
    assert (await queries.find_proposal(repos.host, made.id)).commit == commit
    assert (made.title, made.description, made.body) == ("Use one", "Words\nand more", "Words\nand more")


async def test_a_commit_without_a_message_has_the_title_of_its_description(
    repos: AgentRepos, operator: Operator
) -> None:
    repos.commit({"agent.nix": "{ a = 1; }\n"})
    repos.git("commit", "-q", "--amend", "--allow-empty-message", "-m", "")
    made = await submit.submit(repos.host, repos.name, None, "Words\nand more", operator)
    assert (made.title, made.body) == ("Words", "and more")


async def test_the_same_commit_cannot_be_pending_twice(repos: AgentRepos, operator: Operator) -> None:
    repos.commit({"agent.nix": "{ a = 1; }\n"})
    made = await submit.submit(repos.host, repos.name, None, "", operator)
    with pytest.raises(BadData, match=f"Proposal {made.id} already requests commit"):
        await submit.submit(repos.host, repos.name, None, "", operator)


async def test_what_is_deployed_cannot_be_submitted(repos: AgentRepos, operator: Operator) -> None:
    for commit in (None, "main", repos.main[:8], repos.main):
        with pytest.raises(BadData, match="is already deployed") as caught:
            await submit.submit(repos.host, repos.name, commit, "", operator)
        assert f"hivetui rebuild {repos.name}" in caught.value.fix
    assert await queries.list_proposals(repos.host) == ()


async def test_what_is_not_committed_is_named_and_no_link_is_followed(repos: AgentRepos, operator: Operator) -> None:
    tree = repos.host.paths.proposed(repos.name)
    (tree / "agent.nix").write_text("{ edited = 1; }\n")
    (tree / "new.nix").write_text("{ }\n")
    with pytest.raises(BadData, match="is already deployed") as caught:
        await submit.submit(repos.host, repos.name, None, "", operator)
    assert "Not committed: agent.nix, new.nix." in caught.value.why
    commit = repos.commit({"other.nix": "{ }\n"})
    (tree / "agent.nix").unlink()
    (tree / "agent.nix").symlink_to("/dev/zero")
    proposal = await submit.submit(repos.host, repos.name, None, "", operator)
    assert proposal.commit == commit
    assert "agent.nix" in (proposal.uncommitted or ())


async def test_what_is_committed_on_another_branch_is_named_and_not_called_uncommitted(
    repos: AgentRepos, operator: Operator
) -> None:
    repos.git("checkout", "-q", "-b", "fix#12")
    commit = repos.commit({"agent.nix": "{ fixed = 1; }\n"})
    with pytest.raises(BadData, match="is already deployed") as caught:
        await submit.submit(repos.host, repos.name, None, "", operator)
    assert caught.value.why == f"A proposal of it would change nothing, but fix#12 at {commit[:12]} is checked out."
    assert f"hivetui submit {repos.name} 'fix#12'." in caught.value.fix
    repos.git("checkout", "-q", "--detach")
    with pytest.raises(BadData, match="is already deployed") as caught:
        await submit.submit(repos.host, repos.name, None, "", operator)
    assert f"hivetui submit {repos.name} {commit[:12]}." in caught.value.fix
    made = await submit.submit(repos.host, repos.name, "fix#12", "", operator)
    assert (made.commit, made.uncommitted) == (commit, None)


async def test_what_is_beside_a_pending_commit_is_named(repos: AgentRepos, operator: Operator) -> None:
    commit = repos.commit({"agent.nix": "{ one = 1; }\n"})
    made = await submit.submit(repos.host, repos.name, None, "", operator)
    with pytest.raises(BadData, match="already requests") as caught:
        await submit.submit(repos.host, repos.name, None, "", operator)
    assert caught.value.why == "It is pending."
    (repos.host.paths.proposed(repos.name) / "agent.nix").write_text("{ two = 2; }\n")
    with pytest.raises(BadData, match="already requests") as caught:
        await submit.submit(repos.host, repos.name, None, "", operator)
    assert caught.value.why.endswith("Not committed: agent.nix.")
    assert f"hivetui show {made.id}" in caught.value.fix
    with pytest.raises(BadData, match="already requests") as caught:
        await submit.submit(repos.host, repos.name, commit, "", operator)
    assert caught.value.why == "It is pending."


@pytest.mark.parametrize("text", ["", "\0" * 41])
async def test_a_damaged_main_of_the_applied_repo_is_not_blamed_on_what_is_proposed(
    repos: AgentRepos, operator: Operator, text: str
) -> None:
    commit = repos.commit({"agent.nix": "{ one = 1; }\n"})
    main, deployed = repos.applied.git_dir / "refs/heads/main", repos.main
    main.write_text(text)
    for asked in (None, commit):
        with pytest.raises(BadData, match=r"applied/.*/refs/heads/main is damaged") as caught:
            await submit.submit(repos.host, repos.name, asked, "", operator)
        assert f"hivetui history {repos.name} --json" in caught.value.fix
    main.write_text(f"{deployed}\n")
    assert (await submit.submit(repos.host, repos.name, None, "", operator)).commit == commit


async def test_of_a_proposed_repo_that_is_gone_it_is_said_how_it_is_made_anew(
    repos: AgentRepos, operator: Operator
) -> None:
    git_dir = repos.host.paths.proposed(repos.name) / ".git"
    git_dir.rename(git_dir.with_name("moved"))
    for commit in (None, repos.main[:-1] + "0"):
        with pytest.raises(NotFound, match=r"\.git does not exist") as caught:
            await submit.submit(repos.host, repos.name, commit, "", operator)
        assert f"git clone /applied/{repos.name}/.git /agents/{repos.name}/config" in caught.value.fix


async def test_new_files_in_directories_are_not_committed_either(repos: AgentRepos, operator: Operator) -> None:
    commit, tree = repos.commit({"mods/old.nix": "{ }\n"}), repos.host.paths.proposed(repos.name)
    for path in ("mods/new.nix", "mods/deep/newer.nix", "more/newest.nix", ".direnv/hidden.nix"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("{ }\n")
    (tree / "elsewhere").symlink_to(tree / "mods")
    proposal = await submit.submit(repos.host, repos.name, None, "", operator)
    assert proposal.commit == commit
    assert proposal.uncommitted == ("mods/deep/newer.nix", "mods/new.nix", "more/newest.nix")


async def test_what_is_not_compared_with_the_work_tree_is_said(repos: AgentRepos, operator: Operator) -> None:
    files = {f"notes/{number:03}.md": "note\n" for number in range(230)}
    repos.commit({"large.bin": "x\n", "zebra.nix": "{ }\n", **files})
    tree = repos.host.paths.proposed(repos.name)
    for name in ("zebra.nix", *(f"notes/{number:03}.md" for number in range(29))):
        (tree / name).write_text("other\n")
    (tree / "large.bin").write_text("x" * (1 << 20) + "\n")  # larger than a file of a commit may be
    with tool_messages.collected() as messages:
        proposal = await submit.submit(repos.host, repos.name, None, "", operator)
    assert proposal.uncommitted is not None
    assert proposal.uncommitted[:2] == ("zebra.nix", "large.bin"), "modules are compared first"
    assert len(proposal.uncommitted) == 20
    total = 230 + 4  # with the large file and three modules
    assert messages == [
        f"Not compared with the work tree of {repos.name}: {total - 200} of {total} files of the commit",
        f"Not committed by {repos.name} either, and not named: 11 of 31 files",
    ]


async def test_directories_that_are_nested_too_deep_are_not_looked_into(repos: AgentRepos, operator: Operator) -> None:
    tree = repos.host.paths.proposed(repos.name)
    repos.commit({"agent.nix": "{ deep = true; }\n"})
    for depth in (2, 40):
        folder = tree.joinpath(*["d"] * depth)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "new.nix").touch()
    proposal = await submit.submit(repos.host, repos.name, None, "", operator)
    assert proposal.uncommitted == ("d/d/new.nix",)


async def test_the_number_of_pending_proposals_of_an_agent_is_limited(repos: AgentRepos, operator: Operator) -> None:
    repos.host = replace(repos.host, settings=Settings(proposals=ProposalsSection(max_pending=1)))
    await a_proposal(repos)
    repos.commit({"agent.nix": "{ more = 1; }\n"})
    with pytest.raises(TryAgain, match="has 1 pending proposal"):
        await submit.submit(repos.host, repos.name, None, "", operator)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "abcdefghij", "a b"])
async def test_a_bad_name_is_refused_before_anything_is_written(host: Host, operator: Operator, name: str) -> None:
    with pytest.raises(BadData):
        await submit.submit(host, name, None, "", operator)
    with pytest.raises(BadData):
        await submit.request_spawn(host, name, "", operator)
    assert not host.paths.root.exists()


async def test_an_agent_that_was_never_spawned_has_no_proposals(host: Host, operator: Operator) -> None:
    with pytest.raises(NotFound, match="never spawned"):
        await submit.submit(host, "bob", None, "", operator)


async def test_an_older_layout_is_refused_with_both_fixes(repos: AgentRepos, operator: Operator) -> None:
    await repos.applied.delete_tag("deployed/0")
    with pytest.raises(BadData, match=r"repair alice.*--purge"):
        await submit.submit(repos.host, repos.name, None, "", operator)


async def test_something_that_is_not_a_commit_leaves_no_tag(repos: AgentRepos, operator: Operator) -> None:
    tree = repos.git("rev-parse", "HEAD^{tree}")
    for commit in (tree, "f" * 40, "--upload-pack=touch /tmp/x", "nowhere"):
        with pytest.raises(HiveError):
            await submit.submit(repos.host, repos.name, commit, "", operator)
    assert list(repos.applied.tags()) == ["deployed/0"]


async def test_ids_are_not_reused_when_the_counter_is_lost(repos: AgentRepos) -> None:
    made = await a_proposal(repos)
    (repos.host.paths.engine / "last-proposal").unlink()
    assert (await a_proposal(repos, "2")).id == made.id + 1
    assert tags.highest_id(repos.host) == made.id + 1


# Decide


async def test_an_approval_is_bound_to_the_reviewed_commit_and_base(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    claim = await approved(repos, made, operator)
    assert (claim.commit, claim.base, claim.note) == (made.commit, repos.main, "Fine")
    assert claims.load_claim(repos.host, repos.name, made.id) == claim
    seen = await queries.find_proposal(repos.host, made.id)
    assert (seen.state, seen.decided_by) == (ProposalState.APPROVED, "anna")


async def test_the_tag_alone_records_who_approved_what(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    tag = repos.applied.tag(f"approved/{made.id}")
    assert tag is not None
    lines = (tag.message or "").rstrip("\n").split("\n")
    assert lines[:2] == [f"Proposal {made.id} of alice approved by anna (local)", ""]
    record = json.loads(lines[2])
    assert (record["operator"], record["commit"], record["base"], record["acknowledged"]) == (
        "anna",
        made.commit,
        repos.main,
        ["flake-changed"],
    )


async def test_seven_digits_of_the_reviewed_hashes_are_enough(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    claim = await decide.approve(repos.host, made.id, (made.commit or "")[:7], repos.main[:7], operator)
    assert claim.commit == made.commit


@pytest.mark.parametrize("given", [None, "", "abc123", "main", "HEAD", "--all", "A" * 40, "a" * 41])
async def test_an_approval_without_a_hash_is_refused(repos: AgentRepos, operator: Operator, given: str | None) -> None:
    made = await a_proposal(repos)
    with pytest.raises(BadData, match="is not the commit"):
        await decide.approve(repos.host, made.id, given, repos.main, operator)
    with pytest.raises(BadData, match="is not the base"):
        await decide.approve(repos.host, made.id, made.commit, given, operator)
    assert (await queries.find_proposal(repos.host, made.id)).state == ProposalState.PENDING


async def test_an_approval_of_another_commit_is_stale(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    with pytest.raises(Stale, match="for another commit"):
        await decide.approve(repos.host, made.id, "b" * 40, repos.main, operator)


async def test_an_approval_is_stale_when_main_has_moved(repos: AgentRepos, operator: Operator) -> None:
    base, one, two = repos.main, await a_proposal(repos, "1"), await a_proposal(repos, "2")
    await approved(repos, one, operator)
    await repos.mark_deployed(one.id, one.commit or "")
    with pytest.raises(Stale, match="its base is"):
        await decide.approve(repos.host, two.id, two.commit, base, operator)
    seen = await queries.find_proposal(repos.host, two.id)
    assert (seen.state, seen.stale, seen.base) == (ProposalState.PENDING, True, one.commit)


async def test_of_many_concurrent_decisions_exactly_one_wins(repos: AgentRepos) -> None:
    made, base = await a_proposal(repos), repos.main
    people = [Operator(name=f"p{number}", uid=number, source="local") for number in range(9)]
    asked = [
        *(decide.approve(repos.host, made.id, made.commit, base, person) for person in people[:3]),
        *(decide.deny(repos.host, made.id, "No", person) for person in people[3:6]),
        *(decide.withdraw(repos.host, made.id, person) for person in people[6:]),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    lost = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(lost) == 8
    winner = (await queries.find_proposal(repos.host, made.id)).decided_by
    assert all(isinstance(answer, TryAgain) and f"by {winner} (local)" in answer.why for answer in lost)
    decisions = {name for name in repos.applied.tags() if name.startswith(("approved/", "denied/", "withdrawn/"))}
    assert len(decisions) == 1


async def test_of_approvals_in_several_processes_exactly_one_wins(repos: AgentRepos) -> None:
    made = await a_proposal(repos)
    program = (
        "import asyncio, sys, pathlib, os\n"
        "from hivetui.engine.proposals import decide\n"
        "from hivetui.engine.host.host import Host\nfrom hivetui.engine.model.operations import Operator\n"
        "from hivetui.engine.host.paths import Paths\nfrom hivetui.engine.host.runner import ProcessRunner\n"
        "from hivetui.engine.model.settings import Settings\nfrom hivetui.engine.model.errors import TryAgain\n"
        "root, number, commit, base, who = sys.argv[1:]\n"
        "host = Host(Paths(pathlib.Path(root)), Settings(), ProcessRunner(), embedded=True, environment=os.environ)\n"
        "me = Operator(name=who, uid=None, source='local')\n"
        "try:\n    asyncio.run(decide.approve(host, int(number), commit, base, me))\n"
        "except TryAgain:\n    sys.exit(75)\n"
    )
    argv = (sys.executable, "-c", program, str(repos.host.paths.root), str(made.id), made.commit or "", repos.main)
    racers = [await asyncio.create_subprocess_exec(*argv, f"p{number}") for number in range(3)]
    assert sorted([await racer.wait() for racer in racers]) == [0, 75, 75]


async def test_a_denial_needs_a_note(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    with pytest.raises(BadData, match="needs a note"):
        await decide.deny(repos.host, made.id, " \n", operator)
    denied = await decide.deny(repos.host, made.id, "Not like this", operator)
    assert (denied.state, denied.note, denied.decided_by) == (ProposalState.DENIED, "Not like this", "anna")


async def test_a_withdrawn_proposal_is_decided(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    assert (await decide.withdraw(repos.host, made.id, operator)).state == ProposalState.WITHDRAWN
    with pytest.raises(TryAgain, match="withdrawn by anna"):
        await approved(repos, made, operator)
    assert await queries.list_proposals(repos.host) == ()
    assert [seen.id for seen in await queries.list_proposals(repos.host, decided=True)] == [made.id]


async def test_pending_proposals_are_oldest_first_and_decided_ones_newest_first(
    repos: AgentRepos, operator: Operator
) -> None:
    made = [await a_proposal(repos, str(number)) for number in range(4)]
    for seen in made[:2]:
        await decide.withdraw(repos.host, seen.id, operator)
    listed = await queries.list_proposals(repos.host, decided=True, agent="alice")
    assert [seen.id for seen in listed] == [made[2].id, made[3].id, made[1].id, made[0].id]


async def test_an_unknown_proposal_is_not_found(repos: AgentRepos, operator: Operator) -> None:
    for asked in (queries.find_proposal(repos.host, 99), decide.withdraw(repos.host, 99, operator)):
        with pytest.raises(NotFound, match="There is no proposal 99"):
            await asked


# Build and end


async def test_a_deploy_leaves_its_tags_and_each_can_be_created_twice(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    for _ in range(2):
        await claims.mark_building(repos.host, repos.name, made.id, RECORD)
    assert claims.load_build_record(repos.host, repos.name, made.id) == RECORD
    assert claims.list_unfinished(repos.host, repos.name) == (made.id,)
    for _ in range(2):
        await claims.mark_deployed(repos.host, repos.name, made.id, made.commit or "")
    assert claims.list_stale_build_marks(repos.host, repos.name) == (made.id,)
    for _ in range(2):
        await claims.unmark_building(repos.host, repos.name, made.id)
    assert (claims.list_unfinished(repos.host, repos.name), claims.list_stale_build_marks(repos.host, repos.name)) == (
        (),
        (),
    )
    assert (await queries.find_proposal(repos.host, made.id)).state == ProposalState.DEPLOYED
    ends = [event for event in last_events(repos.host.paths, 9) if event.kind == EventKind.PROPOSAL_ENDED]
    assert len(ends) == 1


async def test_a_proposal_has_only_one_final_state(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    await claims.mark_failed(repos.host, repos.name, made.id, "error: undefined variable\nat agent.nix:3")
    with pytest.raises(OperationFailed, match="it is failed"):
        await claims.mark_deployed(repos.host, repos.name, made.id, made.commit or "")
    assert (await queries.find_proposal(repos.host, made.id)).error == "error: undefined variable\nat agent.nix:3"


async def test_the_end_of_a_long_error_is_kept(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    await claims.mark_failed(repos.host, repos.name, made.id, "x" * 100_000 + "\udce9\x1b[31m the reason")
    error = (await queries.find_proposal(repos.host, made.id)).error or ""
    assert len(error) == MAX_ERROR_CHARS
    assert error.endswith("‹\\xe9›\x1b[31m the reason")


async def test_an_approved_tag_made_by_hand_claims_nothing(repos: AgentRepos) -> None:
    made = await a_proposal(repos)
    assert claims.load_claim(repos.host, repos.name, made.id) is None
    await repos.applied.create_tag(f"approved/{made.id}", repos.main, "by hand")
    with pytest.raises(OperationFailed, match="not made by the engine"):
        claims.load_claim(repos.host, repos.name, made.id)


async def test_an_approval_of_another_commit_than_was_proposed_deploys_nothing(
    repos: AgentRepos, operator: Operator
) -> None:
    read_one, other = await a_proposal(repos, "1"), await a_proposal(repos, "2")
    await approved(repos, read_one, operator)
    message = (repos.applied.tags()[f"approved/{read_one.id}"].message or "").replace("alice", "bob")
    await repos.applied.create_tag(f"approved/{other.id}", other.commit or "", message)
    with pytest.raises(OperationFailed, match="names another commit"):
        claims.load_claim(repos.host, repos.name, other.id)


# History and rollback


async def test_the_first_system_is_the_oldest_deployment(repos: AgentRepos) -> None:
    (first,) = queries.list_deployments(repos.host)
    assert (first.id, first.commit, first.kind, first.running) == (0, repos.main, ProposalKind.SPAWN, True)


async def test_no_deployment_is_running_while_main_is_at_no_deployed_commit(
    repos: AgentRepos, operator: Operator
) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    assert await repos.applied.move_main(made.commit or "", repos.main)
    assert queries.running_deployment(repos.host, repos.name) is None
    await claims.mark_deployed(repos.host, repos.name, made.id, made.commit or "")
    now = queries.running_deployment(repos.host, repos.name)
    assert now is not None
    assert now.id == made.id


async def test_a_rollback_is_a_new_proposal_at_an_earlier_commit(repos: AgentRepos, operator: Operator) -> None:
    first, made = repos.main, await a_proposal(repos)
    await approved(repos, made, operator)
    await repos.mark_deployed(made.id, made.commit or "")
    claim = await decide.approve_rollback(repos.host, repos.name, 0, "It broke", operator)
    assert (claim.kind, claim.commit, claim.base) == (ProposalKind.ROLLBACK, first, made.commit)
    await repos.mark_deployed(claim.proposal, first)
    rows = [(row.id, row.kind, row.running, row.note) for row in queries.list_deployments(repos.host, repos.name)]
    assert rows == [
        (claim.proposal, ProposalKind.ROLLBACK, True, "It broke"),
        (made.id, ProposalKind.DEPLOY, False, "Fine"),
        (0, ProposalKind.SPAWN, False, ""),
    ]


def host_with_git(repos: AgentRepos, folder: Path, script: str) -> Host:
    """The same host with a git that runs this shell script instead of creating `approved/<id>`."""
    git = folder / "git-that"
    git.write_text(
        f'#!/bin/sh\ncase "$*" in *"update-ref --no-deref refs/tags/approved/"*) {script};; esac\nexec git "$@"\n'
    )
    git.chmod(0o755)
    return replace(repos.host, tools=replace(repos.host.tools, git=(str(git),)))


@pytest.mark.parametrize(("script", "left"), [("exit 1", []), ('git "$@"; exit 1', [ProposalState.APPROVED])])
async def test_a_failed_rollback_leaves_no_proposal_or_an_approved_one(
    repos: AgentRepos, operator: Operator, tmp_path: Path, script: str, left: list[ProposalState]
) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    await repos.mark_deployed(made.id, made.commit or "")
    host = host_with_git(repos, tmp_path, script)
    with pytest.raises(HiveError):
        await decide.approve_rollback(host, repos.name, 0, "It broke", operator)
    found = await queries.list_proposals(repos.host, decided=True)
    assert [one.state for one in found if one.id != made.id] == left
    tags = {name.partition("/")[2] for name in repos.applied.tag_names() if not name.startswith("proposal/")}
    assert tags <= {"0", *(str(one.id) for one in found)}


async def test_a_rollback_needs_a_note_and_another_commit(repos: AgentRepos, operator: Operator) -> None:
    with pytest.raises(BadData, match="needs a note"):
        await decide.approve_rollback(repos.host, repos.name, 0, "", operator)
    with pytest.raises(NotFound, match="never ran proposal 5"):
        await decide.approve_rollback(repos.host, repos.name, 5, "Back", operator)
    with pytest.raises(BadData, match="already"):
        await decide.approve_rollback(repos.host, repos.name, 0, "Back", operator)
    assert await queries.list_proposals(repos.host, decided=True) == ()


# Retry


async def fail(repos: AgentRepos, made: Proposal, operator: Operator) -> None:
    await approved(repos, made, operator)
    await claims.mark_failed(repos.host, repos.name, made.id, "It was cancelled")


async def test_a_failed_proposal_is_proposed_again_at_the_very_commit_though_proposed_has_moved(
    repos: AgentRepos, operator: Operator
) -> None:
    repos.commit({"agent.nix": "{ a = 1; }\n"}, "Use one")
    made = await submit.submit(repos.host, repos.name, None, "Why\nand how", operator)
    await fail(repos, made, operator)
    repos.commit({"agent.nix": "{ a = 2; }\n"}, "Use two")
    again = await retry.repropose(repos.host, made.id, operator)
    assert (again.state, again.commit, again.kind) == (ProposalState.PENDING, made.commit, ProposalKind.DEPLOY)
    assert (again.title, again.description, again.retry_of) == ("Use one", "Why\nand how", made.id)
    assert (made.retry_of, again.submitted_by, again.base) == (None, "anna", repos.main)
    assert (await queries.find_proposal(repos.host, made.id)).state == ProposalState.FAILED
    assert last_events(repos.host.paths, 1)[0].proposal == again.id


async def test_a_rollback_that_failed_is_proposed_again_as_a_rollback(repos: AgentRepos, operator: Operator) -> None:
    made, first = await a_proposal(repos), repos.main
    await approved(repos, made, operator)
    await repos.mark_deployed(made.id, made.commit or "")
    claim = await decide.approve_rollback(repos.host, repos.name, 0, "It broke", operator)
    await claims.mark_failed(repos.host, repos.name, claim.proposal, "It was cancelled")
    again = await retry.repropose(repos.host, claim.proposal, operator)
    assert (again.kind, again.commit, again.description) == (ProposalKind.ROLLBACK, first, "It broke")


async def test_what_has_not_ended_or_runs_or_is_pending_is_not_proposed_again(
    repos: AgentRepos, operator: Operator
) -> None:
    made = await a_proposal(repos)
    with pytest.raises(BadData, match="still pending"):
        await retry.repropose(repos.host, made.id, operator)
    await approved(repos, made, operator)
    with pytest.raises(BadData, match="It is approved"):
        await retry.repropose(repos.host, made.id, operator)
    await repos.mark_deployed(made.id, made.commit or "")
    with pytest.raises(BadData, match="already runs the commit"):
        await retry.repropose(repos.host, made.id, operator)
    failed = await a_proposal(repos, "2")
    await fail(repos, failed, operator)
    again = await retry.repropose(repos.host, failed.id, operator)
    with pytest.raises(BadData, match=f"Proposal {again.id} already requests"):
        await retry.repropose(repos.host, failed.id, operator)
    with pytest.raises(NotFound):
        await retry.repropose(repos.host, 99, operator)


# Tags made by hand


async def test_tags_made_by_hand_are_shown_with_what_they_say(repos: AgentRepos) -> None:
    git_dir, commit = repos.applied.git_dir, repos.main
    (git_dir / "refs/tags/proposal").mkdir()
    (git_dir / "refs/tags/proposal/70").write_text(commit + "\n")
    await repos.applied.create_tag("proposal/71", commit, "Please\n\nnot json")
    await repos.applied.create_tag("denied/71", commit, "No")
    await repos.applied.create_tag("proposal/007", commit, "an id no engine gives")
    seen = {proposal.id: proposal for proposal in await queries.list_proposals(repos.host, decided=True)}
    assert seen.keys() == {70, 71}
    assert (seen[70].state, seen[70].title) == (ProposalState.PENDING, "The configuration of alice")
    assert (seen[71].state, seen[71].title, seen[71].note) == (ProposalState.DENIED, "Please", "No\n")
    assert tags.highest_id(repos.host) == 71


# Spawn requests


async def make_meta(repos: AgentRepos) -> None:
    meta = repos.host.paths.meta
    repos.git("clone", "-q", "--no-local", str(repos.applied.git_dir), str(meta))


async def test_a_spawn_is_requested_and_decided_in_meta(repos: AgentRepos, operator: Operator) -> None:
    await make_meta(repos)
    made = await submit.request_spawn(repos.host, "bob", "For tests", operator)
    assert (made.kind, made.agent, made.commit, made.base) == (ProposalKind.SPAWN, "bob", None, None)
    assert [seen.id for seen in await queries.list_proposals(repos.host, agent="bob")] == [made.id]
    assert await queries.list_proposals(repos.host, agent="alice") == ()
    with pytest.raises(BadData, match="has no commit"):
        await decide.approve(repos.host, made.id, "a" * 40, None, operator)
    with pytest.raises(BadData, match="no container yet that could be restarted"):
        await decide.approve(repos.host, made.id, None, None, operator, restart=True)
    claim = await decide.approve(repos.host, made.id, None, None, operator)
    assert (claim.kind, claim.agent) == (ProposalKind.SPAWN, "bob")
    assert claims.list_unfinished(repos.host, "bob") == (made.id,)
    await claims.mark_deployed(repos.host, "bob", made.id, claim.commit)
    assert (await queries.find_proposal(repos.host, made.id)).state == ProposalState.DEPLOYED
    assert [row.agent for row in queries.list_deployments(repos.host)] == ["alice"]


async def test_an_agent_cannot_be_requested_twice(repos: AgentRepos, operator: Operator) -> None:
    await make_meta(repos)
    await submit.request_spawn(repos.host, "bob", "", operator)
    with pytest.raises(BadData, match="already requests a spawn of bob"):
        await submit.request_spawn(repos.host, "bob", "", operator)


async def test_an_agent_with_a_container_cannot_be_requested(repos: AgentRepos, operator: Operator) -> None:
    await make_meta(repos)
    repos.host.paths.containers.mkdir(parents=True)
    repos.host.paths.conf("bob").write_text("")
    with pytest.raises(BadData, match="already has a container"):
        await submit.request_spawn(repos.host, "bob", "", operator)


async def test_without_a_meta_repo_no_spawn_can_be_requested(repos: AgentRepos, operator: Operator) -> None:
    with pytest.raises(NotFound, match="no meta repo yet"):
        await submit.request_spawn(repos.host, "bob", "", operator)


async def test_a_denied_request_can_be_repeated(repos: AgentRepos, operator: Operator) -> None:
    await make_meta(repos)
    first = await submit.request_spawn(repos.host, "bob", "", operator)
    await decide.deny(repos.host, first.id, "Not yet", operator)
    again = await submit.request_spawn(repos.host, "bob", "", operator)
    assert (again.id, again.title) == (first.id + 1, "Spawn bob")


# Text and publishing


async def test_a_hostile_description_is_kept_exactly_and_its_tag_is_safe_to_show(repos: AgentRepos) -> None:
    operator = Operator(name="anna\udce9\n{}", uid=1, source="[@click=quit]")
    repos.commit({"agent.nix": "{ a = 1; }\n"})
    words = 'Nice\u202e\x1b]52;c;x\x07\n\n{"kind":"rollback"}\r\n\u2028end'
    made = await submit.submit(repos.host, repos.name, None, words, operator)
    assert (made.description, made.submitted_by, made.kind) == (words, "anna‹\\xe9›\n{}", ProposalKind.DEPLOY)
    tag = repos.applied.tag(f"proposal/{made.id}")
    assert tag is not None
    assert not set(tag.message or "") & {"\x1b", "\u202e", "\x07", "\u2028", "\r"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=100, deadline=None)
def test_any_text_survives_a_round_trip_through_a_tag(text: str) -> None:
    record = Failed.model_validate({"at": "2026-01-02T03:04:05Z", "error": text})
    assert parse_message(format_message(text, record), Failed) == record
    assert parse_message(text, Failed) is None


async def test_each_decision_is_published(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    await approved(repos, made, operator)
    (event,) = last_events(repos.host.paths, 1)
    assert (event.kind, event.operator, event.source) == (EventKind.PROPOSAL_DECIDED, "anna", "local")
    expected = {"decision": "approved", "commit": made.commit, "base": repos.main, "acknowledged": "flake-changed"}
    assert expected.items() <= event.data.items()


async def test_the_journal_of_a_real_host_gets_every_detail_as_a_field(repos: AgentRepos, operator: Operator) -> None:
    made = await a_proposal(repos)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = Path(folder) / "run/systemd/journal/socket"
        path.parent.mkdir(parents=True)
        listener.bind(str(path))
        await decide.deny(repos.host, made.id, "Two\nlines", operator)
        (event,) = last_events(repos.host.paths, 1)
        real = replace(repos.host, paths=replace(repos.host.paths, root=Path(folder)))
        journal.send(real, journal.journal_fields(event))
        sent = listener.recv(1 << 16)
    note = b"Two\nlines"
    assert b"HIVE_NOTE\n" + len(note).to_bytes(8, "little") + note + b"\n" in sent
    assert b"HIVE_OPERATOR\n\x04" in sent
    assert b"HIVE_DECISION\n\x06" in sent


async def test_a_decision_does_not_need_a_journal(repos: AgentRepos, operator: Operator) -> None:
    repos.host = replace(repos.host, embedded=False)
    made = await a_proposal(repos)
    assert (await decide.withdraw(repos.host, made.id, operator)).state == ProposalState.WITHDRAWN


# Hostile input


async def test_a_title_of_a_megabyte_is_shortened(repos: AgentRepos, operator: Operator) -> None:
    (repos.proposed / ".git/message").write_text("é" * 400_000)
    repos.git("commit", "-q", "--allow-empty", "-F", ".git/message")
    made = await submit.submit(repos.host, repos.name, None, "", operator)
    assert (made.submitted_by, len(made.title)) == ("anna", MAX_TITLE_CHARS)
    assert made.title.endswith("é…")


async def test_a_tag_with_an_enormous_id_does_not_exhaust_the_ids(repos: AgentRepos) -> None:
    first = await a_proposal(repos)
    for name in ("proposal/9999999999999999", "deployed/" + "9" * 200, "deployed/007", "proposal/08"):
        await repos.applied.create_tag(name, repos.main, "by hand")
    made = await a_proposal(repos, "2")
    assert made.id == first.id + 1
    assert made.id in [seen.id for seen in await queries.list_proposals(repos.host)]


async def test_a_damaged_repo_does_not_prevent_other_agents_from_submitting(repos: AgentRepos) -> None:
    other = repos.host.paths.applied_git("bob") / "refs/tags/denied"
    other.mkdir(parents=True)
    (other / "41").write_text("1" * 40)
    assert (await a_proposal(repos)).id == 42
