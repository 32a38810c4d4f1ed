"""One console on the hives of several hosts, through real OpenSSH servers on the loopback, in a real terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import EmbeddedAgent
from tests.console.conftest import Home, Terminal
from tests.ssh_server import USER, SshServer, SshUser, needs_sshd

pytestmark = [needs_sshd, pytest.mark.slow]


@pytest.fixture
def user(tmp_path: Path) -> SshUser:
    return SshUser(tmp_path / "home")


@pytest.fixture
def servers(tmp_path: Path, user: SshUser) -> Iterator[dict[str, SshServer]]:
    """Three hosts, of which the user does not know the key of the last one."""
    servers = {name: SshServer(tmp_path / name, user.key) for name in ("lab", "attic", "cellar")}
    user.learn(servers["lab"], servers["attic"])
    yield servers
    for server in servers.values():
        server.close()


def section(name: str, port: int, folder: Path, environment: Mapping[str, str]) -> str:
    """The settings of a host on which an engine is started for the hive in a folder."""
    passed_on = [f"{key}={value}" for key, value in environment.items() if key.startswith(("HIVETUI", "PYTHONPATH"))]
    command = ["env", *passed_on, sys.executable, "-m", "hivetui", "--embedded", str(folder), "engine", "--stdio"]
    return f'[hosts.{name}]\naddress = "{USER}@127.0.0.1:{port}"\ncommand = {json.dumps(command)}\n'


@pytest.fixture
def console(home: Home, agent: EmbeddedAgent, servers: dict[str, SshServer], tmp_path: Path) -> Iterator[Terminal]:
    """The console on lab with two agents and on attic with one, and with cellar in its settings."""
    folders = {"lab": home.folder, "attic": agent.host.paths.root, "cellar": home.folder}
    settings = tmp_path / "settings.toml"
    settings.write_text(
        "".join(section(name, servers[name].port, folder, home.environment) for name, folder in folders.items())
    )
    words = ["--host", "lab", "--host", "attic", "--config", str(settings)]
    environment = home.environment | {"HOME": str(tmp_path / "home"), "SSH_AUTH_SOCK": ""}
    opened = Terminal([sys.executable, "-m", "hivetui", *words], environment)
    yield opened
    opened.close()


def list_hives(console: Terminal) -> None:
    """Wait until both hives that were named are connected, of which either may be in front on a busy machine."""
    console.until("0:hives")
    console.type("0")
    console.until("● in front", "● connected", "○ not connected")


def test_each_host_is_gone_to_by_a_key_and_one_that_is_lost_is_told_and_connected_to_again(
    console: Terminal, servers: dict[str, SshServer], home: Home, agent: EmbeddedAgent
) -> None:
    list_hives(console)
    assert servers["cellar"].logins == 0
    console.type("g\r")
    assert console.until(*home.agents, "running").startswith(" lab ")
    console.type("0")
    console.until("● in front", "● connected", "○ not connected")
    console.type("j\r")
    console.until(agent.name, "attic")
    assert console.gone(*home.agents).startswith(" attic ")
    home.commit(home.agents[0], "{ ... }: { }\n")
    home.run("submit", home.agents[0])
    console.until("0:hives(1)")
    console.when(lambda: b"777;notify;hivetui lab;" in console.written, wanted="a notification that names its hive")
    servers["lab"].close()
    console.until("▲ lab is away", "0:hives(1)")
    console.type("0")
    console.until("✗ lost")
    console.type("q")
    console.gone("✗ lost")
    console.type("q")
    assert console.ended() == 0
    assert console.is_restored()


def test_the_unknown_key_of_another_host_is_asked_about_in_the_console(
    console: Terminal, servers: dict[str, SshServer], user: SshUser, home: Home
) -> None:
    list_hives(console)
    before = user.known_hosts.read_text()
    console.type("G\r")
    console.until("is not known. Is this it?", servers["cellar"].key.get_fingerprint())
    console.settle()
    console.type("no")
    console.settle()
    console.type("\r")
    console.until("Type yes, or cancel.")
    assert user.known_hosts.read_text() == before
    console.type("\x15yes")
    console.settle()
    console.press("\r", gone="Is this it?")
    console.when(lambda: console.text.startswith(" cellar ") or "cellar ● connected" in console.text)
    if not console.text.startswith(" cellar "):  # on a busy machine its engine was too late the first time
        console.type("\r")
    console.when(lambda: console.text.startswith(" cellar "), wanted="the other hive")
    console.until(*home.agents, "running")
    assert user.known_hosts.read_text() == before + servers["cellar"].known_hosts_line
