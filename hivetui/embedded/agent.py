"""One agent of an embedded host: `agent CONTAINER FD`, started by systemctl and by nobody else.

It reads the system that the container's profile points at, answers HTTP on the web port of its identity (`/` is its
label, `/env` its environment as JSON), and writes a line of log every couple of seconds, as a coding agent at work
would. It runs no script of the system: it names the services that a container would have started. To FD it writes
READY, or why it cannot start. It ends on TERM, and by itself when the host's folder is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from hivetui.embedded import journal
from hivetui.embedded.agent_log import log_lines
from hivetui.embedded.layout import Layout

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0  # how often it looks whether its folder is still there
REQUEST_SECONDS = 2.0


class System:
    """What is read of a built system."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.environment = dict(line.split("=", 1) for line in (path / "env").read_text().splitlines() if "=" in line)
        self.services = sorted(unit.stem for unit in (path / "units").glob("*.service"))
        self.broken = (path / "broken").exists()
        self.talk_seconds = float((path / "talk-seconds").read_text() or 2)

    @property
    def label(self) -> str:
        """The agent's name."""
        return self.environment.get("HIVE_LABEL", "agent")


class Agent:
    """The process: a listening socket, a clock for its talk, and signals."""

    def __init__(self, layout: Layout, container: str) -> None:
        self.layout, self.container = layout, container
        self.identity = layout.root.stat().st_ino
        self.system = System(layout.profile(container))
        self.ended = False

    def say(self, message: str, priority: int = 6, identifier: str = "harness") -> None:
        """A line of log."""
        journal.say(self.layout, self.container, message, priority, identifier)

    def listen(self) -> socket.socket:
        """The socket of the web port; raises ValueError in words."""
        port = self.system.environment.get("HIVE_PORT", "")
        if not port.isdigit():
            raise ValueError("harness: HIVE_PORT is not in the environment of the system")
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, int(port)))
            listening.listen(16)
        except (OSError, OverflowError) as failure:
            listening.close()
            raise ValueError(f"harness: cannot listen on {HOST}:{port}: {failure}") from failure
        return listening

    def boot(self) -> socket.socket:
        """Come up, telling the journal as an init would; raises ValueError with why not."""
        if self.system.broken:
            raise ValueError("init: panic: the system is broken")
        listening = self.listen()
        self.say(f"booting {self.system.path.name}", identifier="systemd")
        for service in self.system.services:
            self.say(f"Started {service}.service (named only: no script runs here).", identifier="systemd")
        self.say(f"harness of {self.system.label} listening on {listening.getsockname()[1]}")
        return listening

    def reload(self) -> None:
        """Read the profile's system again, as switch-to-configuration would."""
        self.system = System(self.layout.profile(self.container))
        self.say(f"switched to {self.system.path.name}", identifier="systemd")

    def there(self) -> bool:
        """Whether the folder it was started in is still the same one."""
        try:
            return self.layout.root.stat().st_ino == self.identity and self.layout.units.is_dir()
        except OSError:
            return False

    def serve(self, listening: socket.socket, wake: socket.socket) -> None:
        """Answer and talk until a TERM or until the folder is gone."""
        lines = log_lines(self.system.label)
        next_line = time.monotonic() + 0.2
        while not self.ended and self.there():
            pause = max(0.0, min(LOOK_SECONDS, next_line - time.monotonic()))
            ready = select.select([listening, wake], [], [], pause)[0]
            if wake in ready:
                self._signals(wake.recv(64))
            if listening in ready:
                self._answer(listening)
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + self._talk(lines)

    def _talk(self, lines: Iterator[tuple[int, str, str]]) -> float:
        priority, identifier, message = next(lines)
        self.say(message, priority, identifier)
        return self.system.talk_seconds

    def _signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self.ended = True
            self.say("Received SIGTERM, shutting down.", identifier="systemd")
        elif signal.SIGHUP in numbers:
            self.reload()

    def _answer(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(REQUEST_SECONDS)
            try:
                connection.sendall(self.response(connection.recv(8192)))
            except OSError as failure:
                self.say(f"a request ended early: {failure}", priority=7)

    def response(self, request: bytes) -> bytes:
        """The whole answer to a request's first line."""
        words = request.split(b"\r\n", 1)[0].split(b" ")
        pages = {b"/": ("text/plain", self.system.label + "\n")}
        pages[b"/env"] = ("application/json", json.dumps(self.system.environment) + "\n")
        if len(words) != 3 or words[0] not in (b"GET", b"HEAD"):
            return _response("400 Bad Request", "text/plain", "only GET is answered here\n")
        if words[1] not in pages:
            return _response("404 Not Found", "text/plain", "there are / and /env\n")
        return _response("200 OK", *pages[words[1]])


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _wake_on_signals() -> socket.socket:
    """A socket on which the number of every signal that came can be read (signal.set_wakeup_fd)."""
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.detach())
    return reading


def main(root: str, arguments: list[str]) -> int:
    """Be the agent of one container."""
    container, notify = arguments[0], int(arguments[1])
    wake = _wake_on_signals()
    try:
        agent = Agent(Layout(root), container)
        listening = agent.boot()
    except (ValueError, OSError) as failure:
        os.write(notify, str(failure).encode(errors="replace"))
        return 1
    os.write(notify, b"READY")
    os.close(notify)
    try:
        agent.serve(listening, wake)
    except FileNotFoundError:
        return 0  # the folder went away between a look and a line of log
    return 0
