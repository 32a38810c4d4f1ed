"""A real terminal for a benchmark: a pty of 160x48 with a program in it, keys written, answers read back."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Terminal:
    """The program's pid, our end of its pty, how many bytes a second we take (None: all), and what came."""

    pid: int
    fd: int
    rate: float | None = None
    tail: bytes = b""
    taken: int = 0
    began: float = field(default_factory=monotonic)

    def read_until(self, token: bytes, seconds: float = 20) -> float:
        """Read until a token was painted; tells when."""
        deadline = monotonic() + seconds
        while token not in self.tail:
            assert monotonic() < deadline, f"{token!r} was not painted: {self.tail[-300:]!r}"
            self._read(0.1)
        self.tail = self.tail[self.tail.index(token) + len(token) :]
        return monotonic()

    def drain(self, seconds: float) -> None:
        """Read on for some time."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        size = 65536 if self.rate is None else self._allowed(seconds)
        if size and select.select([self.fd], [], [], seconds)[0]:
            data = os.read(self.fd, size)
            self.taken += len(data)
            self.tail = (self.tail + data)[-65536:]

    def _allowed(self, seconds: float) -> int:
        assert self.rate is not None
        allowed = int((monotonic() - self.began) * self.rate) - self.taken
        if allowed > self.rate / 5:  # an idle line saves nothing up
            self.began, self.taken, allowed = monotonic(), 0, int(self.rate / 50)
        if allowed < 256:
            select.select([], [], [], min(seconds, 256 / self.rate))
            return 0
        return min(allowed, 4096)

    def key_times(self, count: int, pause: tuple[float, float] = (0.02, 0.06)) -> list[float]:
        """Milliseconds from each key to its answer, sorted; pauses between are random, so that no period is hit."""
        dice = random.Random(1)
        times = []
        for number in range(1, count + 1):
            self.drain(dice.uniform(*pause))
            began = monotonic()
            os.write(self.fd, b"j")
            times.append((self.read_until(b"K%06d;" % number) - began) * 1000)
        return sorted(times)

    def cpu_seconds(self) -> float:
        """What the program has used of a core since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def cpu_share(self, seconds: float) -> float:
        """Percent of a core while nobody presses a key."""
        before, began = self.cpu_seconds(), monotonic()
        self.drain(seconds)
        return 100 * (self.cpu_seconds() - before) / (monotonic() - began)


@contextmanager
def staged(scenario: str, *args: str, rate: float | None = None) -> Iterator[Terminal]:
    """A scenario of `staged.py`, ready for keys."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", TEXTUAL_FPS="240")
        program = str(Path(__file__).with_name("staged.py"))
        os.execv(sys.executable, (sys.executable, program, scenario, *args))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 48, 160, 0, 0))
    terminal = Terminal(pid, fd, rate)
    try:
        terminal.read_until(b"READY;")
        terminal.drain(1.0)
        yield terminal
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def at(times: list[float], part: float) -> float:
    """The value below which that part of sorted values lies."""
    return times[min(len(times) - 1, int(len(times) * part))]
