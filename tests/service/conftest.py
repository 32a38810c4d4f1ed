"""Engines that serve the hive of a test: as a service on its socket, as a child of a client, and in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from hivetui.client.child_engine import ChildEngine
from hivetui.client.connection import Connection, ConnectionLost
from hivetui.client.destinations import Destination
from hivetui.client.hive import RemoteHive
from hivetui.client.ssh import SshRoute
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service
from hivetui.embedded import open_embedded
from hivetui.engine.api import Hive
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.addresses import Address
from hivetui.engine.model.settings import DeploySection, ReviewSection, Settings
from tests.conftest import EmbeddedAgent
from tests.free_names import free_names
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving
from tests.spawned_hive import SpawnedHive
from tests.ssh_server import USER, SshServer, SshUser, needs_sshd
from tests.waiting import until
from tests.warm.programs import Process, WarmProgram

_ANSWER_SECONDS = 30.0
TRANSPORTS = (
    "local",
    pytest.param("child", marks=pytest.mark.slow),  # every console in a terminal has one
    "service",
    pytest.param("ssh", marks=[needs_sshd, pytest.mark.slow]),
)


class EngineProcess:
    """`hivetui engine` on a hive, as a service manager would run it; or another program with the words of that."""

    def __init__(self, folder: Path, program: Sequence[str] | None = None, **environment: str) -> None:
        self.folder = folder
        self._program, self._environment = program, {**os.environ, **environment}
        self.socket = folder / "run/hyperhive/host.sock"
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str) -> None:
        words = ["--embedded", str(self.folder), *options, "engine"]
        if self._program is None:
            with Path(os.devnull).open("r+b") as nothing:
                files = nothing.fileno(), nothing.fileno()
                self._process = WarmProgram(words, self._environment, *files, is_controlled=False)
        else:
            argv = [sys.executable, *self._program, *words]
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=self._environment)
        until(self._listens)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def has_died(self) -> bool:
        """Whether the process is there no more."""
        return self._process is not None and self._process.poll() is not None

    def end(self) -> int:
        """End it as systemd does; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def end_if_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end()

    async def hive(self, role: str | None = None) -> RemoteHive:
        """A client's hive over the socket; it connects again after a loss."""

        async def connect() -> Connection:
            connected = connect_to_service(self.socket)
            if connected is None:
                raise ConnectionLost
            return await over_socket(connected)

        hive = RemoteHive(connect, role)
        await hive.open()
        return hive

    async def raw(self) -> RawClient:
        return await RawClient.connect(self.socket)

    def _listens(self) -> bool:
        """Whether it answers: the socket of an engine that was killed takes connections while a fork of it is left."""
        connected = connect_to_service(self.socket)
        if connected is None:
            return False
        with connected, suppress(OSError):
            connected.settimeout(_ANSWER_SECONDS)
            connected.sendall(b'{"id":1,"verb":"hello","schema":"hivetui/1"}\n')
            return connected.recv(1) == b"{"
        return False


@pytest.fixture
def engine(agent: EmbeddedAgent) -> Iterator[EngineProcess]:
    """The service of a hive with one running agent."""
    process = EngineProcess(agent.host.paths.root)
    process.start()
    yield process
    process.end_if_running()


@pytest.fixture(scope="session")
def hive_of_three(tmp_path_factory: pytest.TempPathFactory) -> SpawnedHive:
    """A hive with three running agents, whose builds take no time."""
    hive = SpawnedHive(tmp_path_factory.mktemp("three") / "h", free_names(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
        patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
        patch.setenv("HIVETUI_DEPLOY__HEALTH_SECONDS", "0")
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        hive.spawn()
    return hive


@pytest.fixture
def three(hive_of_three: SpawnedHive) -> Iterator[tuple[EmbeddedAgent, ...]]:
    """The agents of that hive."""
    settings = Settings(deploy=DeploySection(health_seconds=0), review=ReviewSection(preview_jobs=2))
    with hive_of_three.restored() as folder:
        host = open_embedded(folder, settings)
        yield tuple(EmbeddedAgent(host, name) for name in hive_of_three.agents)


@pytest.fixture
async def served(agent: EmbeddedAgent) -> AsyncIterator[Served]:
    """The service of the same hive, in this process."""
    async with serving(agent.host) as served:
        yield served


@pytest.fixture
async def client(served: Served) -> RawClient:
    """One connection to it, by root."""
    return await served.raw()


Open = Callable[[], Awaitable[Hive]]


@pytest.fixture
def ssh_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """A server that the user of the test may log in to and whose key is known."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    user = SshUser(tmp_path / "home")
    server = SshServer(tmp_path / "sshd", user.key)
    user.learn(server)
    yield server
    server.close()


async def over_ssh(server: SshServer, socket: Path) -> RemoteHive:
    """The hive of a service as a client on another host has it."""
    destination = Destination("lab", Address("127.0.0.1", USER, server.port), str(socket), None)
    hive = RemoteHive(SshRoute(destination, lambda line: None).connect, host="lab")
    await hive.open()
    return hive


@pytest.fixture(params=TRANSPORTS)
async def hive(request: pytest.FixtureRequest, agent: EmbeddedAgent) -> AsyncIterator[Hive]:
    """The hive of one agent by each way to it."""
    folder = agent.host.paths.root
    if request.param == "local":
        opened = LocalHive(agent.host, from_environment(os.environ))
        yield opened
        await opened.close()
    elif request.param == "child":
        child = ChildEngine(["--embedded", str(folder)])
        remote = RemoteHive(lambda: over_socket(child.take(), child.describe_end))
        await remote.open()
        yield remote
        await remote.close()
        await asyncio.to_thread(child.end)
    else:
        process = EngineProcess(folder)
        process.start()
        if request.param == "ssh":
            remote = await over_ssh(request.getfixturevalue("ssh_server"), process.socket)
        else:
            remote = await process.hive()
        yield remote
        await remote.close()
        process.end_if_running()
