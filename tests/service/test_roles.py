"""Who may do what: every verb of ours and of hyperhive, by role, over the socket, through the door, and on stdio."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from typing import Any

import asyncssh
import pytest

from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import OperatorSection, ServeSection, Settings, SocketSection
from hivetui.service.clients import Client
from hivetui.service.hyperhive import COMMANDS
from hivetui.service.requests import ANSWERS
from hivetui.service.streams import STREAMS
from hivetui.wire.verbs import (
    BASE,
    FLAG,
    HASH,
    NOTES,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    TOKEN,
    VERBS,
    MemberKind,
    Role,
    Verb,
    parse_request,
)
from tests.conftest import EmbeddedAgent
from tests.free_names import free_name
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving

NOBODY = 65534
LOOK_MAY_USE = {
    *("agents", "proposals", "show", "history", "logs", "operations", "operation", "warnings", "rules"),
    *("verify", "doctor", "watch", "outcome"),
}
"""The list of wire.md, of verbs for everybody."""
READS_OF_OUR_CLIENT = {
    *("hello", "repairs", "agent", "advice", "review", "findings", "difference", "effect", "figures", "viewed"),
    *("notes", "queue"),
}
"""What the console reads beyond it."""
LOOK_MAY_ASK = {"list", "agent_status", "subscribe_agent_status", "pending", "urls"}
NEED_NOTHING = {"repair", "update-base"}
"""Verbs that would do something without any member."""
SAMPLES: dict[MemberKind, Any] = {
    TEXT: "No Name",  # nothing that exists, so that a verb that is let through does nothing either
    NUMBER: 999,
    FLAG: True,
    TEXTS: ["No Name"],
    HASH: "0" * 40,
    BASE: "deployed/0",
    NOTES: [],
    TOKEN: "t",
    OBJECT: {},
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def frame_of(verb: Verb, number: int, **members: Any) -> dict[str, Any]:
    given = {name: SAMPLES[verb.members[name]] for name in verb.required}
    return {
        "id": number,
        "verb": verb.name,
        **given,
        **({"schema": "hivetui/1"} if verb.name == "hello" else {}),
        **members,
    }


def test_every_verb_is_in_one_table() -> None:
    assert {verb.name for verb in VERBS.values() if verb.role is Role.LOOK} == LOOK_MAY_USE | READS_OF_OUR_CLIENT
    assert set(VERBS) == set(ANSWERS) | set(STREAMS) | {"hello", "outcome", "repairs", "statement"}
    assert all(verb.acts == (verb.role is Role.DECIDE) for verb in VERBS.values())


def acting_frames(agent: str, proposal: int) -> list[dict[str, Any]]:
    """Each verb and each command that acts, with members that would do something if the gate let it through."""
    real = {"proposal": proposal, "name": agent, "names": [agent], "operation": 1}
    acting = [verb for verb in VERBS.values() if verb.role is Role.DECIDE]
    ours = [
        frame_of(verb, number, **{key: real[key] for key in verb.members if key in real})
        for number, verb in enumerate(acting, 1)
    ]
    members = {"id": proposal, "name": agent, "scope": {"agent_names": [agent]}, "commit": "0" * 40, "base": "0" * 40}
    return [*ours, *({"cmd": command, **members} for command in COMMANDS if command not in LOOK_MAY_ASK)]


def is_refused(frame: dict[str, Any], answer: dict[str, Any]) -> bool:
    if "cmd" in frame:
        return not answer["ok"] and "may not use" in answer["error"]
    return not answer["ok"] and (answer["id"], answer["error"]["code"]) == (frame["id"], 77)


async def check_nothing_was_done(served: Served, proposal: int) -> None:
    assert await served.state(proposal) is ProposalState.PENDING
    assert [one.id for one in await served.local.operations(ended=True)] == [1]  # the spawn of the fixture
    assert [one.id for one in await served.local.proposals(decided=True)] == [proposal]


async def test_look_can_decide_start_and_change_nothing(
    served: Served, client: RawClient, agent: EmbeddedAgent
) -> None:
    number = await served.proposal(free_name())
    hello = await client.ask(id=0, verb="hello", schema="hivetui/1", role="look")
    assert (hello["role"], set(hello["verbs"])) == ("look", LOOK_MAY_USE | READS_OF_OUR_CLIENT)
    for frame in acting_frames(agent.name, number):
        assert is_refused(frame, await client.ask(**frame)), frame
    await check_nothing_was_done(served, number)


@needs_root
@pytest.mark.parametrize("way", ["the group", "the SSH door"])
async def test_who_may_look_by_any_way_can_decide_start_and_change_nothing(agent: EmbeddedAgent, way: str) -> None:
    """A member of the group of those who look, and an operator whom the door let in: every verb and every command."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    listed = key.export_public_key().decode().strip()
    lois = {"name": "lois", "source": "192.0.2.7", "key": key.get_fingerprint()}
    hello = {"id": 0, "verb": "hello", "schema": "hivetui/1", "role": "decide", "operator": lois}
    settings = Settings(socket=SocketSection(look_group="nogroup"))
    if way == "the SSH door":
        operators = {"lois": OperatorSection(role="look", keys=(listed,))}
        settings = Settings(
            socket=SocketSection(group="nogroup"), serve=ServeSection(user="nobody", operators=operators)
        )
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        number = await served.proposal(free_name())
        frames = acting_frames(agent.name, number)
        ((known, *answers),) = await served.as_user(NOBODY, *map(json.dumps, (hello, *frames)))
        assert known["role"] == "look"
        assert [frame for frame, answer in zip(frames, answers, strict=True) if not is_refused(frame, answer)] == []
        await check_nothing_was_done(served, number)


