"""What a person feels: the real console on an embedded hive with 1, 50 and 900 agents, keys in, repaints out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from hivetui.embedded import journal, open_embedded
from hivetui.embedded.layout import Layout
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.names import container_of
from hivetui.engine.model.settings import Settings
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.crowd import crowd
from tests.service.conftest import EngineProcess, over_ssh
from tests.ssh_server import SshServer, SshUser, needs_sshd

from .conftest import Figure, Record
from .console import ENVIRONMENT, Console, console
from .terminal import at
from .test_start import MINIMAL, milliseconds_of_an_empty_python, milliseconds_until

if TYPE_CHECKING:
    from tests.spawned_hive import SpawnedHive

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
KEYS, SETTLED = 120, 6.0
FLOOD_LINES, FLOOD_SECONDS = 50_000, 6.0
ROUNDS = 5
_STAMP = re.compile(r"flood (\d+) at (\d+\.\d+)")

FLOOD = """
import sys, time
from pathlib import Path
path, rate, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
began, number = time.monotonic(), 0
with path.open("ab", buffering=0) as log:
    while (passed := time.monotonic() - began) < seconds:
        lines = []
        while number < passed * rate:
            lines.append(b'{"t":%d,"p":6,"i":"flood","m":"flood %d at %.3f"}\\n'
                         % (time.time_ns() // 1000, number, time.monotonic()))
            number += 1
        log.write(b"".join(lines))
        time.sleep(0.01)
print(number)
"""


@contextmanager
def hive_of(spawned: SpawnedHive, count: int) -> Iterator[EmbeddedAgent]:
    """A hive with so many agents, one of them real."""
    with spawned.restored() as folder:
        agent = EmbeddedAgent(open_embedded(folder, Settings()), spawned.agents[0])
        with crowd(agent, count):
            yield agent


@contextmanager
def open_console(agent: EmbeddedAgent, rate: int | None = None, **environment: str) -> Iterator[Console]:
    """Its console, with the agents listed and at rest."""
    with console(agent.host.paths.root, environment=environment, rate=rate) as opened:
        opened.wait_for("agents", agent.name, "running")
        opened.drain(SETTLED)
        yield opened


@pytest.mark.parametrize(("count", "share"), [(1, 1.0), (50, 1.0), (900, 2.0)])
def test_a_console_that_is_left_open(record: Record, hive_of_one: SpawnedHive, count: int, share: float) -> None:
    with hive_of(hive_of_one, count) as agent, open_console(agent) as opened:
        forks = _processes_started()
        used, painted = opened.costs(20)
        forks = _processes_started() - forks
    record(Figure(f"console, idle, {count} agents: processes started in 20 s, machine", "", forks, 0))
    record(Figure(f"console, idle, {count} agents: of a core, children too", "%", used, share))
    record(Figure(f"console, idle, {count} agents: to the terminal", "KB/s", painted / 1000, 1))


def _processes_started() -> int:
    """By everybody on this machine since it booted (proc_stat(5)): a quiet one starts none."""
    return int(Path("/proc/stat").read_text().partition("\nprocesses ")[2].split()[0])


@pytest.mark.parametrize(("count", "middle", "worst"), [(3, 4.0, 8.0), (50, None, 12.0), (900, None, 12.0)])
def test_keys_of_the_real_console(
    record: Record, hive_of_one: SpawnedHive, count: int, middle: float | None, worst: float
) -> None:
    with hive_of(hive_of_one, count) as agent, open_console(agent) as opened:
        times = opened.key_times(b"jk", KEYS)
    record(Figure(f"console, {count} agents: key p50", "ms", at(times, 0.5), middle))
    record(Figure(f"console, {count} agents: key p99", "ms", at(times, 0.99), worst))


@contextmanager
def flood(agent: EmbeddedAgent, rate: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """So many lines a second into the agent's log; it prints how many there were."""
    directory = Layout(str(agent.host.paths.root)).log(container_of(agent.name))
    argv = [sys.executable, "-c", FLOOD, str(directory / journal.CURRENT), str(rate), str(seconds)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _open_log(opened: Console) -> None:
    opened.press(b"4")
    opened.wait_for("following")
    opened.forget()


def test_a_log_of_the_real_console_under_a_flood(record: Record, hive_of_one: SpawnedHive, tmp_path: Path) -> None:
    """What came is saved with `s`, so that each line can be looked for."""
    with hive_of(hive_of_one, 1) as agent, open_console(agent, HOME=str(tmp_path)) as opened:
        _open_log(opened)
        with flood(agent, FLOOD_LINES, FLOOD_SECONDS) as process:
            opened.drain(2)
            own, (used, _) = opened.own_cpu_seconds(), opened.costs(3)
            own = 100 * (opened.own_cpu_seconds() - own) / 3
            count = int(process.communicate()[0])
        lags = [lag for when, shown in opened.replay() if (lag := _lag(when, shown)) is not None]
        opened.drain(3)
        opened.forget()
        opened.press(b"G")
        opened.wait_for(f"flood {count - 1} at")
        opened.press(b"s")
        opened.wait_for("Saved")
        (saved,) = tmp_path.glob("*.log")
        numbers = [int(match[1]) for match in _STAMP.finditer(saved.read_text())]
    record(Figure("console, 50 000 lines/s: newest line shown after, worst", "s", max(lags), 0.5))
    lost = count - sum(number == expected for expected, number in enumerate(numbers))
    record(Figure(f"console, 50 000 lines/s: lost or out of order of {count}", "lines", lost, 0))
    record(Figure("console, 50 000 lines/s: of a core", "%", own, 30))
    record(Figure("console, 50 000 lines/s: of a core, engine and stand-in journalctl too", "%", used))


def _lag(when: float, shown: str) -> float | None:
    stamps = [float(match[2]) for match in _STAMP.finditer(shown)]
    return when - max(stamps) if stamps else None


SLOW_LINE = 200_000
"""Bytes a second."""


@pytest.mark.parametrize(
    ("rate", "what", "limit"), [(None, "50 000 lines/s", 16), (SLOW_LINE, "50 000 lines/s, line of 200 KB/s", 150)]
)
def test_keys_in_a_flooded_log_of_the_real_console(
    record: Record, hive_of_one: SpawnedHive, rate: int | None, what: str, limit: float
) -> None:
    """Keys freeze the log and let it follow again; each says so in the line below it."""
    pressed = []
    with hive_of(hive_of_one, 1) as agent, open_console(agent, rate) as opened:
        _open_log(opened)
        with flood(agent, FLOOD_LINES, 25):
            opened.drain(1)
            for number in range(40):
                opened.drain(0.35 + 0.013 * (number % 7))
                pressed.append((opened.press(b"F"), "following" if number % 2 else "FROZEN"))
            opened.drain(0.5)
        states = [(when, shown.splitlines()[-2]) for when, shown in opened.replay()]
    answers = ([when for when, line in states if when >= began and word in line][:1] for began, word in pressed)
    times = sorted((answer[0] - began) * 1000 for (began, _), answer in zip(pressed, answers, strict=True) if answer)
    record(Figure(f"console, {what}: key p50", "ms", at(times, 0.5)))
    record(Figure(f"console, {what}: key p99 of {len(times)}", "ms", at(times, 0.99), limit))


FOLLOWERS, LINES_EACH = 50, 100
FOLLOW = """
import json, select, socket, sys
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
for client in clients:
    client.connect(path)
    client.sendall(json.dumps({"id": 1, "verb": "hello", "schema": "hivetui/1"}).encode() + b"\\n")
    client.sendall(json.dumps({"id": 2, "verb": "logs", "names": [name], "follow": True}).encode() + b"\\n")
taken = lines = 0
while clients:
    for client in select.select(clients, [], [])[0]:
        data = client.recv(1 << 16)
        if not data:
            sys.exit("the engine has closed a connection")
        lines += data.count(b"flood ")
        if lines >= taken + 1000:
            taken = lines
            print(lines, flush=True)
"""
"""Clients that follow a log and read all they get; it prints how many lines that were."""


def test_keys_beside_many_clients_that_follow_a_log(record: Record, hive_of_one: SpawnedHive) -> None:
    with hive_of(hive_of_one, 50) as agent:
        engine = EngineProcess(agent.host.paths.root, ("-m", "hivetui"))
        engine.start()
        argv = [sys.executable, "-c", FOLLOW, str(engine.socket), agent.name, str(FOLLOWERS)]
        with open_console(agent) as opened, subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as clients:
            with flood(agent, LINES_EACH, 30):
                opened.drain(5)
                times = opened.key_times(b"jk", KEYS)
            clients.kill()
            read = int(clients.communicate()[0].split()[-1])
        engine.end()
    assert read >= 5 * FOLLOWERS * LINES_EACH, "the clients were given lines"
    record(Figure("console, service with 50 clients and 5 000 log lines/s: key p99", "ms", at(times, 0.99), 12))


@pytest.mark.parametrize("lines", [1_000])
async def test_opening_a_review_of_the_real_console(record: Record, hive_of_one: SpawnedHive, lines: int) -> None:
    with hive_of(hive_of_one, 1) as agent:
        body = "\n".join(f'environment.variables.V{number} = "{number}";' for number in range(lines))
        commit = agent.commit(body)
        proposal = await LocalHive(agent.host, OPERATOR).submit(agent.name, commit)
        difference = ("git", "-C", str(agent.host.paths.applied_git(agent.name)), "diff", str(proposal.base), commit)
        began = monotonic()
        await asyncio.to_thread(lambda: subprocess.run(difference, check=True, capture_output=True))
        peer = (monotonic() - began) * 1000
        times = []
        with open_console(agent) as opened:
            opened.press(b"2")
            opened.wait_for("? pending")
            for _ in range(ROUNDS):
                opened.drain(1)
                opened.forget()
                began = opened.press(b"\r")
                times.append((opened.wait_for("environment.variables.V0 ") - began) * 1000)
                opened.press(b"q")
                opened.wait_for("? pending")
    record(Figure("console, review of 1 000 lines: on the screen", "ms", median(times), 80, "git diff", peer))


MANY_FILES, LINES_OF_EACH = 500, 100
_MOVES = {
    "by line": (b"jk", 16.0, 0.99, "p99"),
    "by page": (b"\x06\x02", 25.0, 0.99, "p99"),
    "to the next hunk": (b"]", 16.0, 0.95, "p95"),
}
"""The keys, the goal in milliseconds, and which share of all is meant."""


async def test_a_large_review_of_the_real_console(record: Record, hive_of_one: SpawnedHive) -> None:
    with hive_of(hive_of_one, 1) as agent:
        for number in range(MANY_FILES):
            lines = (f"environment.variables.F{number}L{line} = {'x' * 60};" for line in range(LINES_OF_EACH))
            (agent.host.paths.proposed(agent.name) / f"f{number:03}.nix").write_text("\n".join(lines))
        commit = agent.commit("  # many files")
        proposal = await LocalHive(agent.host, OPERATOR).submit(agent.name, commit)
        difference = ("git", "-C", str(agent.host.paths.applied_git(agent.name)), "diff", str(proposal.base), commit)
        began = monotonic()
        await asyncio.to_thread(lambda: subprocess.run(difference, check=True, capture_output=True))
        peer, times = (monotonic() - began) * 1000, []
        with open_console(agent) as opened:
            opened.press(b"2")
            opened.wait_for("? pending")
            before = opened.kilobytes()
            for _ in range(ROUNDS):
                opened.drain(2)
                opened.forget()
                began = opened.press(b"\r")
                times.append((opened.wait_for("many files") - began) * 1000)
                opened.wait_for("complete")
                opened.press(b"q")
                opened.wait_for("? pending")
            opened.press(b"\r")
            opened.wait_for("complete")
            opened.drain(SETTLED)
            grown = (opened.kilobytes() - before) / 1024
            for wrap in ("", ", wrapped"):
                for move, (keys, limit, share, name) in _MOVES.items():
                    taken = opened.key_times(keys, KEYS)
                    record(
                        Figure(f"console, review of 50 000 lines{wrap}: {move}, {name}", "ms", at(taken, share), limit)
                    )
                opened.press(b"w")
                opened.drain(1)
    record(Figure("console, review of 50 000 lines: first hunk", "ms", median(times), None, "git diff", peer, 3))
    record(Figure("console, review of 50 000 lines: memory", "MB", grown, 90))


def test_the_console_of_a_hive_with_a_service_and_a_verb(
    record: Record, hive_of_one: SpawnedHive, tmp_path: Path
) -> None:
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    with hive_of(hive_of_one, 50) as agent:
        engine = EngineProcess(agent.host.paths.root, ("-m", "hivetui"))
        engine.start()
        ours = [sys.executable, "-m", "hivetui", "--embedded", str(agent.host.paths.root)]
        verb = [*ours, "agents", "--json"]
        opened, minimal, listed, empty = [], [], [], []
        for _ in range(ROUNDS + 1):
            minimal += milliseconds_until(environment, [sys.executable, "-c", MINIMAL], b"PAINTED")
            opened += milliseconds_until(environment, ours, agent.name.encode())
            empty.append(milliseconds_of_an_empty_python(environment))
            began = monotonic()
            printed = subprocess.run(verb, env=environment, check=True, capture_output=True).stdout
            listed.append((monotonic() - began) * 1000)
            assert len(json.loads(printed)["agents"]) == 50
        engine.end()
    first, peer = median(opened[1:]), median(minimal[1:])
    record(Figure("start with a warm engine: agents listed", "ms", first, None, "minimal Textual", peer, 1.2))
    record(Figure("a verb, 50 agents", "ms", median(listed[1:]), None, "python -c pass", median(empty[1:]), 6))


@needs_sshd
async def test_a_round_trip_to_an_engine_elsewhere(
    record: Record, hive_of_one: SpawnedHive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    user = SshUser(tmp_path / "home")
    server = SshServer(tmp_path / "sshd", user.key)
    user.learn(server)
    with hive_of(hive_of_one, 1) as agent:
        engine = EngineProcess(agent.host.paths.root, ("-m", "hivetui"))
        engine.start()
        times = []
        for hive in (await engine.hive(), await over_ssh(server, engine.socket)):
            each = []
            for _ in range(200):
                began = monotonic()
                await hive.operations()
                each.append((monotonic() - began) * 1000)
            times.append(median(each))
            await hive.close()
        engine.end()
    await asyncio.to_thread(server.close)
    record(Figure("round trip through SSH", "ms", times[1], None, "the socket", times[0], 5))
