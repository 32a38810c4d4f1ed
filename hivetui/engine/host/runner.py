"""Running programs: `Processes` is the one `Runner`. Each child has a session of its own and is always waited for.

Output is read in large chunks and split here, so that a flood stays cheap and a line without an end stays bounded. When
a time limit passes or the caller is cancelled, the whole group gets SIGTERM, then SIGKILL, and with it the descendants
that left the group (a builder of nix does).
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from hivetui.engine.host import files
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.model.errors import CommandFailed, HiveError, NotAllowed, Unavailable

CHUNK_BYTES = 256 * 1024
LONGEST_LINE = 64 * 1024
"""Bytes of one line that are kept; what is beyond is counted and dropped."""
_DRAIN_SECONDS = 1.0  # how long output may go on coming from what a program left behind
_POLL_SECONDS = 0.02
_END_ROUNDS = 5
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that begin no character
_TELLING_LINES = 15

_INSTALL = {
    "git": "Add pkgs.git to environment.systemPackages, or set HYPERHIVE_GIT to the program.",
    "nix": "Install nix; on NixOS it is always there, so look at PATH.",
    "nix-env": "Install nix; on NixOS it is always there, so look at PATH.",
    "nixos-container": "Set boot.enableContainers = true in the host's configuration and rebuild it.",
    "systemctl": "This takes a host that systemd runs; try the embedded hive with --embedded DIR.",
    "journalctl": "This takes a host that systemd runs; try the embedded hive with --embedded DIR.",
    "machinectl": "This takes a host that systemd runs; try the embedded hive with --embedded DIR.",
}


class ProcessRunner:
    """Runs programs: `environment` is for commands without one of their own, `grace` the seconds before SIGKILL.

    Each child has a session of its own, so that none can reach our terminal. With `in_our_session`, for a process that
    leads a session without a terminal, it has only a group of its own: what outlives us is then found by our session.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, grace: float = 5.0, in_our_session: bool = False
    ) -> None:
        self._environment = None if environment is None else dict(environment)
        self._grace, self._in_our_session = grace, in_our_session

    def in_our_session(self) -> ProcessRunner:
        """The same, for a process that leads a session without a terminal."""
        return ProcessRunner(self._environment, self._grace, in_our_session=True)

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        """Run to the end, whatever its status; Unavailable or NotAllowed when it could not begin."""
        process = _spawn(command, self._environment, self._in_our_session)
        child = _Child(process, command.keep, sink)
        timed_out = False
        try:
            async with asyncio.timeout(command.timeout):
                await child.finished()
        except TimeoutError:
            timed_out = True
        finally:
            await _uninterrupted(child.close(self._grace))
        return Completed(command, child.status, child.output.end, child.errors.end, timed_out)


async def run_checked(host: Host, command: Command) -> Completed:
    """Run without telling anyone its lines; CommandFailed unless it ends with 0."""
    completed = await host.runner.run(command)
    if completed.status != 0:
        raise command_failed(completed)
    return completed


def command_failed(completed: Completed) -> CommandFailed:
    """What to tell of a program that did not end with 0: its name, how it ended, and the end of what it said."""
    program = " ".join(Path(word).name if at == 0 else word for at, word in enumerate(completed.command.argv[:3]))
    said = (completed.stderr.strip() or completed.stdout.strip()).decode("utf-8", "backslashreplace")
    why = "\n".join(said.splitlines()[-_TELLING_LINES:])[-4000:]
    no_room = files.disk_full_error(said)
    return CommandFailed(f"`{program}` {_how(completed)}", why, files.fix_for(no_room) if no_room else "")


def _how(completed: Completed) -> str:
    if completed.timed_out:
        return f"was ended: it took longer than {completed.command.timeout:g} seconds"
    if completed.status >= 0:
        return f"ended with status {completed.status}"
    try:
        return f"was ended by {signal.Signals(-completed.status).name}"
    except ValueError:
        return f"was ended by signal {-completed.status}"


_LIVING: set[int] = set()  # leaders of the groups of what runs


def kill_all() -> None:
    """End all that runs, from any thread and without waiting: for a process that is about to end itself."""
    for group in tuple(_LIVING):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


