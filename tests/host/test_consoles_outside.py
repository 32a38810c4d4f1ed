"""Consoles of an operator elsewhere, by `--host` and through the door: killed in mid-build, with the engine too."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.console.conftest import Terminal
from tests.host import agents, builds
from tests.host.conftest import PROGRAM_PATH
from tests.host.machine import PROJECT, Machine

pytestmark = pytest.mark.host

DOOR = "hivetui-door.service"
DROP_IN = f"/run/systemd/system/{DOOR}.d/lab.conf"
SETTINGS = "/etc/hivetui/config.toml"
EXPOSURE_LIMIT = 2.5
"""`systemd-analyze security` of the door, which faces the network and needs no rights."""
BUILD_SECONDS = 60
PATIENCE = 240.0
"""An emulated machine takes a minute for what is at once on a real one."""


@pytest.fixture(scope="module")
def door(service: Machine, outside: dict[str, str]) -> Iterator[None]:
    """The door's unit is up, its operator is ada, and ssh from outside knows it as `door`, behind the host."""
    home = Path(outside["HOME"])
    key = home / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    operator = f'[serve.operators.ada]\nrole = "decide"\nkeys = ["{key.with_suffix(".pub").read_text().strip()}"]\n'
    service.write(SETTINGS, operator)
    service.sh("useradd --system --user-group --no-create-home --shell /usr/sbin/nologin hive-door")
    service.write(f"/run/systemd/system/{DOOR}", (PROJECT / "contrib/systemd" / DOOR).read_text())
    service.write(DROP_IN, f"[Service]\nExecStart=\nExecStart={PROGRAM_PATH} serve\nTimeoutStartSec=10min\n")
    service.sh(f"systemctl daemon-reload; systemctl restart hivetui.service; systemctl start {DOOR}", timeout=600)
    scanned = service.sh("ssh-keyscan -T 60 -p 2022 127.0.0.1 2>/dev/null").out
    with (home / ".ssh/known_hosts").open("a") as known_hosts:
        known_hosts.write(scanned)
    lines = ("Host door", "HostName 127.0.0.1", "Port 2022", "User ada", f"IdentityFile {key}", "ProxyJump lab")
    known = f"UserKnownHostsFile {home}/.ssh/known_hosts"
    with (home / ".ssh/config").open("a") as config:
        config.write("\n  ".join((*lines, known)) + "\n")
    yield
    service.sh(f"systemctl stop {DOOR}; rm -r {SETTINGS} /run/systemd/system/{DOOR}*; systemctl daemon-reload")
    service.sh("systemctl restart hivetui.service; userdel hive-door")


@dataclass(frozen=True)
class Way:
    """How a console is opened from elsewhere, and what of it is killed, given the host and its terminal."""

    argv: tuple[str, ...]
    kill: Callable[[Machine, Terminal], None]


def _kill_console(host: Machine, console: Terminal) -> None:
    console.process.kill()


def _kill_child_of_door(host: Machine, console: Terminal) -> None:
    warm = host.sh(f"pgrep -P {builds.main_pid(host, DOOR)}").out.split()
    assert len(warm) == 1
    children = host.sh(f"pgrep -P {warm[0]}").out.split()
    assert len(children) == 1, "one console is open"
    host.sh(f"kill -9 {children[0]}")
    console.ended(PATIENCE)


OWN = (sys.executable, "-m", "hivetui", "--host", "lab")
WAYS = {"host": Way(OWN, _kill_console), "door": Way(("ssh", "-tt", "-F", "CONFIG", "door"), _kill_child_of_door)}


@pytest.fixture
def open_console(outside: dict[str, str]) -> Iterator[Callable[[Way], Terminal]]:
    """Opens a console that way; all are closed at the end."""
    consoles: list[Terminal] = []
    environment = {**outside, "TERM": "xterm-256color", "PATH": outside["PATH"]}

    def opened(way: Way) -> Terminal:
        argv = [shutil.which(way.argv[0]) or way.argv[0], *way.argv[1:]]
        argv = [f"{outside['HOME']}/.ssh/config" if word == "CONFIG" else word for word in argv]
        consoles.append(Terminal(argv, environment))
        return consoles[-1]

    yield opened
    for console in consoles:
        console.close()


def _approve(console: Terminal, proposal: dict[str, Any]) -> None:
    number, name = proposal["id"], proposal["agent"]
    console.type("2")
    console.until("2:proposals*", f"#{number}", seconds=PATIENCE)
    console.type("\r")
    console.until(f"#{number} ", "d deny", "complete", "rules ran", seconds=PATIENCE)
    console.type("a")
    console.until(f"Approve #{number} of {name}?", seconds=PATIENCE)
    while f"Approve #{number} of {name}?" in console.text:  # what is pressed in its first moments answers nothing
        console.type("y")
        console.settle(5)


def _read_whole_output(console: Terminal, operation: int) -> None:
    """The screen of the operation, which is the newest, shows the first step of its build and that it succeeded."""
    console.type("3")
    console.until("3:operations*", str(operation), seconds=PATIENCE)
    console.type("\r")
    console.until(f"operation {operation}", "succeeded", seconds=PATIENCE)
    console.type("z")  # the whole screen for the log
    console.settle(5)
    console.type("g")
    console.until(f"step 1 of {BUILD_SECONDS}", seconds=PATIENCE)


def test_the_unit_of_the_door_shuts_it_off(service: Machine, door: None) -> None:
    shown = service.sh(f"systemd-analyze security {DOOR} --no-pager", check=False).out
    found = re.search(rf"Overall exposure level for {re.escape(DOOR)}: (\d+\.\d+)", shown)
    assert found, shown
    print(f"\nsystemd-analyze security {DOOR}: {found[1]}")
    assert float(found[1]) <= EXPOSURE_LIMIT


@pytest.mark.parametrize("name", WAYS)
def test_a_build_outlives_the_console_that_began_it_and_the_engine(
    service: Machine, nora: str, door: None, open_console: Callable[[Way], Terminal], name: str
) -> None:
    way = WAYS[name]
    console = open_console(way)
    console.until(nora, "running", seconds=PATIENCE)
    proposal = builds.slow_change(service, nora, BUILD_SECONDS, f"by {name}")
    _approve(console, proposal)
    operation = builds.wait_for_build(service, proposal)
    way.kill(service, console)
    killed = time.monotonic()
    builds.kill_engine(service)
    again = open_console(way)
    again.until(nora, seconds=PATIENCE)
    print(f"\nby {name}: the next console has the agents {time.monotonic() - killed:.0f} s after the kill")
    assert builds.wait_for_end(service, operation) == "succeeded"
    builds.assert_whole(service, operation, BUILD_SECONDS)
    assert agents.main(service, nora) == proposal["commit"]
    _read_whole_output(again, operation)
