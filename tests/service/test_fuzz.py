"""100 000 mutated frames: the engine lives, does nothing, and does not grow."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hivetui.engine.hive import LocalHive
from hivetui.service.hyperhive import COMMANDS
from hivetui.wire.verbs import BASE, FLAG, HASH, NOTES, NUMBER, OBJECT, TEXT, TEXTS, TOKEN, VERBS, MemberKind
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.service.conftest import EngineProcess

FRAMES = 100_000
_EACH = 1000
"""Frames of one connection."""
_GROWTH_KIB = 64 << 10
_SELDOM = 0.02
_FAR = "../../../.."  # far from every valid name, so that no mutation makes one
_SAMPLES: dict[MemberKind, Any] = {
    TEXT: _FAR,
    NUMBER: 9_999_999,
    FLAG: True,
    TEXTS: [_FAR],
    HASH: "0" * 40,
    BASE: "deployed/0",
    NOTES: [],
    TOKEN: "fuzz",
    OBJECT: {"name": _FAR},
}
_COSTLY = {
    *("doctor", "verify", "warnings", "agents", "agent", "repair", "update-base", "proposals", "rules", "rebuild"),
    *("list", "agent_status", "pending"),
}
"""They start programs or read everything, or need no member and do something: seldom sent without an unknown member."""
_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, 1 << 53, (1 << 53) + 1, 10**40, 10**400),
    *("", " ", _FAR, "a" * 5000, "\0", "\u202e", "\ud800", "%s%n", "-n", "\x1b[31m"),
    *([], [[]], [_FAR] * 1001, {}, {"a": {}}, [None], ["\ud800"]),
]


@pytest.mark.fuzz
@pytest.mark.timeout(900)
async def test_mutated_frames_do_nothing_and_cost_nothing(engine: EngineProcess, agent: EmbeddedAgent) -> None:
    chance = random.Random(20261127)
    before = await _state(agent)
    await _send_frames(engine, chance, 5 * _EACH)  # until everything has been used once
    grown_from = _resident_kib(engine.pid)
    for _ in range(FRAMES // _EACH - 5):
        await _send_frames(engine, chance, _EACH)
    client = await engine.raw()
    assert (await client.ask(id=1, verb="agents"))["agents"][0]["name"] == agent.name
    await client.close()
    assert await _state(agent) == before
    assert _resident_kib(engine.pid) - grown_from < _GROWTH_KIB
    assert engine.end() == 0


async def _send_frames(engine: EngineProcess, chance: random.Random, count: int) -> None:
    """Over one connection, whose answers are read while it is written to; at its end everything is answered."""
    client = await engine.raw()
    answering = asyncio.create_task(client.receive_all())
    for number in range(count):
        await client.send_bytes(_mutated(chance, number))
    client.writer.write_eof()
    answers = await answering
    assert len(answers) >= count // 2
    assert not [answer for answer in answers if _is_bug(answer)]
    with suppress(ConnectionError):
        await client.close()


def _is_bug(answer: dict[str, Any]) -> bool:
    return "The engine failed" in json.dumps(answer.get("error"))


def _seed(chance: random.Random, number: int) -> dict[str, Any]:
    if chance.random() < 0.25:
        commands = [name for name in COMMANDS if name not in _COSTLY or chance.random() < _SELDOM]
        scope = {"agent_names": [_FAR]}
        return {"cmd": chance.choice(commands), "id": 9_999_999, "scope": scope, "name": _FAR, "commit": "0" * 40}
    verb = chance.choice(list(VERBS.values()))
    members = [name for name in verb.members if name in verb.required or chance.random() < 0.5]
    frame = {"id": number, "verb": verb.name, **{name: _SAMPLES[verb.members[name]] for name in members}}
    is_harmless = not verb.acts and chance.random() < _SELDOM
    return frame if verb.name not in _COSTLY or is_harmless else {**frame, "unknown": 1}


def _mutated(chance: random.Random, number: int) -> bytes:
    frame = _seed(chance, number)
    for _ in range(chance.randint(0, 3)):
        name = chance.choice(list(frame))
        match chance.randrange(5):
            case 0 if name not in ("unknown", "verb"):
                del frame[name]
            case 1 if name != "verb":
                frame[name] = chance.choice(_VALUES)
            case 2:
                frame[chance.choice(["token", "cancel", "cmd", "wait", "effect"])] = chance.choice(_VALUES)
            case 3:
                frame["id"] = chance.choice(_VALUES)
        if not frame:
            break
    line = json.dumps(frame).encode()
    return (_damaged(chance, line) if chance.random() < 0.4 else line) + b"\n"


def _damaged(chance: random.Random, line: bytes) -> bytes:
    data = bytearray(line)
    match chance.randrange(4):
        case 0:
            data[chance.randrange(len(data))] = chance.randrange(256)
        case 1:
            del data[chance.randrange(len(data)) :]
        case 2:
            data *= 2
        case 3:
            place = chance.randrange(len(data))
            data[place:place] = chance.randbytes(8)
    return bytes(data)


async def _state(agent: EmbeddedAgent) -> object:
    """Everything that an act would change."""
    hive = LocalHive(agent.host, OPERATOR)
    operations = [one.id for one in await hive.operations(ended=True)]
    names = [(one.name, one.state) for one in await hive.agents()]
    return operations, names, await hive.proposals(decided=True), agent.applied.main()


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
