"""Who may do what: every verb of ours and of hyperhive, by role, over the socket, through the door, and on stdio."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest

from hivetui.client.destinations import Destination
from hivetui.client.ssh import SshRoute
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.addresses import Address
from hivetui.engine.model.errors import HiveError
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
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.free_names import free_name
from tests.service.conftest import EngineProcess
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving
from tests.ssh_server import USER, SshServer, needs_sshd

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
HARMLESS_COMMANDS: list[dict[str, Any]] = [
    {"cmd": command, "id": 999, "name": "No Name", "scope": {"agent_names": ["No Name"]}}
    for command in COMMANDS
    if command not in LOOK_MAY_ASK
]
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


@asynccontextmanager
async def as_nobody(agent: EmbeddedAgent, way: str, role: str) -> AsyncIterator[tuple[Served, dict[str, Any]]]:
    """A hive served to the user nobody, who has this role by the group or by the SSH door, and how that one greets."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    listed = key.export_public_key().decode().strip()
    lois = {"name": "lois", "source": "192.0.2.7", "key": key.get_fingerprint()}
    hello = {"id": 0, "verb": "hello", "schema": "hivetui/1", "role": "decide", "operator": lois}
    group, look_group = ("nogroup", "x") if role == "decide" else ("x", "nogroup")
    settings = Settings(socket=SocketSection(group=group, look_group=look_group))
    if way == "the SSH door":  # whatever the groups of its own user
        operators = {"lois": OperatorSection.model_validate({"role": role, "keys": (listed,)})}
        settings = Settings(
            socket=SocketSection(group=look_group, look_group=group),
            serve=ServeSection(user="nobody", operators=operators),
        )
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        yield served, hello


@needs_root
@pytest.mark.parametrize("way", ["the group", "the SSH door"])
async def test_who_may_look_by_any_way_can_decide_start_and_change_nothing(agent: EmbeddedAgent, way: str) -> None:
    """A member of the group of those who look, and an operator whom the door let in: every verb and every command."""
    async with as_nobody(agent, way, "look") as (served, hello):
        number = await served.proposal(free_name())
        frames = acting_frames(agent.name, number)
        ((known, *answers),) = await served.as_user(NOBODY, *map(json.dumps, (hello, *frames)))
        assert known["role"] == "look"
        assert [frame for frame, answer in zip(frames, answers, strict=True) if not is_refused(frame, answer)] == []
        await check_nothing_was_done(served, number)


@needs_root
@pytest.mark.parametrize("way", ["the group", "the SSH door"])
async def test_who_may_decide_by_any_way_is_refused_nothing_by_the_gate(agent: EmbeddedAgent, way: str) -> None:
    async with as_nobody(agent, way, "decide") as (served, hello):
        frames = [*deciding_frames(), *HARMLESS_COMMANDS]
        ((known, *answers),) = await served.as_user(NOBODY, *map(json.dumps, (hello, *frames)))
        assert (known["role"], set(known["verbs"])) == ("decide", set(VERBS))
        assert [frame for frame, answer in zip(frames, answers, strict=True) if not is_let_through(answer)] == []


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


def deciding_frames() -> list[dict[str, Any]]:
    """Each verb that acts, with members of which none exists: let through, it is refused for them."""
    acting = (one for one in VERBS.values() if one.role is Role.DECIDE and one.name not in NEED_NOTHING)
    return [frame_of(verb, number) for number, verb in enumerate(acting, 1)]


def is_let_through(answer: dict[str, Any]) -> bool:
    """Whether the gate has let a request through, to be refused for its members."""
    if "version" in answer:
        return "may not use" not in answer["error"]
    return answer["error"]["code"] in (64, 65, 66)


async def test_decide_is_refused_nothing_by_the_gate(client: RawClient) -> None:
    for frame in (*deciding_frames(), *HARMLESS_COMMANDS):
        assert is_let_through(await client.ask(**frame)), frame


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
    frames = [*deciding_frames(), *HARMLESS_COMMANDS]
    hello, *answers = await over_stdio(agent, [{"id": 0, "verb": "hello", "schema": "hivetui/1"}, *frames])
    assert hello["role"] == "decide"
    assert [answer for answer in answers if not is_let_through(answer)] == []


@needs_sshd
@pytest.mark.slow
@pytest.mark.parametrize("is_service", [True, False], ids=["the socket there", "a process there"])
async def test_over_host_there_is_the_same_gate(
    agent: EmbeddedAgent, ssh_server: SshServer, engine: EngineProcess, is_service: bool
) -> None:
    """The role is that of the login there; it is root here, and `--read-only` gives up deciding."""
    command = (sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), "engine", "--stdio")
    ways = (str(engine.socket), None) if is_service else (None, command)
    address = Address("127.0.0.1", USER, ssh_server.port)
    number = (await LocalHive(agent.host, OPERATOR).request_spawn(free_name())).id
    for role in ("look", "decide"):
        frames = acting_frames(agent.name, number) if role == "look" else deciding_frames()
        connection = await SshRoute(Destination("lab", address, *ways), lambda line: None).connect()
        assert (await connection.request("hello", schema="hivetui/1", role=role))["role"] == role
        for frame in (one for one in frames if "verb" in one):
            members = {name: value for name, value in frame.items() if name not in ("id", "verb")}
            with pytest.raises(HiveError) as refused:
                await connection.request(frame["verb"], **members)
            assert refused.value.code in ((77,) if role == "look" else (64, 65, 66)), frame
        await connection.close()


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
