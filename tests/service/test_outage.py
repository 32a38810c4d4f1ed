"""A client of a hive elsewhere while the network between them is away: two network namespaces and a cable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from hivetui.engine.model.names import container_of
from tests.conftest import EmbeddedAgent
from tests.console.conftest import Terminal
from tests.service.conftest import EngineProcess
from tests.ssh_server import SSHD, SshUser, configure_sshd, make_host_key, needs_sshd
from tests.waiting import until

pytestmark = [needs_sshd, pytest.mark.slow, pytest.mark.timeout(240)]
_CLIENT, _SERVER, _PORT = "10.66.0.1", "10.66.0.2", 2200
"""Addresses that exist only in the two namespaces."""


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, timeout=30)


class Cable:
    """A network of two hosts, each a namespace of its own."""

    def __init__(self) -> None:
        self.here, self.there = (f"hivetui-{os.getpid()}-{side}" for side in ("here", "there"))

    def lay(self) -> None:
        for name in (self.here, self.there):
            _ip("netns", "add", name)
        _ip("-n", self.here, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.there)
        for name, address in ((self.here, _CLIENT), (self.there, _SERVER)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                _ip("-n", name, "link", "set", device, "up")

    def pull(self) -> None:
        _ip("-n", self.there, "link", "set", "cable", "down")

    def plug_in(self) -> None:
        _ip("-n", self.there, "link", "set", "cable", "up")

    def remove(self) -> None:
        for name in (self.here, self.there):
            _ip("netns", "del", name, check=False)


@pytest.fixture
def cable() -> Iterator[Cable]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and ip(8)")
    cable = Cable()
    try:
        cable.lay()
    except subprocess.CalledProcessError as error:
        cable.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    yield cable
    cable.remove()


@pytest.fixture
def home(tmp_path: Path, cable: Cable) -> Iterator[Path]:
    """The home of a user over here whose ssh knows the host over there as `far`; sshd runs there."""
    user = SshUser(tmp_path / "home")
    folder = tmp_path / "sshd"
    folder.mkdir()
    key = make_host_key(folder)
    config = configure_sshd(folder, user.key, f"ListenAddress {_SERVER}:{_PORT}")
    user.known_hosts.write_text(f"[{_SERVER}]:{_PORT} {key.export_public_key().decode().strip()}\n")
    user.configure("Host far", f"HostName {_SERVER}", f"Port {_PORT}")
    argv = ["ip", "netns", "exec", cable.there, str(SSHD), "-D", "-e", "-f", str(config)]
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        until(lambda: b"Server listening" in (folder / "log").read_bytes())
        yield tmp_path / "home"
        process.terminate()


def test_a_console_whose_line_is_away_for_ten_seconds_shows_then_what_happened_meanwhile(
    agent: EmbeddedAgent, engine: EngineProcess, cable: Cable, home: Path
) -> None:
    config = home / "hosts.toml"
    config.write_text(f'[hosts.far]\naddress = "far"\nsocket = "{engine.socket}"\n')
    program = [sys.executable, "-m", "hivetui", "--config", str(config), "--host", "far"]
    environment = {**os.environ, "HOME": str(home), "SSH_AUTH_SOCK": "", "TERM": "xterm-256color"}
    console = Terminal(["ip", "netns", "exec", cable.here, *program], environment)
    try:
        console.until(agent.name, "● running")
        cable.pull()
        stop(agent)
        console.until(agent.name, "● running")
        time.sleep(10)  # the outage itself
        cable.plug_in()
        console.until("○ stopped", seconds=120)
        console.gone("The line to far is gone")
        console.type("Q")
        assert console.ended() == 0
        assert console.is_restored()
    finally:
        console.close()


def stop(agent: EmbeddedAgent) -> None:
    """Stop the agent over there."""
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(agent.host.paths.root), "stop", agent.name]
    subprocess.run(argv, check=True, capture_output=True, timeout=100)


class Follower:
    """`hivetui --host far logs NAME --follow` over here; the numbers of the test's lines that it has printed."""

    def __init__(self, cable: Cable, home: Path, socket: Path, agent: str) -> None:
        config = home / "hosts.toml"
        config.write_text(f'[hosts.far]\naddress = "far"\nsocket = "{socket}"\n')
        self._printed = home / "printed"
        self._messages = home / "messages"
        words = ["--config", str(config), "--host", "far", "--json", "logs", agent, "--follow"]
        argv = ["ip", "netns", "exec", cable.here, sys.executable, "-m", "hivetui", *words]
        kept = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        with ExitStack() as streams:
            out, errors = (streams.enter_context(path.open("wb")) for path in (self._printed, self._messages))
            self._process = subprocess.Popen(argv, stdout=out, stderr=errors, env={**kept, "HOME": str(home)})

    def numbers(self) -> list[int]:
        assert self._process.poll() is None, self._messages.read_text()
        whole, _, _ = self._printed.read_text().rpartition("\n")
        texts = [str(json.loads(line)["text"]) for line in whole.splitlines()]
        return [int(text.removeprefix("line ")) for text in texts if text.startswith("line ")]

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.mark.parametrize("seconds", [10, 25])
def test_a_line_that_is_away_and_comes_back_loses_no_line_of_a_log_and_repeats_none(
    agent: EmbeddedAgent, engine: EngineProcess, cable: Cable, home: Path, seconds: int
) -> None:
    layout = Layout(str(agent.host.paths.root))
    follower = Follower(cable, home, engine.socket, agent.name)

    def write(*numbers: int) -> None:
        for number in numbers:
            journal.append(layout, container_of(agent.name), f"line {number}")

    write(0)
    until(lambda: follower.numbers() == [0])
    cable.pull()
    write(1, 2, 3)
    time.sleep(seconds)  # the outage itself: up to 15 s the connection survives it, then it is made again
    assert follower.numbers() == [0]
    cable.plug_in()
    write(4)
    until(lambda: follower.numbers()[-1:] == [4], seconds=120)
    assert follower.numbers() == [0, 1, 2, 3, 4]
    follower.end()
