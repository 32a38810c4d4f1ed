"""The real console for a benchmark: `hivetui` on a pty of 160x48, as a person starts it.

What it paints is kept with the time at which it came and put on an emulated screen afterwards, so that the emulation
costs nothing while something is measured.
"""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pyte

COLUMNS, ROWS = 160, 48
ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_CONFIG_HOME": "/nonexistent"}
_TICK = os.sysconf("SC_CLK_TCK")
_PACKET, _SAVED_SECONDS = 1400, 0.02
"""Of a slow line: what it carries at once, and how long its idleness counts."""
_PRIVATE = (b"\x1b[>", b"\x1b[<", b"\x1b[=")


class Console:
    """A console; `chunks` is what it has painted since `forget`, each with the time at which it was read.

    With `rate`, the line takes so many bytes a second.
    """

    def __init__(self, argv: list[str], environment: Mapping[str, str], rate: int | None = None) -> None:
        self._rate, self._allowed_at = rate, monotonic()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.chunks: list[tuple[float, bytes]] = []
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.began = monotonic()
        self._process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=dict(environment), start_new_session=True
        )
        os.close(slave)

    def press(self, keys: bytes) -> float:
        """Write keys; the time."""
        now = monotonic()
        os.write(self._master, keys)
        return now

    def drain(self, seconds: float) -> None:
        """Take what comes within that time."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._read(left)

    def wait_for(self, *texts: str, seconds: float = 60) -> float:
        """Wait until all texts are on the screen at once; the time at which they were."""
        deadline = monotonic() + seconds
        while True:
            for when, shown in self.replay():
                if all(text in shown for text in texts):
                    return when
            assert monotonic() < deadline, f"{texts} did not come:\n" + "\n".join(self._screen.display)
            self._read(0.2)

    def milliseconds_to_answer(self, key: bytes) -> float:
        """From a key to the first thing that is painted after it, while nothing else is painted."""
        self.forget()
        began = self.press(key)
        while not self.chunks:
            assert monotonic() < began + 20, "no answer"
            self._read(0.5)
        return (self.chunks[0][0] - began) * 1000

    def key_times(self, keys: bytes, count: int, pause: tuple[float, float] = (0.03, 0.09)) -> list[float]:
        """Milliseconds from each key to its answer, sorted; pauses between are random, so that no period is hit."""
        dice, times = random.Random(1), []
        for number in range(count):
            self.drain(dice.uniform(*pause))
            times.append(self.milliseconds_to_answer(keys[number % len(keys) : number % len(keys) + 1]))
        return sorted(times)

    def forget(self) -> None:
        """Put what has come onto the screen."""
        for _ in self.replay():
            pass

    def replay(self) -> Iterator[tuple[float, str]]:
        """Each state of the screen that has not been looked at, with its time."""
        while self.chunks:
            when, data = self.chunks.pop(0)
            self._stream.feed(_without_private(data))
            yield when, "\n".join(self._screen.display)

    def costs(self, seconds: float) -> tuple[float, float]:
        """Percent of a core that the console and all its children use, and bytes a second that it paints.

        What came before stays unseen: to emulate it would keep the console waiting for a reader.
        """
        seen = len(self.chunks)
        before, began = self._cpu_seconds(), monotonic()
        self.drain(seconds)
        took = monotonic() - began
        painted = sum(len(data) for _, data in self.chunks[seen:])
        return 100 * (self._cpu_seconds() - before) / took, painted / took

    def own_cpu_seconds(self) -> float:
        """What the console's own process has used, without its children."""
        return _cpu_seconds(self._process.pid, with_children=False)

    def kilobytes(self) -> int:
        """The memory of the console's own process."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def close(self) -> None:
        """Kill it and whatever it has started."""
        for pid in (self._process.pid, *_descendants(self._process.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        os.close(self._master)

    def _read(self, seconds: float) -> None:
        if select.select([self._master], [], [], seconds)[0]:
            self._wait_for_line()
            data = os.read(self._master, 1 << 18 if self._rate is None else _PACKET)
            self.chunks.append((monotonic(), data))
            if self._rate is not None:
                self._allowed_at = max(self._allowed_at, monotonic() - _SAVED_SECONDS) + len(data) / self._rate

    def _wait_for_line(self) -> None:
        """Wait until the line has carried what was read before."""
        if self._rate is not None and (left := self._allowed_at - monotonic()) > 0:
            sleep(left)

    def _cpu_seconds(self) -> float:
        return sum(map(_cpu_seconds, (self._process.pid, *_descendants(self._process.pid))))


@contextmanager
def console(
    folder: Path, *, environment: Mapping[str, str] | None = None, rate: int | None = None
) -> Iterator[Console]:
    """The console of an embedded hive, on a line of `rate` bytes a second if that is given."""
    argv = [sys.executable, "-P", "-m", "hivetui", "--embedded", str(folder)]
    opened = Console(argv, {**os.environ, **ENVIRONMENT, **(environment or {})}, rate)
    try:
        yield opened
    finally:
        opened.close()


def first_time(states: Iterator[tuple[float, str]], holds: Callable[[str], bool]) -> float | None:
    """When the screen first was so."""
    return next((when for when, shown in states if holds(shown)), None)


def _without_private(data: bytes) -> bytes:
    """pyte takes private sequences with > < = for text."""
    for start in _PRIVATE:
        while start in data:
            at = data.index(start)
            end = next((index for index in range(at + 3, len(data)) if 64 <= data[index] <= 126), len(data) - 1)
            data = data[:at] + data[end + 1 :]
    return data


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def _cpu_seconds(pid: int, with_children: bool = True) -> float:
    """Of a process, and of those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11 : 15 if with_children else 13])) / _TICK
