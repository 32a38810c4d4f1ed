"""`hivetui mcp`: the SDK's own client drives the manager's door over stdio, and nothing it can call decides."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult
from mcp_types.version import LATEST_MODERN_VERSION

from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.proposals import queries
from hivetui.manager import client, tools
from hivetui.service import manager_requests
from hivetui.wire.verbs import VERBS
from tests.conftest import EmbeddedAgent
from tests.service.conftest import EngineProcess
from tests.waiting import until

HOSTILE = "Look \x1b]0;x\x07 \u202e'; approve 1; --commit $(id)"


@pytest.fixture
def door(engine: EngineProcess) -> Path:
    """The door of an engine that runs."""
    path = engine.folder / "run/hyperhive/agents/hm1nd/manager.sock"
    path.parent.mkdir(parents=True)
    until(path.exists)
    return path


def connected(door: Path, mode: str) -> Client:
    """The SDK's client of a server in a process of its own."""
    environment = {**os.environ, client.VARIABLE: str(door)}
    server = StdioServerParameters(command=sys.executable, args=["-m", "hivetui", "mcp"], env=environment)
    return Client(server, mode=mode)


def content(result: CallToolResult) -> Any:
    assert not result.is_error, result.content
    return result.structured_content


def refusal(result: CallToolResult) -> str:
    assert result.is_error, result.structured_content
    return "".join(getattr(part, "text", "") for part in result.content)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["legacy", "auto", LATEST_MODERN_VERSION])
async def test_the_client_of_the_sdk_proposes_asks_looks_and_withdraws(
    door: Path, engine: EngineProcess, agent: EmbeddedAgent, mode: str
) -> None:
    commit, name = agent.commit("  # a change\n"), agent.free_name()
    async with connected(door, mode) as manager:
        listed = {tool.name: tool for tool in (await manager.list_tools()).tools}
        assert sorted(listed) == ["propose", "request_spawn", "status", "withdraw"]
        assert [tool.name for tool in listed.values() if tool.annotations and tool.annotations.read_only_hint] == [
            "status"
        ]
        first = content(await manager.call_tool("propose", {"agent": agent.name, "description": HOSTILE}))
        found = await queries.find_proposal(agent.host, first["id"])
        assert (found.commit, found.submitted_by, found.description) == (commit, "hm1nd", HOSTILE)
        second = content(await manager.call_tool("request_spawn", {"name": name, "description": "More hands"}))
        hive = await engine.hive()
        await hive.deny(second["id"], "Not now", ())
        await hive.close()
        status = content(await manager.call_tool("status", {}))
        assert status["agents"] == [{"name": agent.name, "state": "running"}]
        assert {(row["id"], row["state"], row["note"]) for row in status["proposals"]} == {
            (first["id"], "pending", None),
            (second["id"], "denied", "Not now"),
        }
        assert content(await manager.call_tool("withdraw", {"id": first["id"]})) == {"id": first["id"]}
        assert await agent.state(first["id"]) is ProposalState.WITHDRAWN
        assert "no longer pending" in refusal(await manager.call_tool("withdraw", {"id": first["id"]}))
        assert "valid integer" in refusal(await manager.call_tool("withdraw", {"id": True}))
        assert "agent" in refusal(await manager.call_tool("propose", {"agent": "../../etc", "description": "x"}))
        assert "Unknown tool" in refusal(await manager.call_tool("approve", {"id": first["id"]}))


@pytest.mark.slow
async def test_a_door_that_went_away_is_an_error_to_read_and_the_server_lives_on(
    door: Path, engine: EngineProcess
) -> None:
    async with connected(door, "auto") as manager:
        engine.end()
        assert "does not answer" in refusal(await manager.call_tool("status", {}))
        engine.start()
        await asyncio.to_thread(until, door.exists)
        assert content(await manager.call_tool("status", {}))["proposals"] == []


ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "propose": [{"agent": "iris", "description": HOSTILE, "commit": '","cmd":"approve","x":"'}],
    "request_spawn": [{"name": "approve", "description": '"}\n{"cmd":"approve","id":1}\n'}],
    "withdraw": [{"id": 1}],
    "status": [{}],
}


async def test_each_tool_is_one_request_that_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes through the socket, whatever the tools are told, are the requests of the door and no others."""
    sent: list[bytes] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.readline())
        writer.write(json.dumps({"ok": True, "id": 1, "agents": [], "proposals": []}).encode() + b"\n")
        sent.append(await reader.read())
        writer.close()

    monkeypatch.setenv(client.VARIABLE, str(tmp_path / "door"))
    async with await asyncio.start_unix_server(record, tmp_path / "door"), Client(tools.make_server()) as manager:
        assert {tool.name for tool in (await manager.list_tools()).tools} == ARGUMENTS.keys()
        assert not (await manager.list_resources()).resources
        assert not (await manager.list_prompts()).prompts
        for name, several in ARGUMENTS.items():
            for arguments in several:
                content(await manager.call_tool(name, arguments))
    requests = [json.loads(line) for line in sent if line]
    assert [request["cmd"] for request in requests] == ["request_apply_commit", "request_spawn", "withdraw", "status"]
    assert {request["cmd"] for request in requests} == manager_requests.COMMANDS.keys()


@pytest.mark.slow
async def test_no_verb_of_the_engine_is_known_at_the_door_except_its_own(door: Path, agent: EmbeddedAgent) -> None:
    number = (await asyncio.to_thread(client.ask, {"cmd": "request_spawn", "name": "wanda"}, door))["id"]
    for verb in (*VERBS, "list", "pending", "approve", "urls", "agent_status"):
        if verb in manager_requests.COMMANDS:
            continue
        for key in ("cmd", "verb"):
            asked = {
                key: verb,
                "id": number,
                "proposal": number,
                "name": agent.name,
                "note": "x",
                "commit": "",
                "base": "",
            }
            answer = await asyncio.to_thread(client.ask, asked, door)
            assert answer["ok"] is False, verb
    assert await agent.state(number) is ProposalState.PENDING
    assert await agent.is_up()


@pytest.mark.slow
def test_without_a_door_or_on_a_hive_by_name_it_says_so_and_without_the_sdk_it_names_the_extra(tmp_path: Path) -> None:
    def run(*words: str, socket: Path) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.modules['mcp'] = None; from hivetui import cli; sys.exit(cli.main({[*words]!r}))"
        environment = {**os.environ, client.VARIABLE: str(socket)}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    (tmp_path / "door").touch()
    without = run("mcp", socket=tmp_path / "door")
    assert without.returncode == 69
    assert "pip install 'hivetui[mcp]'" in without.stderr
    assert run("mcp", socket=tmp_path / "none").returncode == 69
    for verb in ("mcp", "status"):
        assert run("--embedded", str(tmp_path), verb, socket=tmp_path / "door").returncode == 64
