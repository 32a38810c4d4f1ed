"""What the engine needs of the machine: paths, settings, programs, a clock, and a way to run programs.

A `Host` is created once, where the hive is opened (`system_host.real_host`, `embedded.opening`, a test), and passed
down. Code that needs the time, a path, a program or the environment takes it from the `Host` and from nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from hivetui.engine.host.paths import Paths
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.host.usage import CgroupMeter, UsageMeter
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.settings import Settings

LineSink = Callable[[str, str, int], None]
"""Called for each line with "stdout" or "stderr", the text without its line end, and how many characters were cut."""
LineTranslator = Callable[[str, int], Iterable[tuple[str, int]]]
"""Makes of a line, and of how many characters were cut from it, the lines that take its place, each with its count."""


@dataclass(frozen=True)
class Command:
    """A program to run.

    `env` is the complete environment of the child, None for the host's. `timeout` is in seconds. `keep` is how many
    bytes of the end of each stream `Completed` has; the sink gets every line. `pass_fds` stay open in the child. A
    person is told when one takes long that is `awaited`. `translate` is for a program whose standard error is written
    for machines: the sink and `Completed` get what it makes of each line.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    stdin: bytes = b""
    timeout: float | None = None
    keep: int = 1 << 20
    pass_fds: tuple[int, ...] = ()
    awaited: bool = True
    translate: LineTranslator | None = None


@dataclass(frozen=True)
class Completed:
    """How a program ended; `status` is the negative number of the signal that ended it, as in subprocess."""

    command: Command
    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False

    @property
    def text(self) -> str:
        """Standard output as text, in which bytes that are not UTF-8 are lone surrogates (PEP 383)."""
        return self.stdout.decode("utf-8", "surrogateescape")


class Runner(Protocol):
    """Runs programs, each in a process group of its own.

    On a timeout or a cancellation the whole group gets SIGTERM, then SIGKILL. Both methods raise Unavailable or
    NotAllowed when the program cannot be started.
    """

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        """Run to the end, whatever the status; every line goes to `sink` as it comes.

        Without a sink, what a program that ends with 0 wrote to standard error is reported to `tool_messages`.
        On a timeout or a cancellation descendants that left the group are killed too.
        """
        ...

    def stream(self, command: Command, sink: LineSink | None = None) -> AsyncGenerator[bytes, None]:
        """Standard output in chunks of at most `output.CHUNK_BYTES`, read only when the reader asks for the next one.

        A slow reader therefore holds the program up, and one that closes the generator ends it. Lines of
        standard error go to `sink` as they come, and without one as for `run`. CommandFailed at the
        end unless the status is 0, and when nothing comes for `command.timeout` seconds.
        """
        ...


@dataclass(frozen=True)
class Tools:
    """How each program of the host is started: a prefix of its argv."""

    git: tuple[str, ...] = ("git",)
    nix: tuple[str, ...] = ("nix",)
    nix_env: tuple[str, ...] = ("nix-env",)
    nixos_container: tuple[str, ...] = ("nixos-container",)
    systemctl: tuple[str, ...] = ("systemctl",)
    journalctl: tuple[str, ...] = ("journalctl",)
    machinectl: tuple[str, ...] = ("machinectl",)
    ssh_keygen: tuple[str, ...] = ("ssh-keygen",)
    systemd_run: tuple[str, ...] | None = ("systemd-run",)  # None: the host has no transient units


@dataclass(frozen=True)
class Host:
    """One host of a hive.

    `environment` is that of child processes. `worker` is the argv of the program that performs an operation, to which
    its directory and descriptors are appended; empty for the engine's own. `unit_source` makes what tells of changes of
    units, instead of systemd. `open_meter` measures what a unit uses, by its name and the PID of its main process.
    `ssh_agent` is the socket of the operator's SSH agent, given to ssh-keygen only.
    """

    paths: Paths
    settings: Settings
    runner: Runner
    tools: Tools = Tools()
    embedded: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    worker: tuple[str, ...] = ()
    ssh_agent: str | None = None
    unit_source: Callable[[], UnitSource] | None = None
    open_meter: Callable[[str, int], UsageMeter] = CgroupMeter


class Progress(Protocol):
    """Where an operation reports what it does; `operations.record.Record` writes it to disk."""

    def step(self, name: str) -> None:
        """Begin a new step."""
        ...

    def say(self, text: str) -> None:
        """Report a message of the engine itself, one line."""
        ...

    async def run(self, command: Command) -> Completed:
        """Run a program and report its argv and every line; CommandFailed unless its status is 0."""
        ...

    def report_build(self, read: Callable[[], BuildProgress]) -> None:
        """Report that a build has come further; `read` gives its progress and is called when that is written."""
        ...
