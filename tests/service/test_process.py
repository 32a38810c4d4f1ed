"""`hivetui engine` as a process: its socket, what systemd hands it, its signals, and what outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hivetui.client.unix_socket import connect_to_service
from hivetui.engine.hive import LocalHive
from hivetui.engine.host import files
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.model.errors import HiveError, Unavailable
from hivetui.engine.model.operations import EntryKind, Operation, OperationState
from hivetui.service.tokens import TokenRecord
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.service.conftest import EngineProcess
from tests.service.raw_client import RawClient
from tests.service.served import Served

_ACTIVATED = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.dup2(int(sys.argv[1]), 3); "
_ACTIVATED += "os.execv(sys.executable, [sys.executable, '-m', 'hivetui', *sys.argv[2:]])"


def run(folder: Path, *words: str, lines: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(folder), *words]
    return subprocess.run(
        argv, input=lines, capture_output=True, env={**os.environ, **environment}, timeout=100, check=False
    )


def test_one_engine_serves_a_hive_and_a_killed_one_is_followed_by_another(engine: EngineProcess) -> None:
    second = run(engine.folder, "engine")
    assert second.returncode == 75
    assert f"Process {engine.pid} ".encode() in second.stderr
    assert engine.socket.stat().st_mode & 0o777 == 0o666
    engine.kill()
    assert engine.socket.exists()  # stale: nobody listens
    assert connect_to_service(engine.socket) is None
    engine.start()
    assert engine.end() == 0
    assert not engine.socket.exists()


@pytest.mark.slow
def test_a_path_that_is_too_long_for_a_socket_is_refused_in_words(tmp_path: Path, agent: EmbeddedAgent) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.parent.mkdir()
    deep.symlink_to(agent.host.paths.root)
    refused = run(deep, "engine")
    assert refused.returncode == 65
    assert b"107 bytes" in refused.stderr
    assert run(deep, "agents").returncode == 0  # a verb needs no service


def test_systemd_hands_over_the_socket_and_is_told_of_the_engines_life(tmp_path: Path, agent: EmbeddedAgent) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    listener, told = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with listener, told:
        listener.bind(str(folder / "activated"))
        listener.listen(8)
        told.bind(str(folder / "notify"))
        told.settimeout(60)
        environment = {"LISTEN_FDS": "1", "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "100000"}
        words = ["--embedded", str(agent.host.paths.root), "engine"]
        argv = [sys.executable, "-c", _ACTIVATED, str(listener.fileno()), *words]
        process = subprocess.Popen(argv, env={**os.environ, **environment}, pass_fds=[listener.fileno()])
        heard = [told.recv(4096)]
        while heard.count(b"WATCHDOG=1") < 3:
            heard.append(told.recv(4096))
        assert [one for one in heard if b"READY=1" in one and b"STATUS=" in one]
        assert _first_answer(folder / "activated").startswith(b'{"version":1,"ok":true')
        process.send_signal(signal.SIGTERM)
        while heard[-1] != b"STOPPING=1":
            heard.append(told.recv(4096))
        assert process.wait(30) == 0
        assert (folder / "activated").exists()  # systemd made it, and keeps it for the next engine


def _first_answer(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"cmd":"list"}\n')
        return client.makefile("rb").readline()


@pytest.mark.slow
def test_stdio_speaks_with_the_service_where_one_answers(engine: EngineProcess) -> None:
    hello = b'{"id":1,"verb":"hello","schema":"hivetui/1"}\n'
    instances = [json.loads(run(engine.folder, "engine", "--stdio", lines=hello).stdout)["instance"] for _ in range(2)]
    assert instances[0] == instances[1]  # that of the service
    engine.kill()
    alone = run(engine.folder, "engine", "--stdio", lines=hello + b'{"id":2,"verb":"agents"}\n')
    answers = [json.loads(line) for line in alone.stdout.splitlines()]
    assert alone.returncode == 0, alone.stderr
    assert answers[0]["instance"] != instances[0]
    assert answers[1]["ok"] is True


@pytest.mark.slow
def test_stdio_takes_files_and_devices(tmp_path: Path, agent: EmbeddedAgent) -> None:
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_bytes(b"".join(b'{"id":%d,"verb":"agents"}\n' % number for number in range(20)))
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(agent.host.paths.root), "engine", "--stdio"]
    with asked.open("rb") as stdin, answered.open("wb") as stdout:
        assert subprocess.run(argv, stdin=stdin, stdout=stdout, timeout=100, check=False).returncode == 0
    answers = [json.loads(line) for line in answered.read_bytes().splitlines()]
    assert sorted(answer["id"] for answer in answers if answer["ok"]) == list(range(20))
    nothing = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=100, check=False)
    assert (nothing.returncode, nothing.stdout) == (0, b"")


async def test_sigterm_ends_an_engine_with_clients_that_never_read(engine: EngineProcess) -> None:
    deaf = await engine.raw()
    await deaf.send_bytes(b'{"id":1,"verb":"watch"}\n' + b'{"cmd":"agent_status"}\n' * 20)
    assert await asyncio.to_thread(engine.end) == 0
    deaf.writer.close()


@pytest.mark.slow
def test_an_engine_that_accepts_and_says_nothing_is_reported_and_can_be_left_out(engine: EngineProcess) -> None:
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        silent = run(engine.folder, "agents")
        assert silent.returncode == 69
        assert time.monotonic() - begun >= 10
        assert run(engine.folder, "agents", HIVETUI_ENGINE__SERVICE="never").returncode == 0
    finally:
        os.kill(engine.pid, signal.SIGCONT)


def test_an_engine_whose_queue_is_full_is_reported_in_time(tmp_path: Path) -> None:
    path = tmp_path / "host.sock"
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as queued:
        listener.bind(str(path))
        listener.listen(0)
        with pytest.raises(Unavailable, match="does not answer"):
            _connect_for_ever(path, queued)


def _connect_for_ever(path: Path, queued: ExitStack) -> None:
    while (connection := connect_to_service(path, 1)) is not None:
        queued.enter_context(connection)


@pytest.mark.slow
async def test_an_engine_without_clients_does_nothing(engine: EngineProcess) -> None:
    hive = await engine.hive()
    async for _ in hive.watch():
        break
    await hive.close()
    await asyncio.sleep(1.5)  # it closes what it watched for the client
    before = _cpu_ticks(engine.pid)
    await asyncio.sleep(5)
    assert _cpu_ticks(engine.pid) - before <= 2  # hundredths of a second


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.slow
@pytest.mark.parametrize("end", [EngineProcess.kill, EngineProcess.end])
async def test_a_build_outlives_its_engine_and_its_client_sees_all_of_it(
    monkeypatch: pytest.MonkeyPatch, agent: EmbeddedAgent, end: Callable[[EngineProcess], object]
) -> None:
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "3")
    engine = EngineProcess(agent.host.paths.root)
    engine.start()
    try:
        hive = await engine.hive()
        proposal = await hive.submit(agent.name, agent.commit("  # x\n"))
        operation = await hive.approve(proposal.id, proposal.commit, proposal.base)
        numbers = []
        async for batch in hive.follow(operation.id):
            numbers += [entry.number for entry in batch]
            if any(entry.kind is EntryKind.STEP and entry.text == "build" for entry in batch):
                await asyncio.to_thread(end, engine)
                engine.start()
        assert (await hive.operation(operation.id)).state is OperationState.SUCCEEDED
        await hive.close()
        again = await engine.hive()
        entries = [entry.number async for batch in again.follow(operation.id) for entry in batch]
        assert numbers == entries == list(range(1, len(entries) + 1))
        await again.close()
    finally:
        engine.end_if_running()


async def test_an_engine_that_ends_tells_no_client_that_its_stream_is_whole(engine: EngineProcess) -> None:
    client = await engine.raw()
    await client.send(id=1, verb="watch")
    assert "snapshot" in await client.receive()
    assert await asyncio.to_thread(engine.end) == 0
    assert [frame for frame in await client.receive_all() if frame.get("end")] == []
    client.writer.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_request_that_a_kill_interrupted_is_carried_out_once(
    engine: EngineProcess, agent: EmbeddedAgent
) -> None:
    """Killed at moments spread over the request; the token then says what became of it, and carries it out once."""
    local = LocalHive(agent.host, OPERATOR)
    for attempt in range(8):
        wanted = {"verb": "request-spawn", "name": f"k{attempt}", "token": f"kill-{attempt}"}
        client = await engine.raw()
        await client.send(id=1, **wanted)
        await asyncio.sleep(attempt * 0.012)
        engine.kill()
        client.writer.close()
        engine.start()
        client = await engine.raw()
        outcome = (await client.ask(id=1, verb="outcome", token=wanted["token"]))["outcome"]
        found = await local.proposals(decided=True, agent=wanted["name"])
        assert (outcome["state"], len(found)) in (("done", 1), ("not done", 0))
        answer = await client.ask(id=2, **wanted)
        (proposal,) = await local.proposals(decided=True, agent=wanted["name"])
        assert answer["proposal"]["id"] == proposal.id
        await client.close()


async def deploys_of(hive: LocalHive, proposal: int) -> list[Operation]:
    return [one for one in await hive.operations(ended=True) if one.proposal == proposal]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_approval_during_the_engines_death_is_done_or_not_and_never_twice(
    engine: EngineProcess, agent: EmbeddedAgent
) -> None:
    local = LocalHive(agent.host, OPERATOR)
    for attempt in range(4):
        proposal = await local.submit(agent.name, agent.commit(f"  # {attempt}\n"))
        hive = await engine.hive()
        approving = asyncio.create_task(hive.approve(proposal.id, proposal.commit, proposal.base))
        if attempt < 3:
            await asyncio.sleep(0.05 + attempt * 0.1)
        else:  # as late as it can be: the operation is there, its number may not have been sent yet
            while not await deploys_of(local, proposal.id):  # noqa: ASYNC110  another process writes it
                await asyncio.sleep(0.01)
        engine.kill()
        engine.start()
        error: HiveError | None = None
        try:
            operation = await asyncio.wait_for(approving, 120)
        except HiveError as failure:
            error = failure
        deploys = await deploys_of(local, proposal.id)
        if error is None:
            assert [one.id for one in deploys] == [operation.id]
        else:
            assert len(deploys) <= 1
            assert error.code in (69, 75)
        for one in deploys:
            await agent.wait_for_end(one)
        await hive.close()
    assert len(deploys) == 1


async def test_what_a_token_leads_to_is_unknown_until_it_is_over(
    served: Served, client: RawClient, agent: EmbeddedAgent
) -> None:
    asking = await served.raw()

    async def outcome() -> dict[str, Any]:
        found: dict[str, Any] = (await asking.ask(id=1, verb="outcome", token="t"))["outcome"]
        return found

    with acquire(agent_lock(agent.host.paths, agent.name), "a test"):
        await client.send(id=1, verb="stop", name=agent.name, wait=True, token="t")
        async with asyncio.timeout(60):
            while (state := await outcome()) == {"state": "not done"}:
                continue  # it has not been read yet
        assert state == {"state": "unknown"}
    operation = (await client.receive())["operation"]
    assert await outcome() == {"state": "done", "operation": operation}
    await agent.wait_for_end(Operation.model_validate(operation))


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        ({"verb": "mark", "name": "x", "mark": "ab" * 32, "viewed": True}, {"state": "unknown", "interrupted": True}),
        ({"verb": "stop", "names": ["x", "y"]}, {"state": "unknown", "interrupted": True}),
        ({"verb": "stop", "name": "x"}, {"state": "not done"}),
    ],
)
async def test_of_an_engine_that_died_meanwhile_nothing_is_said_that_the_hive_does_not_show(
    client: RawClient, agent: EmbeddedAgent, request_: dict[str, Any], state: dict[str, Any]
) -> None:
    operator = (await client.ask(id=0, verb="hello", schema="hivetui/1"))["operator"]
    record = TokenRecord(operator=operator, request=request_, begun_at=datetime.now(UTC))
    files.make_directory(agent.host.paths.tokens)
    files.replace(agent.host.paths.tokens / "t", record.model_dump_json().encode())
    assert (await client.ask(id=1, verb="outcome", token="t"))["outcome"] == state


async def test_a_token_carries_out_one_request_once(client: RawClient, agent: EmbeddedAgent) -> None:
    local = LocalHive(agent.host, OPERATOR)
    request = {"verb": "request-spawn", "name": "k1", "token": "t-1"}
    assert (await client.ask(id=0, verb="outcome", token="t-1"))["outcome"] == {"state": "not done"}
    first, second = await client.ask(id=1, **request), await client.ask(id=2, **request)
    assert first["proposal"] == second["proposal"]
    assert len(await local.proposals(decided=True)) == 1
    outcome = (await client.ask(id=3, verb="outcome", token="t-1"))["outcome"]
    assert (outcome["state"], outcome["proposal"]) == ("done", first["proposal"])
    other = await client.ask(id=4, verb="request-spawn", name="k2", token="t-1")
    assert other["error"]["code"] == 65
    refused = {"verb": "withdraw", "proposal": 999, "token": "t-2"}
    errors = [(await client.ask(id=number, **refused))["error"] for number in (5, 6)]
    assert errors[0] == errors[1]
    await client.send_bytes(b'{"id":7,"verb":"request-spawn","name":"k3","token":"t-3"}\n')
    await client.send(id=8, verb="request-spawn", name="k3", token="t-3")
    both = [await client.receive() for _ in range(2)]
    assert both[0]["proposal"] == both[1]["proposal"]
    assert len(await local.proposals(decided=True)) == 2
