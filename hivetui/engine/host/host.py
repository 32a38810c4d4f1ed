"""What the engine stands on: places, settings, tools, a clock, and a way to run programs.

A `Host` is made once, at the edge (`hive.open_real`, `sandbox.open_embedded`, a test), and handed down. A room that
needs the time, a path, a program or the environment takes it from here and from nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hivetui.engine.host.paths import Paths
from hivetui.engine.model.settings import Settings

LineSink = Callable[[str, str, int], None]
"""Takes ("stdout" | "stderr", text without its end, count of characters that were cut)."""


@dataclass(frozen=True)
class Command:
    """A program to run: argv, and all that may differ from the plain case.

    `env` is the whole environment of the child, None for the host's. `timeout` is in seconds. `keep` bounds how many
    bytes of each stream `Completed` keeps (the end of it); the sink sees every line. `pass_fds` are kept open.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    stdin: bytes = b""
    timeout: float | None = None
    keep: int = 1 << 20
    pass_fds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completed:
    """How a program ended: `status` is negative for a signal, as in subprocess."""

    command: Command
    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False

    @property
    def text(self) -> str:
        """Standard output as text, undecodable bytes escaped."""
        return self.stdout.decode("utf-8", "backslashreplace")


class Runner(Protocol):
    """Runs programs, each in a process group of its own.

    On a timeout or a cancellation the whole group gets SIGTERM, then SIGKILL, and so do descendants that left it. Both
    methods raise Unavailable or NotAllowed when the program cannot be started.
    """

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        """Run to the end, whatever the status; every line goes to `sink` as it comes."""
        ...

    def stream(self, command: Command) -> AsyncGenerator[bytes, None]:
        """Standard output in chunks of at most `output.CHUNK_BYTES`, read only when the reader asks for the next one.

        A slow reader therefore holds the program up, and one that closes the generator ends it. CommandFailed at the
        end unless the status is 0, and when nothing comes for `command.timeout` seconds.
        """
        ...


@dataclass(frozen=True)
class Tools:
    """Where each program of the host is: a prefix of an argv."""

    git: tuple[str, ...] = ("git",)
    nix: tuple[str, ...] = ("nix",)
    nix_env: tuple[str, ...] = ("nix-env",)
    nixos_container: tuple[str, ...] = ("nixos-container",)
    systemctl: tuple[str, ...] = ("systemctl",)
    journalctl: tuple[str, ...] = ("journalctl",)
    machinectl: tuple[str, ...] = ("machinectl",)
    systemd_run: tuple[str, ...] | None = ("systemd-run",)  # None: no transient units here


@dataclass(frozen=True)
class Host:
    """One host: everything that is not logic."""

    paths: Paths
    settings: Settings
    runner: Runner
    tools: Tools = Tools()
    embedded: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    worker: tuple[str, ...] = ()  # argv of the program that runs one operation; its folder is appended


class Progress(Protocol):
    """What lifecycle work tells while it goes on; an operation's record is one, a list in a test another."""

    def step(self, name: str) -> None:
        """A new step begins."""
        ...

    def say(self, text: str) -> None:
        """A line of the engine's own talk."""
        ...

    async def run(self, command: Command) -> Completed:
        """Run a program with its argv and every line in the record; CommandFailed unless it ends with 0."""
        ...
