"""The host socket of hyperhive, wire version 1, line by line as a client of hyperhive sends and reads it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import DeploySection, Settings, SocketSection
from tests.conftest import EmbeddedAgent
from tests.free_names import free_name
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
OK = {"version": 1, "ok": True}


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
