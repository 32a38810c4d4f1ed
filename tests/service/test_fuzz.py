"""100 000 mutated frames on each socket, in each dialect: the engine lives, does nothing, and does not grow."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hivetui.service.hyperhive import COMMANDS
from hivetui.service.manager_requests import COMMANDS as REQUESTS
from hivetui.wire.verbs import (
    BASE,
    FLAG,
    HASH,
    NOTES,
    NUMBER,
    OBJECT,
    SEEN,
    SIGNED,
    TEXT,
    TEXTS,
    TOKEN,
    VERBS,
    MemberKind,
)
from tests.conftest import EmbeddedAgent
from tests.fuzzing import count_descriptors, damaged, read_hive, resident_kib
from tests.service.conftest import EngineProcess
from tests.service.raw_client import RawClient
from tests.waiting import until

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
    SEEN: {"blobs": ["0" * 40], "hunks": []},
    SIGNED: {"at": "2026-11-27T00:00:00Z", "signatures": ["-----BEGIN SSH SIGNATURE-----"]},
    TOKEN: "fuzz",
    OBJECT: {"name": _FAR},
}
_COSTLY = {
    *("doctor", "verify", "warnings", "agents", "agent", "repair", "update-base", "proposals", "rules", "rebuild"),
    *("list", "agent_status", "pending", "status"),
}
"""They start programs or read everything, or need no member and do something: seldom sent without an unknown member."""
_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, 1 << 53, (1 << 53) + 1, 10**40, 10**400),
    *("", " ", _FAR, "a" * 5000, "\0", "\u202e", "\ud800", "%s%n", "-n", "\x1b[31m"),
    *([], [[]], ["."] * 1001, {}, {"a": {}}, [None], ["\ud800"]),
]
Frame = dict[str, Any]
Seed = Callable[[random.Random, int], Frame]


def _of_ours(chance: random.Random, number: int) -> Frame:
    verb = chance.choice(list(VERBS.values()))
    members = [name for name in verb.members if name in verb.required or chance.random() < 0.5]
    frame = {"id": number, "verb": verb.name, **{name: _SAMPLES[verb.members[name]] for name in members}}
    is_harmless = not verb.acts and chance.random() < _SELDOM
    return frame if verb.name not in _COSTLY or is_harmless else {**frame, "unknown": 1}


def _of_hyperhive(chance: random.Random, number: int) -> Frame:
    commands = [name for name in COMMANDS if name not in _COSTLY or chance.random() < _SELDOM]
    scope = {"agent_names": [_FAR]}
    frame = {"cmd": chance.choice(commands), "id": 9_999_999, "scope": scope, "name": _FAR, "commit": "0" * 40}
    return {**frame, "base": "0" * 40, "note": str(number)}


def _of_the_manager(agent: str, chance: random.Random, number: int) -> Frame:
    """Seldom about the real agent, of which nothing can be proposed: all that its repo has is deployed."""
    commands = [name for name in REQUESTS if name not in _COSTLY or chance.random() < _SELDOM]
    about = agent if chance.random() < _SELDOM else _FAR
    frame = {"cmd": chance.choice(commands), "id": 9_999_999, "agent": about, "name": _FAR, "commit_ref": "0" * 40}
    return {**frame, "description": str(number)}


@pytest.mark.fuzz
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [_of_ours, _of_hyperhive])
async def test_mutated_frames_do_nothing_and_cost_nothing(
    engine: EngineProcess, agent: EmbeddedAgent, seed: Seed
) -> None:
    await _check(engine, agent, engine.socket, seed)


@pytest.mark.fuzz
@pytest.mark.timeout(900)
async def test_mutated_frames_at_the_managers_door_do_nothing_and_cost_nothing(
    engine: EngineProcess, agent: EmbeddedAgent
) -> None:
    path = engine.folder / "run/hyperhive/agents/hm1nd/manager.sock"
    path.parent.mkdir(parents=True)
    await asyncio.to_thread(until, path.exists)
    await _check(engine, agent, path, partial(_of_the_manager, agent.name))


async def _check(engine: EngineProcess, agent: EmbeddedAgent, path: Path, seed: Seed) -> None:
    chance = random.Random(20261127)
    before = await read_hive(agent)
    for _ in range(5):  # until everything has been used once
        await _send_frames(path, chance, seed)
    grown_from, open_before = resident_kib(engine.pid), count_descriptors(engine.pid)
    for _ in range(FRAMES // _EACH - 5):
        await _send_frames(path, chance, seed)
    client = await engine.raw()
    assert (await client.ask(id=1, verb="agents"))["agents"][0]["name"] == agent.name
    await client.close()
    assert await read_hive(agent) == before
    assert resident_kib(engine.pid) - grown_from < _GROWTH_KIB
    await asyncio.to_thread(until, lambda: count_descriptors(engine.pid) <= open_before)
    assert engine.end() == 0


async def _send_frames(path: Path, chance: random.Random, seed: Seed) -> None:
    """Over one connection, whose answers are read while it is written to; at its end everything is answered."""
    client = await RawClient.connect(path)
    answering = asyncio.create_task(client.receive_all())
    for number in range(_EACH):
        await client.send_bytes(_mutated(chance, seed(chance, number)))
    client.writer.write_eof()
    answers = await answering
    assert len(answers) >= _EACH // 2
    assert not [answer for answer in answers if _is_bug(answer)]
    with suppress(ConnectionError):
        await client.close()


def _is_bug(answer: Frame) -> bool:
    error = json.dumps(answer.get("error"))
    return "The engine failed" in error or "could not be used" in error  # an exception, or one that names a file


def _mutated(chance: random.Random, frame: Frame) -> bytes:
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
    return (damaged(chance, line) if chance.random() < 0.4 else line) + b"\n"
