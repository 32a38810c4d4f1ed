"""The manager's door: what may be asked through it, and that nothing said there decides, starts or stops anything."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.proposals import queries
from hivetui.manager import client
from tests.conftest import EmbeddedAgent
from tests.service.conftest import EngineProcess
from tests.service.raw_client import RawClient
from tests.waiting import until


@pytest.fixture
def door(engine: EngineProcess) -> Path:
    """The door of an engine that runs; the manager comes while it does."""
    path = engine.folder / "run/hyperhive/agents/hm1nd/manager.sock"
    path.parent.mkdir(parents=True)
    until(path.exists)
    return path


async def test_the_manager_proposes_sees_what_became_of_it_and_withdraws(door: Path, agent: EmbeddedAgent) -> None:
    commit = agent.commit("  # a change\n")
    first = await _ask(door, cmd="request_apply_commit", agent=agent.name, commit_ref=commit, description="Why")
    assert first["ok"], first
    proposal = await queries.find_proposal(agent.host, first["id"])
    assert (proposal.commit, proposal.submitted_by) == (commit, "hm1nd")
    status = await _ask(door, cmd="status")
    assert status["agents"] == [{"name": agent.name, "state": "running"}]
    assert [(row["id"], row["state"]) for row in status["proposals"]] == [(first["id"], "pending")]
    assert (await _ask(door, cmd="withdraw", id=first["id"]))["ok"]
    assert await agent.state(first["id"]) is ProposalState.WITHDRAWN
    asked = await _ask(door, cmd="request_spawn", name=agent.free_name(), description="A helper")
    assert asked["ok"], asked


async def test_the_manager_reads_the_notes_of_a_denial_with_their_lines(
    door: Path,
    engine: EngineProcess,
    agent: EmbeddedAgent,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit = agent.commit("  # a change")
    asked = await _ask(door, cmd="request_apply_commit", agent=agent.name, commit_ref=commit)
    hive = await engine.hive()
    await hive.deny(asked["id"], "Not like this", ("agent.nix:new:2:Say \x1b[31mwhy",))
    await hive.close()
    (row,) = [one for one in (await _ask(door, cmd="status"))["proposals"] if one["id"] == asked["id"]]
    assert (row["state"], row["note"]) == ("denied", "Not like this")
    assert row["lines"] == [{"file": "agent.nix", "side": "new", "from": 2, "to": 2, "text": "Say \x1b[31mwhy"}]
    capsys.readouterr()
    monkeypatch.setenv(client.VARIABLE, str(door))
    assert await asyncio.to_thread(client.main, ["status"]) == 0
    assert "    agent.nix:2: Say ?[31mwhy" in capsys.readouterr().out.splitlines()


async def test_it_withdraws_nothing_that_an_operator_submitted(
    door: Path, engine: EngineProcess, agent: EmbeddedAgent
) -> None:
    hive = await engine.hive()
    proposal = await hive.submit(agent.name, agent.commit("  # x\n"))
    await hive.close()
    refused = await _ask(door, cmd="withdraw", id=proposal.id)
    assert not refused["ok"]
    assert "not the manager's" in refused["error"]
    assert await agent.state(proposal.id) is ProposalState.PENDING


REFUSED: tuple[dict[str, Any], ...] = (
    {"cmd": "approve", "id": 1},
    {"cmd": "start", "scope": {"agent_names": ["x"]}},
    {"verb": "approve", "id": 1, "proposal": 1},
    {"verb": "hello", "id": 1, "schema": "hivetui/1", "operator": {"name": "root"}},
    {"cmd": "withdraw", "id": True},
    {"cmd": "request_apply_commit"},
    {"cmd": "request_apply_commit", "agent": "../../etc", "commit_ref": "--upload-pack=x"},
    {"cmd": ["status"]},
    {},
)


async def test_whatever_else_is_asked_is_refused_in_words(door: Path) -> None:
    for frame in REFUSED:
        async with _connected(door) as connection:
            answer = await connection.ask(**frame)
            assert answer["ok"] is False, frame
            assert answer["error"], frame
            assert (await connection.ask(cmd="status"))["ok"], f"the connection lives on after {frame}"


async def test_long_lines_and_floods_stop_nobody(door: Path, engine: EngineProcess) -> None:
    async with AsyncExitStack() as stack:
        long = await stack.enter_async_context(_connected(door))
        await long.send_bytes(b"x" * (1 << 18))
        assert "longer" in (await long.receive())["error"]
        flood, *_ = [await stack.enter_async_context(_connected(door)) for _ in range(20)]
        for _ in range(200):
            await flood.send(cmd="nonsense")
        assert not (await flood.receive())["ok"]
        operator = await stack.enter_async_context(_connected(engine.socket))
        assert (await operator.ask(id=1, verb="operations"))["ok"]


async def test_of_a_burst_of_connections_as_many_are_served_as_may_be_open(door: Path) -> None:
    burst = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for each in burst:
            each.connect(str(door))
        answers = [await asyncio.to_thread(_ask_of, each) for each in burst]
    finally:
        for each in burst:
            each.close()
    refused = [answer["error"] for answer in answers if not answer["ok"]]
    assert refused == ["More than 16 connections are open."] * 4


def _ask_of(connection: socket.socket) -> dict[str, Any]:
    connection.settimeout(30)
    with suppress(BrokenPipeError):  # refused and closed before it asked
        connection.sendall(b'{"cmd": "status"}\n')
    with connection.makefile("rb") as answers:
        answer: dict[str, Any] = json.loads(answers.readline())
    return answer


async def test_only_its_owner_may_connect_and_nothing_in_its_place_is_followed(door: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(door.lstat().st_mode) == 0o600
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    door.unlink()
    door.symlink_to(secret)
    await asyncio.to_thread(until, door.is_socket)
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("secret", 0o644)
    assert (await _ask(door, cmd="status"))["ok"]


def test_the_client_works_from_a_copy_of_one_file(door: Path, agent: EmbeddedAgent, tmp_path: Path) -> None:
    copy = tmp_path / "hive.py"
    copy.write_bytes(Path(client.__file__).read_bytes())
    agent.commit("  # x\n")
    environment = {**os.environ, "HIVE_MANAGER_SOCKET": str(door)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-I", "-S", str(copy), *words]
        return subprocess.run(argv, env=environment, capture_output=True, text=True)

    assert run("submit", agent.name, "-m", "why").stdout == "proposal 1\n"
    assert "#1  deploy of" in run("status").stdout
    assert json.loads(run("status", "--json").stdout)["ok"]
    assert run("withdraw", "#1").returncode == 0
    again = run("withdraw", "1")
    assert (again.returncode, again.stdout) == (1, "")
    environment["HIVE_MANAGER_SOCKET"] = str(tmp_path / "nowhere")
    assert run("status").returncode == 69


@asynccontextmanager
async def _connected(path: Path) -> AsyncIterator[RawClient]:
    connection = await RawClient.connect(path)
    try:
        yield connection
    finally:
        with suppress(ConnectionError):
            await connection.close()


async def _ask(door: Path, **frame: Any) -> dict[str, Any]:
    return await asyncio.to_thread(client.ask, frame, door)
