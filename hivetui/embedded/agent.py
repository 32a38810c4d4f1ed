"""One agent of an embedded host: `agent CONTAINER FD`, started by systemctl, or `agent CONTAINER again`, by itself.

It starts once its unit names it, which a byte on stdin says. It reads the system that the container's profile points
to, answers HTTP on the web port of its identity (`/` returns its label, `/env` its environment as JSON), and writes a
log line every few seconds. It runs no script of the system, and only logs the services that a container would have
started. It writes READY to FD, or why it cannot start. It ends on SIGTERM, and when the directory of the host is gone;
by itself where its system says so, and when it takes too much memory.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from hivetui.embedded import journal, self_ending, units
from hivetui.embedded.agent_log import log_lines
from hivetui.embedded.layout import Layout

HOST = "127.0.0.1"
LOOK_SECONDS = 1.0
"""How often it checks that the directory of the host still exists, and shows that it is alive."""
REQUEST_SECONDS = 2.0


class System:
    """The parts of a built system that the agent uses."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.environment = dict(line.split("=", 1) for line in (path / "env").read_text().splitlines() if "=" in line)
        self.services = sorted(unit.stem for unit in (path / "units").glob("*.service"))
        self.broken = (path / "broken").exists()
        self.log_seconds = float((path / "talk-seconds").read_text() or 2)
        exits = path / "exit-seconds"
        self.exit_seconds = float(exits.read_text()) if exits.exists() else math.inf

    @property
    def label(self) -> str:
        """The agent's name."""
        return self.environment.get("HIVE_LABEL", "agent")


class Agent:
    """The agent's process: it answers requests, writes log lines, and handles signals."""

    def __init__(self, layout: Layout, container: str) -> None:
        self.layout, self.container = layout, container
        self.identity = layout.root.stat().st_ino
        self.system = System(layout.profile(container))
        self.ended = False

    def say(self, message: str, priority: int = 6, identifier: str = "harness") -> None:
        """Write a log line."""
        journal.append(self.layout, self.container, message, priority, identifier)

    def listen(self) -> socket.socket:
        """The socket of the web port. Raises ValueError with the reason."""
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
        """Start, and log it as an init would. Raises ValueError with the reason why not."""
        if self.system.broken:
            raise ValueError("init: panic: the system is broken")
        listening = self.listen()
        self.say(f"booting {self.system.path.name}", identifier="systemd")
        for service in self.system.services:
            self.say(f"Started {service}.service (simulated: its script does not run here).", identifier="systemd")
        self.say(f"harness of {self.system.label} listening on {listening.getsockname()[1]}")
        return listening

    def reload(self) -> None:
        """Read the system of the profile again, as switch-to-configuration does."""
        self.system = System(self.layout.profile(self.container))
        self.say(f"switched to {self.system.path.name}", identifier="systemd")

    def is_host_present(self) -> bool:
        """Whether the directory of the host is still the one the agent was started in."""
        try:
            return self.layout.root.stat().st_ino == self.identity and self.layout.units.is_dir()
        except OSError:
            return False

    def serve(self, listening: socket.socket, wake: socket.socket) -> None:
        """Answer and log until SIGTERM, until the host is gone, or until it ends by itself."""
        lines = log_lines(self.system.label)
        next_line = time.monotonic() + 0.2
        end = time.monotonic() + self.system.exit_seconds
        while not self.ended and self.is_host_present():
            units.show_life(self.layout, self.container)
            self._end_by_itself(end)
            pause = max(0.0, min(LOOK_SECONDS, next_line - time.monotonic(), end - time.monotonic()))
            ready = select.select([listening, wake], [], [], pause)[0]
            if wake in ready:
                self._handle_signals(wake.recv(64))
            if listening in ready:
                self._answer(listening)
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + self._log_next(lines)

    def _end_by_itself(self, end: float) -> None:
        if self_ending.exceeds_memory(self.layout, self.container):
            self_ending.die_of_memory(self.layout, self.container)
        elif time.monotonic() >= end:
            self.say("harness: exits with status 1", priority=3)
            self_ending.start_again(self.layout, self.container)

    def _log_next(self, lines: Iterator[tuple[int, str, str]]) -> float:
        priority, identifier, message = next(lines)
        self.say(message, priority, identifier)
        return self.system.log_seconds

    def _handle_signals(self, numbers: bytes) -> None:
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
        """The response to a request, of which only the first line counts."""
        words = request.split(b"\r\n", 1)[0].split(b" ")
        pages = {b"/": ("text/plain", self.system.label + "\n")}
        pages[b"/env"] = ("application/json", json.dumps(self.system.environment) + "\n")
        if len(words) != 3 or words[0] not in (b"GET", b"HEAD"):
            return _response("400 Bad Request", "text/plain", "only GET is supported\n")
        if words[1] not in pages:
            return _response("404 Not Found", "text/plain", "only / and /env exist\n")
        return _response("200 OK", *pages[words[1]])


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _wake_on_signals() -> socket.socket:
    """A socket from which the number of every received signal can be read (signal.set_wakeup_fd)."""
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.detach())
    return reading


def main(root: str, arguments: list[str]) -> int:
    """Run the agent of one container until it ends."""
    container, notify = arguments
    wake = _wake_on_signals()
    if notify != self_ending.AGAIN and os.read(0, 1) == b"":
        return 1  # its starter was killed
    layout = Layout(root)
    try:
        agent = Agent(layout, container)
        listening = agent.boot()
    except (ValueError, OSError) as failure:
        _report(layout, container, notify, str(failure))
        return 1
    _report(layout, container, notify, "READY")
    try:
        agent.serve(listening, wake)
    except FileNotFoundError:
        return 0  # the host was removed after the last check
    return 0


def _report(layout: Layout, container: str, notify: str, message: str) -> None:
    """Say how the start ended, to the systemctl that waits for it or, after a restart, in the state of the unit."""
    if notify == self_ending.AGAIN:
        self_ending.report_restart(layout, container, message)
        return
    os.write(int(notify), message.encode("utf-8", "surrogateescape"))
    os.close(int(notify))
