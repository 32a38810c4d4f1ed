"""A real door, `hivetui serve`, on the loopback: its engine serves a hive with one agent, its operators have keys."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from tests.conftest import EmbeddedAgent
from tests.console.conftest import Terminal
from tests.service.conftest import EngineProcess
from tests.waiting import until

ROOT = os.geteuid() == 0
DOOR_USER = "nobody" if ROOT else getpass.getuser()
"""The door becomes another user only where the tests may."""
SSH = shutil.which("ssh")
needs_ssh = pytest.mark.skipif(SSH is None, reason="ssh is not installed (openssh-client)")
_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+); host key ssh-ed25519 (SHA256:\S+)")
_OPENED_WAY = """
set -e
keep=$1 closed=$2; shift 2
mount --bind "$closed" "$keep"
mount -t tmpfs -o mode=755 tmpfs "$closed"
while [ "$1" != -- ]; do
    mkdir -p "$closed/$1"
    mount --bind "$keep/$1" "$closed/$1"
    shift
done
shift
exec "$@"
"""
"""In a mount namespace, a directory that only root may search is replaced by one with what is needed of it."""


def closed_directories() -> dict[Path, list[Path]]:
    """The directories that another user may not search, each with what this program needs of it."""
    found: dict[Path, list[Path]] = {}
    for needed in sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), Path(__file__).parents[2]}):
        closed = next((one for one in reversed(needed.parents) if not one.stat().st_mode & 0o001), None)
        if closed is not None:
            found.setdefault(closed, []).append(needed.relative_to(closed))
    return found


def as_anybody_may(argv: list[str], folder: Path) -> list[str]:
    """A command line with which this program can be run by other users too."""
    closed = closed_directories() if ROOT else {}
    if len(closed) > 1:
        pytest.skip(f"the user of the door may search neither of {', '.join(map(str, closed))}")
    for directory, needed in closed.items():
        keep = folder / "keep"
        keep.mkdir(mode=0o700, exist_ok=True)
        private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _OPENED_WAY, "sh"]
        argv = [*private, str(keep), str(directory), *map(str, needed), "--", *argv]
    return argv


def new_key(path: Path) -> asyncssh.SSHKey:
    """A key of a person, kept in a file as ssh wants it."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=f"{path.name}@laptop")
    path.touch(0o600)
    path.write_bytes(key.export_private_key())
    path.with_suffix(".pub").write_bytes(key.export_public_key())
    return key


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


@dataclass
class OpenDoor:
    """A door that listens: its port, its log, and how to knock."""

    folder: Path
    keys: dict[str, asyncssh.SSHKey]
    process: subprocess.Popen[str]
    port: int = 0
    host_key: str = ""
    lines: list[str] = field(default_factory=list)
    reading: threading.Thread | None = None
    clients: list[Terminal] = field(default_factory=list)

    def read_log(self) -> None:
        """Take its log line by line to the end."""
        assert self.process.stderr is not None
        with self.process.stderr as log:
            for line in log:
                self.lines.append(line)

    def said(self, *texts: str) -> str:
        """Wait until a line of the log has all of these; the line."""
        found = [""]

        def is_there() -> bool:
            found[0] = next((line for line in list(self.lines) if all(text in line for text in texts)), "")
            return bool(found[0]) or self.process.poll() is not None

        until(is_there)
        assert found[0], self.lines
        return found[0]

    def ssh_argv(self, user: str, *words: str, key: str | None = None, agent: str = "none") -> list[str]:
        assert SSH is not None
        options = (
            *("-F", "none", "-p", str(self.port), "-i", str(self.folder / (key or user))),
            *("-o", "IdentitiesOnly=yes", "-o", f"IdentityAgent={agent}", "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={self.folder}/known_hosts", "-o", "StrictHostKeyChecking=yes"),
        )
        return [SSH, *options, *words[:-1], f"{user}@127.0.0.1", *words[-1:]]

    def ssh(
        self, user: str, *options: str, key: str | None = None, agent: str = "none", **environment: str
    ) -> Terminal:
        """OpenSSH's client in a terminal."""
        own = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "HOME": str(self.folder), **environment}
        argv = [*self.ssh_argv(user, *options, "", key=key, agent=agent)][:-1]
        self.clients.append(Terminal(argv, own, columns=100, rows=30))
        return self.clients[-1]

    def run_ssh(self, user: str, *words: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """OpenSSH's client without a terminal, to its end; the last word is the command, or empty."""
        argv = [word for word in self.ssh_argv(user, *words, key=key) if word]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    async def connect(self, user: str, key: str | None = None) -> asyncssh.SSHClientConnection:
        """asyncssh's client, logged in."""
        chosen = self.keys[key or user]
        return await asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=user,
            client_keys=[chosen],
            known_hosts=None,
            agent_path=None,
            config=None,
        )

    def consoles(self) -> list[int]:
        """The processes of consoles: children of the warm parent."""
        (parent,) = children_of(self.pid)
        return children_of(parent)

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> int:
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        assert self.reading is not None
        self.reading.join()
        return status


