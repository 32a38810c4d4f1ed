"""The host socket of hyperhive, wire version 1, line by line as a client of hyperhive sends and reads it."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.settings import DeploySection, ReviewSection, Settings, SocketSection
from hivetui.service.hyperhive import COMMANDS, approval_row
from tests.conftest import EmbeddedAgent
from tests.free_names import free_name
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
OK = {"version": 1, "ok": True}
TRUST = '  nix.settings.trusted-users = [ "mallory" ];'
_OK_LINE = '{"version":1,"ok":true}'


def refusal(answer: dict[str, Any]) -> str:
    assert set(answer) == {"version", "ok", "error"}
    assert (answer["version"], answer["ok"]) == (1, False)
    return str(answer["error"])


async def test_what_is_listed_has_the_fields_of_hyperhive(client: RawClient, agent: EmbeddedAgent) -> None:
    assert await client.ask(cmd="list") == {**OK, "agents": [agent.name]}
    answer = await client.ask(cmd="agent_status", unknown="ignored")
    (row,) = answer["agent_statuses"]
    assert re.fullmatch("[0-9a-f]{12}", row.pop("deployed_sha"))
    expected = {"name": agent.name, "running": True, "failed": False, "needs_update": False, "needs_login": False}
    nulls = dict.fromkeys(["parent", "active_model", "status_text", "status_set_at", "url"])
    assert row == {**expected, "paused": False, **nulls}
    assert await client.ask(cmd="urls") == {**OK, "urls": {"domain": None, "home": None, "forge": None}}
    assert await client.ask(cmd="pending") == {**OK, "approvals": []}


async def test_pending_lists_both_kinds_of_proposals(served: Served, client: RawClient, agent: EmbeddedAgent) -> None:
    commit = agent.commit("  # x\n")
    number = (await served.local.submit(agent.name, commit, "Why")).id
    wanted = free_name()
    spawn = await served.proposal(wanted)
    rows = {row["id"]: row for row in (await client.ask(cmd="pending"))["approvals"]}
    deploy, request = rows[number], rows[spawn]
    assert ISO.fullmatch(deploy.pop("requested_at"))
    assert ISO.fullmatch(request.pop("requested_at"))
    common = {"status": "pending", "resolved_at": None, "note": None}
    kind = {"kind": "merge_config_pr", "commit_ref": commit, "fetched_sha": commit, "description": "Why"}
    assert deploy == {"id": number, "agent": agent.name, **kind, **common}
    assert request.pop("description")
    assert request == {"id": spawn, "agent": wanted, "kind": "spawn", "commit_ref": "", "fetched_sha": None, **common}


async def test_each_request_and_its_answer_are_these_lines_byte_for_byte(
    served: Served, client: RawClient, agent: EmbeddedAgent
) -> None:
    """As a client of hyperhive has sent and read them; `subscribe_agent_status` on another connection."""
    name, commit = agent.name, agent.commit("  # x\n")
    (now,) = await served.local.agents()
    proposal = await served.local.submit(name, commit, 'Why "\xe9"?')
    at = f"{proposal.submitted_at:%Y-%m-%dT%H:%M:%SZ}"
    status = (
        f'{{"name":"{name}","running":RUNNING,"failed":false,"needs_update":false,"needs_login":false,"paused":false,'
        f'"parent":null,"deployed_sha":"{(now.deployed_commit or "")[:12]}","active_model":null,"status_text":null,'
        f'"status_set_at":null,"url":null}}'
    )
    rows = '{"version":1,"ok":true,"agent_statuses":[' + status + "]}"
    running, stopped = (rows.replace("RUNNING", word) for word in ("true", "false"))
    pending = (
        f'{{"version":1,"ok":true,"approvals":[{{"id":{proposal.id},"agent":"{name}","kind":"merge_config_pr",'
        f'"commit_ref":"{commit}","fetched_sha":"{commit}","requested_at":"{at}","status":"pending",'
        f'"resolved_at":null,"note":null,"description":"Why \\"\\u00e9\\"?"}}]}}'
    )
    unbound = '{"version":1,"ok":false,"error":"approve needs commit and base: An approval binds what was read."}'
    recorded = (
        ('{"cmd":"list"}', f'{{"version":1,"ok":true,"agents":["{name}"]}}'),
        ('{"cmd":"agent_status"}', running),
        ('{"cmd":"pending"}', pending),
        ('{"cmd":"urls"}', '{"version":1,"ok":true,"urls":{"domain":null,"home":null,"forge":null}}'),
        (f'{{"cmd":"approve","id":{proposal.id}}}', unbound),
        (f'{{"cmd":"deny","id":{proposal.id}}}', _OK_LINE),
        ('{"cmd":"pending"}', '{"version":1,"ok":true,"approvals":[]}'),
        (f'{{"cmd":"stop","scope":{{"agent_names":["{name}"]}},"graceful":false}}', _OK_LINE),
        ('{"cmd":"agent_status"}', stopped),
        (f'{{"cmd":"start","scope":{{"agent_names":["{name}"]}},"graceful":true}}', _OK_LINE),
        (f'{{"cmd":"restart","name":"{name}"}}', _OK_LINE),
    )
    watcher = await served.raw()
    assert await watcher.exchange('{"cmd":"subscribe_agent_status"}') == _OK_LINE
    for request, answer in recorded:
        assert await client.exchange(request) == answer
    assert await watcher.receive_line() == stopped
    again = await served.local.submit(name, agent.commit("  # again\n"))
    approve = f'{{"cmd":"approve","id":{again.id},"commit":"{again.commit}","base":"{again.base}"}}'
    assert await client.exchange(approve) == _OK_LINE
    asked = {json.loads(request)["cmd"] for request, _ in recorded} | {"approve", "subscribe_agent_status"}
    assert asked == set(COMMANDS)
    await agent.wait_for_end((await served.local.operations(ended=True))[0])


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (ProposalState.PENDING, "pending"),
        (ProposalState.APPROVED, "approved"),
        (ProposalState.BUILDING, "approved"),
        (ProposalState.DEPLOYED, "approved"),
        (ProposalState.FAILED, "failed"),
        (ProposalState.DENIED, "denied"),
        (ProposalState.WITHDRAWN, "cancelled"),
    ],
)
def test_a_row_has_the_status_that_hyperhive_has_for_each_state(state: ProposalState, status: str) -> None:
    """`pending` lists what can be decided; one that is decided just then is said to be so."""
    at = datetime(2026, 11, 27, 12, 30, 5, tzinfo=UTC)
    decided = None if state is ProposalState.PENDING else at
    facts = {"id": 7, "kind": ProposalKind.DEPLOY, "agent": "iris", "commit": "c" * 40, "base": None, "stale": False}
    by = {"title": "t", "description": "d", "submitted_by": "hm1nd", "submitted_at": at, "decided_at": decided}
    row = approval_row(Proposal.model_validate({**facts, **by, "state": state}))
    assert (row["status"], row["requested_at"]) == (status, "2026-11-27T12:30:05Z")
    assert row["resolved_at"] == (None if decided is None else "2026-11-27T12:30:05Z")


async def test_what_is_wrong_is_one_line_and_the_connection_lives_on(client: RawClient) -> None:
    assert "explode" in refusal(await client.ask(cmd="explode"))
    assert refusal(await client.ask(cmd=7))
    for number in (None, "7", 7.0, True, -1, 10**400):
        assert "id" in refusal(await client.ask(cmd="deny", id=number))
    assert "no proposal" in refusal(await client.ask(cmd="deny", id=999)).lower()
    scopes: tuple[Any, ...] = (None, {}, {"agent_names": []}, {"agent_names": "a"}, {"agent_names": [7]}, [])
    for scope in scopes:
        for command in ("start", "stop"):
            assert "every agent" in refusal(await client.ask(cmd=command, scope=scope))
    assert refusal(await client.ask(cmd="restart"))
    assert refusal(await client.ask(cmd="restart", name="../x"))
    await client.send_bytes(b"nonsense\n")
    assert refusal(await client.receive())  # in the form that this client reads
    assert (await client.ask(cmd="list"))["ok"]


async def test_a_bad_name_in_a_scope_stops_all_before_anything_begins(
    served: Served, client: RawClient, agent: EmbeddedAgent
) -> None:
    refusal(await client.ask(cmd="stop", scope={"agent_names": [agent.name, "../x"]}))
    assert await agent.is_up()


async def test_denying_without_a_note_is_recorded_as_such(served: Served, client: RawClient) -> None:
    first, second = await served.proposal(free_name()), await served.proposal(free_name())
    assert await client.ask(cmd="deny", id=first) == OK
    assert await client.ask(cmd="deny", id=second, note="not now") == OK
    notes = {one.id: one.note for one in await served.local.proposals(decided=True)}
    assert (notes[first], notes[second]) == ("(no note)", "not now")
    assert refusal(await client.ask(cmd="deny", id=first))


async def test_an_approval_must_say_what_was_read(served: Served, client: RawClient, agent: EmbeddedAgent) -> None:
    proposal = await served.local.submit(agent.name, agent.commit("  # x\n"))
    for members in ({}, {"commit": proposal.commit}, {"base": proposal.base}):
        assert "commit and base" in refusal(await client.ask(cmd="approve", id=proposal.id, **members))
    assert refusal(await client.ask(cmd="approve", id=proposal.id, commit="0" * 40, base=proposal.base))
    assert refusal(await client.ask(cmd="approve", id=proposal.id, commit="abc", base=proposal.base))
    assert await served.state(proposal.id) is ProposalState.PENDING
    assert await client.ask(cmd="approve", id=proposal.id, commit=proposal.commit, base=proposal.base) == OK
    assert await served.state(proposal.id) is not ProposalState.PENDING
    await agent.wait_for_end((await served.local.operations(ended=True))[0])


@pytest.mark.slow
async def test_a_setting_allows_approvals_that_do_not_say_it(agent: EmbeddedAgent) -> None:
    section = SocketSection(unbound_approve=True)
    settings = Settings(socket=section, deploy=DeploySection(health_seconds=0))
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        proposal = await served.local.submit(agent.name, agent.commit("  # x\n"))
        client = await served.raw()
        other = "0" * 40  # what is said counts, and must be true
        assert refusal(await client.ask(cmd="approve", id=proposal.id, commit=other))
        assert await client.ask(cmd="approve", id=proposal.id) == OK
        await agent.wait_for_end((await served.local.operations(ended=True))[0])


@pytest.mark.parametrize("what", ["a critical finding", "a forbidden one", "a required effect"])
async def test_an_approval_that_does_not_say_it_passes_no_finding_and_no_required_effect(
    agent: EmbeddedAgent, what: str
) -> None:
    review = ReviewSection(
        require_effect=what == "a required effect",
        severity={"nix-trust": "forbid"} if what == "a forbidden one" else {},
    )
    settings = Settings(socket=SocketSection(unbound_approve=True), review=review)
    body = "  # x\n" if what == "a required effect" else TRUST
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        proposal = await served.local.submit(agent.name, agent.commit(body))
        client = await served.raw()
        bound = {"commit": proposal.commit, "base": proposal.base}
        for members in ({}, bound):
            words = refusal(await client.ask(cmd="approve", id=proposal.id, **members))
            assert ("effect" if what == "a required effect" else "finding") in words
        assert await served.state(proposal.id) is ProposalState.PENDING


@pytest.mark.slow
async def test_starting_and_stopping_are_answered_when_done_and_in_order(
    served: Served, client: RawClient, agent: EmbeddedAgent
) -> None:
    """A subscribed connection is told of each change, and goes on answering."""
    watcher = await served.raw()
    assert await watcher.ask(cmd="subscribe_agent_status") == OK
    scope = {"agent_names": [agent.name, agent.name]}
    await client.send(cmd="stop", scope=scope, graceful=False)
    await client.send(cmd="agent_status")
    await client.send(cmd="nonsense")
    await client.send(cmd="start", scope=scope, graceful=True)
    await client.send(cmd="restart", name=agent.name)
    await client.send(cmd="list")
    assert await client.receive() == OK
    (row,) = (await client.receive())["agent_statuses"]
    assert row["running"] is False
    assert refusal(await client.receive())
    assert [await client.receive() for _ in range(2)] == [OK, OK]
    assert (await client.receive())["agents"] == [agent.name]
    kinds = [one.kind for one in await served.local.operations(ended=True)]
    assert kinds[:3] == [OperationKind.RESTART, OperationKind.START, OperationKind.STOP]
    change = await watcher.receive()
    assert set(change) == {"version", "ok", "agent_statuses"}
    assert [(row["name"], row["running"]) for row in change["agent_statuses"]] == [(agent.name, False)]
    await watcher.send(cmd="urls")
    while "urls" not in (answer := await watcher.receive()):
        assert len(answer["agent_statuses"]) == 1
