"""The engine and the SSH door: whose word for an operator counts, and where the role comes from."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
from typing import Any

import asyncssh
import pytest

from hivetui.engine.model.errors import NotAllowed
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.settings import OperatorSection, ServeSection, Settings, SocketSection
from hivetui.service import peers
from hivetui.service.clients import Client
from hivetui.service.hyperhive import COMMANDS
from hivetui.wire.verbs import VERBS, Role, parse_request
from tests.conftest import EmbeddedAgent
from tests.service.served import serving

NOBODY = 65534
KEYS = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("ada", "lois")}
LISTED = {name: (key.export_public_key().decode().strip(),) for name, key in KEYS.items()}
OPERATORS = {
    "ada": OperatorSection(role="decide", keys=LISTED["ada"]),
    "lois": OperatorSection(role="look", keys=LISTED["lois"]),
}
DOOR = Client(Operator(name="hive-door", uid=991, source="local"), None, OPERATORS)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def hello(
    name: str | None, key: str | None = None, role: str | None = None, source: str = "192.0.2.7"
) -> dict[str, Any]:
    frame: dict[str, Any] = {"id": 1, "verb": "hello", "schema": "hivetui/1"}
    if name is not None:
        fingerprint = KEYS[key or name].get_fingerprint() if (key or name) in KEYS else "SHA256:none"
        frame["operator"] = {"name": name, "source": source, "key": fingerprint}
    return frame if role is None else frame | {"role": role}


def after(client: Client, frame: dict[str, Any]) -> Client:
    return client.after_hello(parse_request(frame, VERBS["hello"], 1))


@pytest.mark.parametrize("verb", VERBS)
def test_without_an_operator_the_door_may_use_no_verb(verb: str) -> None:
    assert DOOR.may_use(VERBS[verb]) == (verb == "hello")
    if verb != "hello":
        with pytest.raises(NotAllowed, match="has no role"):
            DOOR.require(VERBS[verb])


def test_the_role_is_the_one_of_the_engines_settings_whatever_the_door_asks_for() -> None:
    assert after(DOOR, hello("ada")).role is Role.DECIDE
    assert after(DOOR, hello("lois")).role is Role.LOOK
    assert after(DOOR, hello("lois", role="decide")).role is Role.LOOK
    assert after(DOOR, hello("ada", role="look")).role is Role.LOOK
    known = after(DOOR, hello("ada", source="192.0.2.7"))
    key = KEYS["ada"].get_fingerprint()
    assert known.operator == Operator(name="ada", uid=991, source=f"ssh 192.0.2.7 {key}", key=key)


def test_once_an_operator_is_known_the_connection_is_of_no_other() -> None:
    looking = after(DOOR, hello("lois"))
    assert after(looking, hello("ada")) == looking
    assert after(after(DOOR, hello("ada", role="look")), hello("ada")).role is Role.LOOK


@pytest.mark.parametrize("frame", [hello(None), hello("eve"), hello("ada", "lois"), hello("ada", "eve"), hello("")])
def test_who_is_no_operator_or_shows_a_key_that_is_not_listed_has_no_role(frame: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        after(DOOR, frame)


@pytest.mark.parametrize("given", [{}, {"name": 7}, {"name": ["ada"], "key": {}}, {"name": None}, {"key": "x"}])
def test_an_operator_of_another_shape_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        after(DOOR, hello(None) | {"operator": given})


def test_what_the_door_says_of_an_address_cannot_forge_a_record() -> None:
    source = after(DOOR, hello("ada", source="x by <root> \n\x1b[2J" + "y" * 500)).operator.source
    assert source.isprintable()
    assert len(source.split(" ")) == 3


def test_only_the_user_of_the_settings_is_the_door_and_never_root() -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert not peers.is_door(0, ServeSection(user="root", operators=OPERATORS))
    assert not peers.is_door(NOBODY, ServeSection(user="nobody"))  # there is no door without operators
    assert not peers.is_door(NOBODY, ServeSection(operators=OPERATORS))
    assert peers.is_door(NOBODY, ServeSection(user="nobody", operators=OPERATORS))
    assert peers.is_door(os.geteuid(), ServeSection(user=me, operators=OPERATORS)) == (os.geteuid() != 0)


@needs_root
async def test_the_doors_user_decides_nothing_even_as_a_member_of_the_group(agent: EmbeddedAgent) -> None:
    """Over the socket: verbs of ours and of hyperhive, before and after an operator is named."""
    serve = ServeSection(user="nobody", operators=OPERATORS)
    settings = Settings(socket=SocketSection(group="nogroup"), serve=serve)
    spawn = {"id": 2, "verb": "spawn", "name": "No Name"}
    commands = [json.dumps({"cmd": command, "scope": {"agent_names": [agent.name]}}) for command in COMMANDS]
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        (refusals,) = await served.as_user(NOBODY, *commands)
        assert all("has no role" in answer["error"] for answer in refusals)
        lines = (spawn, {"id": 3, "verb": "agents"}, hello("lois"), spawn, {"id": 4, "verb": "rules"})
        ((*early, known, late, rules),) = await served.as_user(NOBODY, *map(json.dumps, lines))
        assert [answer["error"]["code"] for answer in (*early, late)] == [77, 77, 77]
        assert (known["operator"], known["role"], rules["ok"]) == ("lois", "look", True)
        ((other,),) = await served.as_user(NOBODY - 1, json.dumps(hello("ada")))
        assert other["error"]["code"] == 77