def children_of(pid: int) -> list[int]:
    """The child processes of a process."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


OPERATORS = {"ada": "decide", "lois": "look"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the user of the door can search, as those above the temporary ones of pytest cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="hivetui-door-"))
    folder.chmod(0o755)
    (folder / "embedded.json").write_text("{}")  # the door looks for a hive, and finds its engine by the socket
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def keys(place: Path) -> dict[str, asyncssh.SSHKey]:
    """The keys of the operators, and one that is nobody's."""
    return {name: new_key(place / name) for name in (*OPERATORS, "stranger")}


def write_settings(place: Path, keys: dict[str, asyncssh.SSHKey], more: str = "") -> None:
    """Settings with the operators; `more` are keys of [serve]."""
    operators = "".join(
        f'[serve.operators.{name}]\nrole = "{role}"\nkeys = ["{public(keys[name])}"]\n'
        for name, role in OPERATORS.items()
    )
    text = f'[serve]\nlisten = "127.0.0.1:0"\nuser = "{DOOR_USER}"\n{more}\n{operators}'
    (place / "settings.toml").write_text(text)


def serve_argv(place: Path, *words: str) -> list[str]:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(place), "--config", str(place / "settings.toml")]
    return as_anybody_may([*argv, "serve", *words], place)


def run_serve(place: Path) -> subprocess.CompletedProcess[str]:
    """Run `hivetui serve` to its end, which comes at once if it cannot serve."""
    return subprocess.run(serve_argv(place), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def open_door(place: Path, keys: dict[str, asyncssh.SSHKey], *words: str) -> OpenDoor:
    """Start `hivetui serve` with the settings that are there."""
    process = subprocess.Popen(serve_argv(place, *words), stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    door = OpenDoor(place, keys, process)
    door.reading = threading.Thread(target=door.read_log, daemon=True)
    door.reading.start()
    match = _LISTENING.search(door.said("listening on"))
    assert match is not None
    door.port, door.host_key = int(match[1]), match[2]
    return door


class ServedHive:
    """The engine of a hive, and its socket where the door looks for it."""

    def __init__(self, agent: EmbeddedAgent, place: Path) -> None:
        self.agent, self._place = agent, place
        self.engine = EngineProcess(agent.host.paths.root)

    def start(self) -> None:
        """Start the engine; the settings of the door are its settings too."""
        self.engine.start("--config", str(self._place / "settings.toml"))
        self.link()

    def link(self) -> None:
        socket = self._place / "run/hyperhive/host.sock"
        socket.parent.mkdir(parents=True, exist_ok=True)
        socket.unlink(missing_ok=True)
        os.link(self.engine.socket, socket)


Opened = Callable[..., tuple[OpenDoor, ServedHive]]


@pytest.fixture
def opened(agent: EmbeddedAgent, place: Path, keys: dict[str, asyncssh.SSHKey]) -> Iterator[Opened]:
    """Opens a door with an engine behind it: `opened(*words)`, with more words on the command line of `serve`."""
    doors: list[OpenDoor] = []
    hives: list[ServedHive] = []

    def open_one(*words: str) -> tuple[OpenDoor, ServedHive]:
        write_settings(place, keys)
        hives.append(ServedHive(agent, place))
        hives[-1].start()
        doors.append(open_door(place, keys, *words))
        learn_host_key(doors[-1], place)
        return doors[-1], hives[-1]

    yield open_one
    for door in doors:
        door.end()
    for hive in hives:
        hive.engine.end_if_running()


def learn_host_key(door: OpenDoor, place: Path) -> None:
    key = asyncssh.read_private_key(place / "var/lib/hyperhive/door/host_key")
    assert key.get_fingerprint() == door.host_key
    (place / "known_hosts").write_text(f"[127.0.0.1]:{door.port} {public(key)}\n")
