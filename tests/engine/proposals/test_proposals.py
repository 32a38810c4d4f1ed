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

from hivetui.engine.events import journal
from hivetui.engine.model.errors import BadData, HiveError, NotFound, OperationFailed, Stale, TryAgain
from hivetui.engine.model.events import EventKind
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.settings import ProposalsSection, Settings
from hivetui.engine.proposals import claims, decide, queries, submit, tags
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
    from tests.engine.conftest import Workshop

RECORD = BuildRecord(old_system="/nix/store/old", was_running=True, meta_head="f" * 40, main="e" * 40)


async def a_proposal(shop: Workshop, text: str = "1") -> Proposal:
    return await shop.pinned(shop.commit({"change": text}))


async def approved(shop: Workshop, made: Proposal, anna: Operator) -> claims.Claim:
    return await decide.approve(shop.host, made.id, made.commit, shop.main, anna, "Fine", ("flake-changed",))


# Submit


async def test_a_submitted_commit_is_pinned_and_pending(shop: Workshop, anna: Operator) -> None:
    commit = shop.commit({"agent.nix": "{ a = 1; }\n"}, "Use one\n\nAnd why.")
    made = await submit.submit(shop.host, shop.name, None, "", anna)
    assert (made.commit, made.base, made.title, made.state) == (commit, shop.main, "Use one", ProposalState.PENDING)
    assert (made.submitted_by, made.kind, made.stale) == ("anna", ProposalKind.DEPLOY, False)
    assert await queries.list_proposals(shop.host) == (made,)
    (event,) = last_events(shop.host.paths, 1)
    assert (event.kind, event.proposal, event.operator) == (EventKind.PROPOSAL_PINNED, made.id, "anna")


async def test_a_pinned_commit_survives_a_forced_push_and_gc_in_proposed(shop: Workshop, anna: Operator) -> None:
    first = shop.main
    commit = shop.commit({"agent.nix": "{ a = 1; }\n"})
    made = await submit.submit(shop.host, shop.name, commit[:8], "Words\nand more", anna)
    shop.back_to(first)
    shop.git("gc", "-q", "--prune=now")
    assert (await queries.find_proposal(shop.host, made.id)).commit == commit
    assert (made.title, made.description) == ("Words", "Words\nand more")


async def test_the_same_commit_cannot_be_pending_twice(shop: Workshop, anna: Operator) -> None:
    shop.commit({"agent.nix": "{ a = 1; }\n"})
    made = await submit.submit(shop.host, shop.name, None, "", anna)
    with pytest.raises(BadData, match=f"Proposal {made.id} already requests commit"):
        await submit.submit(shop.host, shop.name, None, "", anna)


async def test_the_number_of_pending_proposals_of_an_agent_is_limited(shop: Workshop, anna: Operator) -> None:
    shop.host = replace(shop.host, settings=Settings(proposals=ProposalsSection(max_pending=1)))
    await a_proposal(shop)
    shop.commit({"agent.nix": "{ more = 1; }\n"})
    with pytest.raises(TryAgain, match="has 1 pending proposal"):
        await submit.submit(shop.host, shop.name, None, "", anna)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "abcdefghij", "a b"])
async def test_a_bad_name_is_refused_before_anything_is_written(host: Host, anna: Operator, name: str) -> None:
    with pytest.raises(BadData):
        await submit.submit(host, name, None, "", anna)
    with pytest.raises(BadData):
        await submit.request_spawn(host, name, "", anna)
    assert not host.paths.root.exists()


async def test_an_agent_that_was_never_spawned_has_no_proposals(host: Host, anna: Operator) -> None:
    with pytest.raises(NotFound, match="never spawned"):
        await submit.submit(host, "bob", None, "", anna)


async def test_an_older_layout_is_refused_with_both_fixes(shop: Workshop, anna: Operator) -> None:
    await shop.applied.delete_tag("deployed/0")
    with pytest.raises(BadData, match=r"repair alice.*--purge"):
        await submit.submit(shop.host, shop.name, None, "", anna)