class _Child:
    """One running program: its process, its group and its two streams, which are read from the start."""

    def __init__(self, process: subprocess.Popen[bytes], keep: int, sink: LineSink | None) -> None:
        self._process = process
        _LIVING.add(process.pid)
        self._pidfd = os.pidfd_open(process.pid)
        self.output = _Stream("stdout", process.stdout, keep, sink)
        self.errors = _Stream("stderr", process.stderr, keep, sink)
        self._reading = asyncio.gather(self.output.read(), self.errors.read())
        self._reading.add_done_callback(_heard)
        self.status = 0

    async def finished(self) -> None:
        """Wait for the program and its output, but not for ever for the output of what it left behind."""
        gone = asyncio.ensure_future(_readable(self._pidfd))
        try:
            both: list[asyncio.Future[Any]] = [gone, self._reading]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._reading.done():
                self._reading.result()  # a sink that raised ends the program
            await gone
        finally:
            gone.cancel()
        await asyncio.wait([self._reading], timeout=_DRAIN_SECONDS)
        if self._reading.done():
            self._reading.result()

    async def close(self, grace: float) -> None:
        """End what still runs, SIGTERM and after `grace` seconds SIGKILL, read what it still said, and reap it."""
        strays = () if self._exited() else _descendants(self._process.pid)
        lives = self._group_lives()
        try:
            if lives:
                self._signal_group(signal.SIGTERM)
                await self._group_gone(grace)
        finally:
            self._signal_group(signal.SIGKILL)
            for stray in strays:
                stray.kill()
            self.status = self._process.wait()
            _LIVING.discard(self._process.pid)
        await self._stop_reading(_DRAIN_SECONDS if lives else 0)
        os.close(self._pidfd)

    async def _stop_reading(self, seconds: float) -> None:
        await asyncio.wait([self._reading], timeout=seconds)
        self._reading.cancel()
        await asyncio.wait([self._reading])

    def _exited(self) -> bool:
        return self._process.poll() is not None

    def _group_lives(self) -> bool:
        """Whether the program or anything in its group runs; the kernel keeps the number while it has members."""
        return not self._exited() or (self._signal_group(0) and _members(self._process.pid))

    async def _group_gone(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._group_lives() and time.monotonic() < until:  # noqa: ASYNC110  the kernel tells nobody
            await asyncio.sleep(_POLL_SECONDS)

    def _signal_group(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # a member runs as another user: nothing we could end
            return number != 0
        return True


def _heard(reading: asyncio.Future[Any]) -> None:
    """What ended it is told by `finished`; when nobody waits for that any more, asyncio has nothing to say of it."""
    if not reading.cancelled():
        reading.exception()


class _Stream:
    """One pipe of a program: split into lines for the sink, its end kept, what is too long cut and counted."""

    def __init__(self, name: str, pipe: IO[bytes] | None, keep: int, sink: LineSink | None) -> None:
        assert pipe is not None
        self._name, self._pipe, self._keep, self._sink = name, pipe, keep, sink
        self._kept, self._carry, self._cut = bytearray(), b"", 0
        os.set_blocking(pipe.fileno(), False)

    @property
    def end(self) -> bytes:
        """The last `keep` bytes of all that came."""
        return bytes(self._kept[max(0, len(self._kept) - self._keep) :])

    async def read(self) -> None:
        """Read until the last writer has closed it."""
        with self._pipe:
            while chunk := await self._chunk():
                self._remember(chunk)
                if self._sink is not None:
                    self._split(chunk, self._sink)
            if self._sink is not None and self._carry:
                self._tell(self._carry.decode("utf-8", "backslashreplace"), self._sink)

    async def _chunk(self) -> bytes:
        while True:
            await _readable(self._pipe.fileno())
            with suppress(BlockingIOError):
                return os.read(self._pipe.fileno(), CHUNK_BYTES)

    def _remember(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 2 * self._keep:
            del self._kept[: len(self._kept) - self._keep]

    def _split(self, chunk: bytes, sink: LineSink) -> None:
        whole, newline, rest = chunk.rpartition(b"\n")
        if newline:
            first, more, others = whole.partition(b"\n")
            self._carry_on(first)
            self._tell(self._carry.decode("utf-8", "backslashreplace"), sink)
            if more:
                for line in others.decode("utf-8", "backslashreplace").split("\n"):
                    self._tell(line, sink)
        self._carry_on(rest)

    def _carry_on(self, part: bytes) -> None:
        """Add to the line that has no end yet, up to the limit; what is beyond is counted in characters."""
        room = LONGEST_LINE - len(self._carry)
        while 0 < room < len(part) and part[room] in _CONTINUATION:
            room -= 1  # never a half character
        self._carry += part[:room]
        self._cut += len(part[room:].translate(None, _CONTINUATION))

    def _tell(self, line: str, sink: LineSink) -> None:
        text, cut = line.removesuffix("\r"), self._cut
        self._carry, self._cut = b"", 0
        if len(text) > LONGEST_LINE:
            text, cut = text[:LONGEST_LINE], cut + len(text) - LONGEST_LINE
        sink(self._name, text, cut)


class _Stray:
    """A descendant of a program, known by its start so that another process of the same number is never meant."""

    def __init__(self, pid: int, started: int) -> None:
        self.pid, self.started = pid, started

    def kill(self, wait: float = 0.0) -> None:
        """SIGKILL, if it still runs; wait for its end for so many seconds."""
        with suppress(ProcessLookupError, PermissionError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if (found := process_stat(self.pid)) is not None and found.started == self.started:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    select.select([descriptor], [], [], wait)
            finally:
                os.close(descriptor)


class ProcessStat(NamedTuple):
    """What proc(5) tells of a process; `started` is in clock ticks since boot."""

    state: str
    parent: int
    group: int
    session: int
    started: int


def process_stat(pid: int) -> ProcessStat | None:
    """The process of this number, None when there is none; number and start together are used once only."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ProcessStat(fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def _all() -> dict[int, ProcessStat]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {pid: stat for pid in pids if (stat := process_stat(pid)) is not None}


def _members(group: int) -> bool:
    """Whether anything of the group runs; what has ended and waits for its parent does not count."""
    return any(stat.group == group and stat.state != "Z" for stat in _all().values())


def boot_id() -> str:
    """The kernel's name for the time since the host came up (proc_sys_kernel(5), random/boot_id)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def end_session(leader: int, since: int) -> None:
    """Kill what is left of the session of a process that is gone and had started at `since`, and wait for it.

    Only for a process of this boot. The kernel gives its number to nobody while the session has members: when
    another process has it by now, a session of that number is that other's.
    """
    if (now := process_stat(leader)) is not None and now.started != since:
        return
    for _ in range(_END_ROUNDS):  # a member may have made another one meanwhile
        left = [
            _Stray(pid, stat.started)
            for pid, stat in _all().items()
            if stat.session == leader and stat.started >= since and stat.state != "Z"
        ]
        if not left:
            return
        for stray in left:
            stray.kill(wait=1.0)


def _descendants(pid: int) -> tuple[_Stray, ...]:
    """Children of children of ... `pid` as they are now."""
    stats = _all()
    children: dict[int, list[int]] = {}
    for child, stat in stats.items():
        children.setdefault(stat.parent, []).append(child)
    found, waiting = [], list(children.get(pid, ()))
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], ())
    return tuple(_Stray(child, stats[child].started) for child in found)


def _spawn(command: Command, environment: Mapping[str, str] | None, our_session: bool) -> subprocess.Popen[bytes]:
    """Start it in a group of its own; its input is a file in memory, so that nothing waits for it to be read."""
    env = environment if command.env is None else command.env
    try:
        with _input(command.stdin) as stdin:
            return subprocess.Popen(
                command.argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=command.cwd,
                env=env,
                start_new_session=not our_session,
                process_group=0 if our_session else None,
                pass_fds=command.pass_fds,
            )
    except OSError as error:
        raise _could_not_start(command, error) from error


def _input(data: bytes) -> IO[bytes]:
    if not data:
        return Path(os.devnull).open("rb")
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(data)
    file.seek(0)
    return file


def _could_not_start(command: Command, error: OSError) -> HiveError:
    program, why = command.argv[0], error.strerror or str(error)
    if command.cwd is not None and not command.cwd.is_dir():
        return Unavailable(f"{program} could not be run in {command.cwd}", "There is no such folder.", "")
    if isinstance(error, PermissionError):
        return NotAllowed(f"{program} could not be run", why, "Look at the permissions of that program.")
    if isinstance(error, FileNotFoundError):
        fix = _INSTALL.get(Path(program).name, f"Install {Path(program).name}, or put it on PATH.")
        return Unavailable(f"The program {program} is not there", "It was not found on PATH.", fix)
    return Unavailable(f"{program} could not be run", why, "Run hivetui doctor to see whether this host is fit.")


async def _readable(descriptor: int) -> None:
    """Wait until reading from it would not block."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _uninterrupted(work: Coroutine[Any, Any, None]) -> None:
    """Do it to its end even when the caller is cancelled meanwhile; then the cancel goes on."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    task.result()
