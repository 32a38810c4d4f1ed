"""The program as a process that does not import its modules: a fork of one that has them.

The imports take a second of a processor, more than what most tests look at. A warm process is as any other for who
sees it from outside: it has its own session, terminal, environment, signals and exit status, and runs
`python -m hivetui` from its first line. Only its parent is another process. Tests of the start itself, of what another
module does, or of the interpreter, start a cold one. What a warm program starts is warm, too.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from hivetui.embedded import host
from tests.waiting import until
from tests.warm import launcher


class WarmProgram:
    """A process as `subprocess.Popen` has it."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], streams: int, stderr: int, is_controlled: bool
    ) -> None:
        """`streams` is its stdin and stdout; `stderr` that or PIPE; `is_controlled`: by that terminal."""
        self.stderr: IO[bytes] | None = None
        self.returncode: int | None = None
        written = streams
        if stderr == subprocess.PIPE:
            reader, written = os.pipe()
            self.stderr = os.fdopen(reader, "rb")
        self._status, status = os.pipe()
        request = launcher.encode(("hivetui", *words), [0, 1, 2], environment, is_controlled)
        _server().start(request, (status, streams, streams, written))
        os.close(status)
        if written != streams:
            os.close(written)
        self.pid = int.from_bytes(os.read(self._status, 4), "big")

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = int.from_bytes(os.read(self._status, 4), "big", signed=True)
            os.close(self._status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"the program {self.pid}", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = WarmProgram | subprocess.Popen[bytes]


def start_warm(argv: Sequence[str], environment: Mapping[str, str], slave: int, stderr: int) -> Process:
    """Start `python -m hivetui …` on the terminal of which `slave` is the other side. `stderr`: that or PIPE."""
    assert argv[:3] == [sys.executable, "-m", "hivetui"]
    return WarmProgram(argv[3:], environment, slave, stderr, is_controlled=True)


def start_cold(argv: Sequence[str], environment: Mapping[str, str], slave: int, stderr: int) -> Process:
    """Start any program in the same way."""
    return subprocess.Popen(
        argv,
        stdin=slave,
        stdout=slave,
        stderr=stderr,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )


def warm(program: str) -> tuple[str, ...]:
    """The argv of a module or a script, before its own words, as a warm process."""
    return (sys.executable, "-IS", launcher.__file__, _server().path, program)


def use_warm_workers() -> None:
    """Let operations that this process starts on embedded hives be done by warm workers, from now on."""
    host.WORKER = warm("hivetui.embedded.worker")


class _Server:
    """The forking process of this test process. It ends with it."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="warm-")
        self.path = f"{self._folder}/socket"
        self._life, theirs = os.pipe()[::-1]
        argv = [sys.executable, "-m", "tests.warm.server", self.path, str(theirs), "-" * 4096]
        self._process = subprocess.Popen(argv, pass_fds=[theirs], stdin=subprocess.DEVNULL)
        os.close(theirs)
        until(Path(self.path).exists)

    def start(self, request: bytes, descriptors: tuple[int, ...]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connected:
            connected.connect(self.path)
            socket.send_fds(connected, [request], descriptors)

    def end(self) -> None:
        os.close(self._life)
        self._process.wait()
        shutil.rmtree(self._folder)


_servers: list[_Server] = []


def _server() -> _Server:
    if not _servers:
        _servers.append(_Server())
    return _servers[0]


def end_server() -> None:
    """End the forking process, if there is one. What it started goes on."""
    while _servers:
        _servers.pop().end()