async def test_something_that_is_not_a_commit_leaves_no_tag(shop: Workshop, anna: Operator) -> None:
    tree = shop.git("rev-parse", "HEAD^{tree}")
    for commit in (tree, "f" * 40, "--upload-pack=touch /tmp/x", "nowhere"):
        with pytest.raises(HiveError):
            await submit.submit(shop.host, shop.name, commit, "", anna)
    assert list(shop.applied.tags()) == ["deployed/0"]


async def test_ids_are_not_reused_when_the_counter_is_lost(shop: Workshop) -> None:
    made = await a_proposal(shop)
    (shop.host.paths.engine / "last-proposal").unlink()
    assert (await a_proposal(shop, "2")).id == made.id + 1
    assert tags.highest_id(shop.host) == made.id + 1


# Decide


async def test_an_approval_is_bound_to_the_reviewed_commit_and_base(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    claim = await approved(shop, made, anna)
    assert (claim.commit, claim.base, claim.operator, claim.note) == (made.commit, shop.main, "anna", "Fine")
    assert claim.acknowledged == ("flake-changed",)
    assert claims.load_claim(shop.host, shop.name, made.id) == claim
    assert (await queries.find_proposal(shop.host, made.id)).state == ProposalState.APPROVED


async def test_the_tag_alone_records_who_approved_what(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    tag = shop.applied.tag(f"approved/{made.id}")
    assert tag is not None
    lines = (tag.message or "").rstrip("\n").split("\n")
    assert lines[:2] == [f"Proposal {made.id} of alice approved by anna (local)", ""]
    told = json.loads(lines[2])
    assert (told["operator"], told["commit"], told["base"], told["acknowledged"]) == (
        "anna",
        made.commit,
        shop.main,
        ["flake-changed"],
    )


async def test_seven_digits_of_the_reviewed_hashes_are_enough(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    claim = await decide.approve(shop.host, made.id, (made.commit or "")[:7], shop.main[:7], anna)
    assert claim.commit == made.commit


@pytest.mark.parametrize("given", [None, "", "abc123", "main", "HEAD", "--all", "A" * 40, "a" * 41])
async def test_an_approval_without_a_hash_is_refused(shop: Workshop, anna: Operator, given: str | None) -> None:
    made = await a_proposal(shop)
    with pytest.raises(BadData, match="is not the commit"):
        await decide.approve(shop.host, made.id, given, shop.main, anna)
    with pytest.raises(BadData, match="is not the base"):
        await decide.approve(shop.host, made.id, made.commit, given, anna)
    assert (await queries.find_proposal(shop.host, made.id)).state == ProposalState.PENDING


async def test_an_approval_of_another_commit_is_stale(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    with pytest.raises(Stale, match="its commit is"):
        await decide.approve(shop.host, made.id, "b" * 40, shop.main, anna)


async def test_an_approval_is_stale_when_main_has_moved(shop: Workshop, anna: Operator) -> None:
    base, one, two = shop.main, await a_proposal(shop, "1"), await a_proposal(shop, "2")
    await approved(shop, one, anna)
    await shop.deployed(one.id, one.commit or "")
    with pytest.raises(Stale, match="its base is"):
        await decide.approve(shop.host, two.id, two.commit, base, anna)
    seen = await queries.find_proposal(shop.host, two.id)
    assert (seen.state, seen.stale, seen.base) == (ProposalState.PENDING, True, one.commit)


async def test_of_many_concurrent_decisions_exactly_one_wins(shop: Workshop) -> None:
    made, base = await a_proposal(shop), shop.main
    people = [Operator(name=f"p{number}", uid=number, source="local") for number in range(9)]
    asked = [
        *(decide.approve(shop.host, made.id, made.commit, base, person) for person in people[:3]),
        *(decide.deny(shop.host, made.id, "No", person) for person in people[3:6]),
        *(decide.withdraw(shop.host, made.id, person) for person in people[6:]),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    lost = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(lost) == 8
    winner = (await queries.find_proposal(shop.host, made.id)).decided_by
    assert all(isinstance(answer, TryAgain) and f"by {winner} (local)" in answer.why for answer in lost)
    decisions = {name for name in shop.applied.tags() if name.startswith(("approved/", "denied/", "withdrawn/"))}
    assert len(decisions) == 1


async def test_of_approvals_in_several_processes_exactly_one_wins(shop: Workshop) -> None:
    made = await a_proposal(shop)
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
    argv = (sys.executable, "-c", program, str(shop.host.paths.root), str(made.id), made.commit or "", shop.main)
    racers = [await asyncio.create_subprocess_exec(*argv, f"p{number}") for number in range(3)]
    assert sorted([await racer.wait() for racer in racers]) == [0, 75, 75]


async def test_a_denial_needs_a_note(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    with pytest.raises(BadData, match="needs a note"):
        await decide.deny(shop.host, made.id, " \n", anna)
    denied = await decide.deny(shop.host, made.id, "Not like this", anna)
    assert (denied.state, denied.note, denied.decided_by) == (ProposalState.DENIED, "Not like this", "anna")


async def test_a_withdrawn_proposal_is_decided(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    assert (await decide.withdraw(shop.host, made.id, anna)).state == ProposalState.WITHDRAWN
    with pytest.raises(TryAgain, match="withdrawn by anna"):
        await approved(shop, made, anna)
    assert await queries.list_proposals(shop.host) == ()
    assert [seen.id for seen in await queries.list_proposals(shop.host, decided=True)] == [made.id]


async def test_pending_proposals_are_oldest_first_and_decided_ones_newest_first(shop: Workshop, anna: Operator) -> None:
    made = [await a_proposal(shop, str(number)) for number in range(4)]
    for seen in made[:2]:
        await decide.withdraw(shop.host, seen.id, anna)
    listed = await queries.list_proposals(shop.host, decided=True, agent="alice")
    assert [seen.id for seen in listed] == [made[2].id, made[3].id, made[1].id, made[0].id]


async def test_an_unknown_proposal_is_not_found(shop: Workshop, anna: Operator) -> None:
    for asked in (queries.find_proposal(shop.host, 99), decide.withdraw(shop.host, 99, anna)):
        with pytest.raises(NotFound, match="There is no proposal 99"):
            await asked


# Build and end


async def test_a_deploy_leaves_its_tags_and_each_can_be_created_twice(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    for _ in range(2):
        await claims.mark_building(shop.host, shop.name, made.id, RECORD)
    assert claims.load_build_record(shop.host, shop.name, made.id) == RECORD
    assert claims.list_unfinished(shop.host, shop.name) == (made.id,)
    for _ in range(2):
        await claims.mark_deployed(shop.host, shop.name, made.id, made.commit or "")
    assert claims.list_stale_build_marks(shop.host, shop.name) == (made.id,)
    for _ in range(2):
        await claims.unmark_building(shop.host, shop.name, made.id)
    assert (claims.list_unfinished(shop.host, shop.name), claims.list_stale_build_marks(shop.host, shop.name)) == (
        (),
        (),
    )
    assert (await queries.find_proposal(shop.host, made.id)).state == ProposalState.DEPLOYED
    ends = [event for event in last_events(shop.host.paths, 9) if event.kind == EventKind.PROPOSAL_ENDED]
    assert len(ends) == 1


async def test_a_proposal_has_only_one_final_state(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    await claims.mark_failed(shop.host, shop.name, made.id, "error: undefined variable\nat agent.nix:3")
    with pytest.raises(OperationFailed, match="it is failed"):
        await claims.mark_deployed(shop.host, shop.name, made.id, made.commit or "")
    assert (await queries.find_proposal(shop.host, made.id)).error == "error: undefined variable\nat agent.nix:3"


async def test_the_end_of_a_long_error_is_kept(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    await claims.mark_failed(shop.host, shop.name, made.id, "x" * 100_000 + "\udce9\x1b[31m the reason")
    error = (await queries.find_proposal(shop.host, made.id)).error or ""
    assert len(error) == MAX_ERROR_CHARS
    assert error.endswith("\\udce9\x1b[31m the reason")


async def test_an_approved_tag_made_by_hand_claims_nothing(shop: Workshop) -> None:
    made = await a_proposal(shop)
    assert claims.load_claim(shop.host, shop.name, made.id) is None
    await shop.applied.create_tag(f"approved/{made.id}", shop.main, "by hand")
    with pytest.raises(OperationFailed, match="not made by the engine"):
        claims.load_claim(shop.host, shop.name, made.id)


async def test_an_approval_of_another_commit_than_was_proposed_deploys_nothing(shop: Workshop, anna: Operator) -> None:
    read_one, other = await a_proposal(shop, "1"), await a_proposal(shop, "2")
    await approved(shop, read_one, anna)
    message = (shop.applied.tags()[f"approved/{read_one.id}"].message or "").replace("alice", "bob")
    await shop.applied.create_tag(f"approved/{other.id}", other.commit or "", message)
    with pytest.raises(OperationFailed, match="names another commit"):
        claims.load_claim(shop.host, shop.name, other.id)


# History and rollback


async def test_the_first_system_is_the_oldest_deployment(shop: Workshop) -> None:
    (first,) = queries.list_deployments(shop.host)
    assert (first.id, first.commit, first.kind, first.running) == (0, shop.main, ProposalKind.SPAWN, True)


async def test_no_deployment_is_running_while_main_is_at_no_deployed_commit(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    assert await shop.applied.move_main(made.commit or "", shop.main)
    assert queries.running_deployment(shop.host, shop.name) is None
    await claims.mark_deployed(shop.host, shop.name, made.id, made.commit or "")
    now = queries.running_deployment(shop.host, shop.name)
    assert now is not None
    assert now.id == made.id


async def test_a_rollback_is_a_new_proposal_at_an_earlier_commit(shop: Workshop, anna: Operator) -> None:
    first, made = shop.main, await a_proposal(shop)
    await approved(shop, made, anna)
    await shop.deployed(made.id, made.commit or "")
    claim = await decide.plan_rollback(shop.host, shop.name, 0, "It broke", anna)
    assert (claim.kind, claim.commit, claim.base) == (ProposalKind.ROLLBACK, first, made.commit)
    await shop.deployed(claim.proposal, first)
    rows = [(row.id, row.kind, row.running, row.note) for row in queries.list_deployments(shop.host, shop.name)]
    assert rows == [
        (claim.proposal, ProposalKind.ROLLBACK, True, "It broke"),
        (made.id, ProposalKind.DEPLOY, False, "Fine"),
        (0, ProposalKind.SPAWN, False, ""),
    ]


def host_with_git(shop: Workshop, folder: Path, script: str) -> Host:
    """The same host with a git that runs this shell script instead of creating `approved/<id>`."""
    git = folder / "git-that"
    git.write_text(
        f'#!/bin/sh\ncase "$*" in *"update-ref --no-deref refs/tags/approved/"*) {script};; esac\nexec git "$@"\n'
    )
    git.chmod(0o755)
    return replace(shop.host, tools=replace(shop.host.tools, git=(str(git),)))


@pytest.mark.parametrize(("script", "left"), [("exit 1", []), ('git "$@"; exit 1', [ProposalState.APPROVED])])
async def test_a_failed_rollback_leaves_no_proposal_or_an_approved_one(
    shop: Workshop, anna: Operator, tmp_path: Path, script: str, left: list[ProposalState]
) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    await shop.deployed(made.id, made.commit or "")
    host = host_with_git(shop, tmp_path, script)
    with pytest.raises(HiveError):
        await decide.plan_rollback(host, shop.name, 0, "It broke", anna)
    found = await queries.list_proposals(shop.host, decided=True)
    assert [one.state for one in found if one.id != made.id] == left
    tags = {name.partition("/")[2] for name in shop.applied.tag_names() if not name.startswith("proposal/")}
    assert tags <= {"0", *(str(one.id) for one in found)}


async def test_a_rollback_needs_a_note_and_another_commit(shop: Workshop, anna: Operator) -> None:
    with pytest.raises(BadData, match="needs a note"):
        await decide.plan_rollback(shop.host, shop.name, 0, "", anna)
    with pytest.raises(NotFound, match="never ran proposal 5"):
        await decide.plan_rollback(shop.host, shop.name, 5, "Back", anna)
    with pytest.raises(BadData, match="already"):
        await decide.plan_rollback(shop.host, shop.name, 0, "Back", anna)
    assert await queries.list_proposals(shop.host, decided=True) == ()


# Tags made by hand


async def test_tags_made_by_hand_are_shown_with_what_they_say(shop: Workshop) -> None:
    git_dir, commit = shop.applied.git_dir, shop.main
    (git_dir / "refs/tags/proposal").mkdir()
    (git_dir / "refs/tags/proposal/70").write_text(commit + "\n")
    await shop.applied.create_tag("proposal/71", commit, "Please\n\nnot json")
    await shop.applied.create_tag("denied/71", commit, "No")
    await shop.applied.create_tag("proposal/007", commit, "an id no engine gives")
    seen = {proposal.id: proposal for proposal in await queries.list_proposals(shop.host, decided=True)}
    assert seen.keys() == {70, 71}
    assert (seen[70].state, seen[70].title) == (ProposalState.PENDING, "The configuration of alice")
    assert (seen[71].state, seen[71].title, seen[71].note) == (ProposalState.DENIED, "Please", "No\n")
    assert tags.highest_id(shop.host) == 71


# Spawn requests


async def make_meta(shop: Workshop) -> None:
    meta = shop.host.paths.meta
    shop.git("clone", "-q", "--no-local", str(shop.applied.git_dir), str(meta))


async def test_a_spawn_is_requested_and_decided_in_meta(shop: Workshop, anna: Operator) -> None:
    await make_meta(shop)
    made = await submit.request_spawn(shop.host, "bob", "For tests", anna)
    assert (made.kind, made.agent, made.commit, made.base) == (ProposalKind.SPAWN, "bob", None, None)
    assert [seen.id for seen in await queries.list_proposals(shop.host, agent="bob")] == [made.id]
    assert await queries.list_proposals(shop.host, agent="alice") == ()
    with pytest.raises(BadData, match="has no commit"):
        await decide.approve(shop.host, made.id, "a" * 40, None, anna)
    claim = await decide.approve(shop.host, made.id, None, None, anna)
    assert (claim.kind, claim.agent) == (ProposalKind.SPAWN, "bob")
    assert claims.list_unfinished(shop.host, "bob") == (made.id,)
    await claims.mark_deployed(shop.host, "bob", made.id, claim.commit)
    assert (await queries.find_proposal(shop.host, made.id)).state == ProposalState.DEPLOYED
    assert [row.agent for row in queries.list_deployments(shop.host)] == ["alice"]


async def test_an_agent_cannot_be_requested_twice(shop: Workshop, anna: Operator) -> None:
    await make_meta(shop)
    await submit.request_spawn(shop.host, "bob", "", anna)
    with pytest.raises(BadData, match="already requests a spawn of bob"):
        await submit.request_spawn(shop.host, "bob", "", anna)


async def test_an_agent_with_a_container_cannot_be_requested(shop: Workshop, anna: Operator) -> None:
    await make_meta(shop)
    shop.host.paths.containers.mkdir(parents=True)
    shop.host.paths.conf("bob").write_text("")
    with pytest.raises(BadData, match="already has a container"):
        await submit.request_spawn(shop.host, "bob", "", anna)


async def test_without_a_meta_repo_no_spawn_can_be_requested(shop: Workshop, anna: Operator) -> None:
    with pytest.raises(NotFound, match="no meta repo yet"):
        await submit.request_spawn(shop.host, "bob", "", anna)


async def test_a_denied_request_can_be_repeated(shop: Workshop, anna: Operator) -> None:
    await make_meta(shop)
    first = await submit.request_spawn(shop.host, "bob", "", anna)
    await decide.deny(shop.host, first.id, "Not yet", anna)
    again = await submit.request_spawn(shop.host, "bob", "", anna)
    assert (again.id, again.title) == (first.id + 1, "Spawn bob")


# Text and publishing


async def test_a_hostile_description_is_kept_exactly_and_its_tag_is_safe_to_show(shop: Workshop) -> None:
    anna = Operator(name="anna\udce9\n{}", uid=1, source="[@click=quit]")
    shop.commit({"agent.nix": "{ a = 1; }\n"})
    words = 'Nice\u202e\x1b]52;c;x\x07\n\n{"kind":"rollback"}\r\n\u2028end'
    made = await submit.submit(shop.host, shop.name, None, words, anna)
    assert (made.description, made.submitted_by, made.kind) == (words, "anna\\udce9\n{}", ProposalKind.DEPLOY)
    tag = shop.applied.tag(f"proposal/{made.id}")
    assert tag is not None
    assert not set(tag.message or "") & {"\x1b", "\u202e", "\x07", "\u2028", "\r"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=100, deadline=None)
def test_any_text_survives_a_round_trip_through_a_tag(text: str) -> None:
    record = Failed.model_validate({"at": "2026-01-02T03:04:05Z", "error": text})
    assert parse_message(format_message(text, record), Failed) == record
    assert parse_message(text, Failed) is None


async def test_each_decision_is_published(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    await approved(shop, made, anna)
    (event,) = last_events(shop.host.paths, 1)
    assert (event.kind, event.operator, event.source) == (EventKind.PROPOSAL_DECIDED, "anna", "local")
    expected = {"decision": "approved", "commit": made.commit, "base": shop.main, "acknowledged": "flake-changed"}
    assert expected.items() <= event.data.items()


async def test_the_journal_of_a_real_host_gets_every_detail_as_a_field(shop: Workshop, anna: Operator) -> None:
    made = await a_proposal(shop)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = Path(folder) / "run/systemd/journal/socket"
        path.parent.mkdir(parents=True)
        listener.bind(str(path))
        await decide.deny(shop.host, made.id, "Two\nlines", anna)
        (event,) = last_events(shop.host.paths, 1)
        real = replace(shop.host, paths=replace(shop.host.paths, root=Path(folder)))
        journal.send(real, journal.journal_fields(event))
        sent = listener.recv(1 << 16)
    note = b"Two\nlines"
    assert b"HIVE_NOTE\n" + len(note).to_bytes(8, "little") + note + b"\n" in sent
    assert b"HIVE_OPERATOR\n\x04" in sent
    assert b"HIVE_DECISION\n\x06" in sent


async def test_a_decision_does_not_need_a_journal(shop: Workshop, anna: Operator) -> None:
    shop.host = replace(shop.host, embedded=False)
    made = await a_proposal(shop)
    assert (await decide.withdraw(shop.host, made.id, anna)).state == ProposalState.WITHDRAWN


# Hostile input


async def test_a_title_of_a_megabyte_is_shortened(shop: Workshop, anna: Operator) -> None:
    (shop.proposed / ".git/message").write_text("é" * 400_000)
    shop.git("commit", "-q", "--allow-empty", "-F", ".git/message")
    made = await submit.submit(shop.host, shop.name, None, "", anna)
    assert (made.submitted_by, len(made.title)) == ("anna", MAX_TITLE_CHARS)
    assert made.title.endswith("é…")


async def test_a_tag_with_an_enormous_id_does_not_exhaust_the_ids(shop: Workshop) -> None:
    first = await a_proposal(shop)
    for name in ("proposal/9999999999999999", "deployed/" + "9" * 200, "deployed/007", "proposal/08"):
        await shop.applied.create_tag(name, shop.main, "by hand")
    made = await a_proposal(shop, "2")
    assert made.id == first.id + 1
    assert made.id in [seen.id for seen in await queries.list_proposals(shop.host)]


async def test_a_damaged_repo_does_not_prevent_other_agents_from_submitting(shop: Workshop) -> None:
    other = shop.host.paths.applied_git("bob") / "refs/tags/denied"
    other.mkdir(parents=True)
    (other / "41").write_text("1" * 40)
    assert (await a_proposal(shop)).id == 42
