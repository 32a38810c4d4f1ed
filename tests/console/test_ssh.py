"""The console on a hive elsewhere: a real OpenSSH server on the loopback, in a real terminal."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from hivetui.engine.model.names import page_url, port_of
from tests.console.conftest import Home, Terminal
from tests.ssh_server import USER, SshServer, SshUser, needs_sshd

pytestmark = [needs_sshd, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    user = SshUser(tmp_path / "home")
    (tmp_path / "banner").write_text("Welcome to the lab\n")
    server = SshServer(tmp_path / "sshd", user.key, f"Banner {tmp_path}/banner")
    user.learn(server)
    yield server
    server.close()


@pytest.fixture
def over_terminal(home: Home, server: SshServer, tmp_path: Path) -> Iterator[Callable[[bool], Terminal]]:
    """Opens the console over SSH, with an engine that is started there; its stderr may be the terminal too."""
    engine = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder), "engine", "--stdio"]
    names = [name for name in home.environment if name.startswith(("HIVETUI", "PYTHONPATH"))]
    passed_on = [f"{name}={home.environment[name]}" for name in names]
    settings = tmp_path / "settings.toml"
    command = json.dumps(["env", *passed_on, *engine])
    settings.write_text(f'[hosts.lab]\naddress = "{USER}@127.0.0.1:{server.port}"\ncommand = {command}\n')
    argv = [sys.executable, "-m", "hivetui", "--host", "lab", "--config", str(settings)]
    environment = home.environment | {"HOME": str(tmp_path / "home"), "SSH_AUTH_SOCK": ""}
    opened: list[Terminal] = []

    def open_one(errors_too: bool = False) -> Terminal:
        opened.append(Terminal(argv, environment, errors_too=errors_too))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def elsewhere(over_terminal: Callable[[bool], Terminal]) -> Terminal:
    return over_terminal(False)


def test_agents_elsewhere_are_shown_and_a_lost_line_is_said_at_once_and_made_again(
    elsewhere: Terminal, server: SshServer, home: Home
) -> None:
    elsewhere.until("lab: Welcome to the lab")
    elsewhere.until(*home.agents, "running")
    server.cut()
    elsewhere.until("The line to lab is gone", seconds=5)
    home.run("stop", home.agents[0])
    elsewhere.gone("The line to lab is gone")
    elsewhere.until("stopped")
    elsewhere.type("q")
    assert elsewhere.ended() == 0
    assert elsewhere.is_restored()
    assert server.logins == 2


def test_w_forwards_the_web_page_of_an_agent_to_here_until_the_console_closes(elsewhere: Terminal, home: Home) -> None:
    home.start(*home.agents)
    elsewhere.until(*home.agents, "● running")
    elsewhere.gone("○ stopped")
    elsewhere.type("w")
    elsewhere.until("web page", "copied, if the terminal supports OSC 52")
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+/", elsewhere.text))
    assert url != page_url(port_of(min(home.agents)))
    assert base64.b64encode(url.encode()) in elsewhere.written
    with urlopen(url, timeout=20) as page:
        assert min(home.agents) in page.read().decode()
    elsewhere.type("Q")
    assert elsewhere.ended() == 0
    with pytest.raises(URLError):
        urlopen(url, timeout=20)


def test_a_console_whose_line_is_silent_closes_at_once(elsewhere: Terminal, server: SshServer, home: Home) -> None:
    elsewhere.until(*home.agents, "running")
    server.silence()
    elsewhere.type("q")
    assert elsewhere.ended(seconds=10) == 0
    assert elsewhere.is_restored()


def test_an_unknown_host_key_is_asked_about_on_a_terminal_and_recorded(
    over_terminal: Callable[[bool], Terminal], home: Home, tmp_path: Path, server: SshServer
) -> None:
    known_hosts = tmp_path / "home/.ssh/known_hosts"
    known_hosts.unlink()
    opened = over_terminal(True)
    opened.until(server.key.get_fingerprint(), "Type yes")
    opened.type("yes\r")
    opened.until(*home.agents)
    assert known_hosts.read_text() == server.known_hosts_line


def test_an_unknown_host_key_ends_the_console_with_69_and_the_terminal_as_it_was(
    elsewhere: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "home/.ssh/known_hosts").unlink()
    assert elsewhere.ended() == 69
    assert elsewhere.is_restored()
    assert "The host key of 127.0.0.1 is not known" in elsewhere.errors