@pytest.mark.slow
async def test_look_and_decide_may_read_everything(served: Served) -> None:
    for role in Role:
        client = await served.raw()
        await client.ask(id=0, verb="hello", schema="hivetui/1", role=role.value)
        for number, verb in enumerate((one for one in VERBS.values() if one.role is Role.LOOK), 1):
            answer = await client.ask(**frame_of(verb, number))
            assert answer["id"] == number
            assert answer.get("error", {}).get("code") != 77, verb.name
            await client.settle(number, verb.stream and not answer.get("end"))
        for command in LOOK_MAY_ASK:
            assert (await client.ask(cmd=command))["ok"], command


async def test_decide_is_refused_nothing_by_the_gate(client: RawClient) -> None:
    for verb in (one for one in VERBS.values() if one.role is Role.DECIDE and one.name not in NEED_NOTHING):
        answer = await client.ask(**frame_of(verb, 1))
        assert answer["error"]["code"] in (64, 65, 66), verb.name


async def test_hello_can_only_take_rights_away(client: RawClient) -> None:
    assert (await client.ask(id=1, verb="hello", schema="hivetui/1", role="look"))["role"] == "look"
    assert (await client.ask(id=2, verb="hello", schema="hivetui/1", role="decide"))["role"] == "look"
    assert (await client.ask(id=3, verb="hello", schema="hivetui/1"))["role"] == "look"
    assert (await client.ask(id=4, verb="repair"))["error"]["code"] == 77


async def test_root_may_say_which_login_is_behind_sudo_and_nobody_else() -> None:
    hello = {"id": 1, "verb": "hello", "schema": "hivetui/1", "operator": {"name": "ada", "uid": 0, "source": "moon"}}
    for uid, name in ((0, "ada"), (1000, "walt")):
        client = Client(Operator(name="walt", uid=uid, source="local"), Role.LOOK)
        after = client.after_hello(parse_request(hello, VERBS["hello"], 1))
        assert after.operator == Operator(name=name, uid=uid, source="local")
        assert after.role is Role.LOOK


async def test_stdin_and_stdout_have_the_same_gate(agent: EmbeddedAgent) -> None:
    frames = acting_frames(agent.name, 1)
    hello, *answers = await over_stdio(
        agent, [{"id": 0, "verb": "hello", "schema": "hivetui/1", "role": "look"}, *frames]
    )
    assert hello["role"] == "look"
    assert [frame for frame, answer in zip(frames, answers, strict=True) if not is_refused(frame, answer)] == []


async def over_stdio(agent: EmbeddedAgent, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `hivetui engine --stdio` answers until the end of its input, at which it exits with 0."""
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(agent.host.paths.root), "engine", "--stdio"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, limit=1 << 26)
    output, _ = await process.communicate("".join(json.dumps(line) + "\n" for line in lines).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


@needs_root
async def test_who_has_no_role_gets_one_error_and_is_disconnected(served: Served) -> None:
    hello = '{"id":1,"verb":"hello","schema":"hivetui/1"}'
    ((refusal, nothing),) = await served.as_user(NOBODY, hello, hello)
    assert refusal["error"]["code"] == 77
    assert "id" not in refusal
    assert nothing is None


@needs_root
@pytest.mark.parametrize(("group", "look_group", "role"), [("nogroup", "x", "decide"), ("x", "nogroup", "look")])
async def test_members_of_the_groups_have_their_role(
    agent: EmbeddedAgent, group: str, look_group: str, role: str
) -> None:
    """The primary group counts; a group that does not exist has no members; whatever the client says of itself."""
    settings = Settings(socket=SocketSection(group=group, look_group=look_group))
    hello = {"id": 1, "verb": "hello", "schema": "hivetui/1", "role": "decide", "operator": {"name": "root"}}
    spawn = {"id": 2, "verb": "spawn", "name": "No Name"}
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        ((answer, refused),) = await served.as_user(NOBODY, json.dumps(hello), json.dumps(spawn))
    assert (answer["role"], answer["operator"]) == (role, "nobody")
    assert refused["error"]["code"] == (65 if role == "decide" else 77)


@needs_root
async def test_one_user_has_at_most_fifty_connections(agent: EmbeddedAgent) -> None:
    settings = Settings(socket=SocketSection(look_group="nogroup"))
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        answers = await served.as_user(NOBODY, connections=51)
        assert [answer["ok"] for (answer,) in answers] == [True] * 50 + [False]
        assert answers[-1][0]["error"]["code"] == 75
        client = await served.raw()
        assert (await client.ask(id=1, verb="outcome", token="t"))["ok"]
