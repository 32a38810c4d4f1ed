"""What tests of the console share: an embedded hive with two agents, and the program in a real terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar
from unicodedata import category, combining

import pyte
import pytest
from textual.pilot import Pilot

from hivetui.app import HiveConsole
from hivetui.console.session import Session
from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine.api import Hive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.screens.dialogs.base import BURST_SECONDS, OPENING_SECONDS
from hivetui.screens.navigation import Navigator
from tests.free_names import free_name, free_names
from tests.parsed_styles import share_parsed_styles
from tests.spawned_hive import SpawnedHive
from tests.warm.programs import Process, start_cold, start_warm

share_parsed_styles()

T = TypeVar("T")

_VARIABLES = {
    "HIVETUI_EMBEDDED_NIX": "stand-in",
    "HIVETUI_EMBEDDED_BUILD_SECONDS": "0",
    "HIVETUI_DEPLOY__HEALTH_SECONDS": "0",
    "XDG_CONFIG_HOME": "/nonexistent",
}
PATIENCE = 60.0
"""Seconds for what comes at once on an idle machine."""
_PIECES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[^\[]?|[^\x1b]+")
_MODES = re.compile(rb"\x1b\[\?(\d+)([hl])")
_ON_BEFORE = (b"25", b"7")
"""Modes that a terminal begins with: it shows its cursor, and wraps."""
_TORN = re.compile(rb"\x1b(\[[0-?]*[ -/]*)?")
"""A control sequence whose end has not been read yet."""


class _Screen(pyte.Screen):
    """A screen that takes marks as terminals do: at one that joins to no letter pyte drops the rest of the text."""

    def draw(self, data: str) -> None:
        super().draw("".join(char for char in data if combining(char) or category(char) not in ("Mn", "Me")))


class Terminal:
    """A program on a pty: what it wrote, the screen that this makes, and keys for it. `warm`: see warm_programs."""

    def __init__(
        self,
        argv: list[str],
        environment: Mapping[str, str],
        columns: int = 120,
        rows: int = 40,
        errors_too: bool = False,
        warm: bool = False,
    ) -> None:
        self.master, slave = pty.openpty()
        self.written = b""
        self._errors = b""
        self._main, self._alternate = _Screen(columns, rows), _Screen(columns, rows)
        self.screen = self._main
        self._streams = {screen: pyte.ByteStream(screen) for screen in (self._main, self._alternate)}
        self._torn = b""
        self._text: str | None = None
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        start = start_warm if warm else start_cold
        self.process: Process = start(argv, environment, slave, slave if errors_too else subprocess.PIPE)

    def type(self, keys: str | bytes) -> None:
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, rows: int) -> None:
        self._text = None
        for screen in (self._main, self._alternate):
            screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    @property
    def text(self) -> str:
        """The screen as a person sees it, made once for each change: it takes pyte some milliseconds."""
        if self._text is None:
            self._text = "\n".join(self.screen.display)
        return self._text

    def read(self, seconds: float) -> bool:
        """Take what comes within that time; False when the other side is closed."""
        if select.select([self.master], [], [], max(0.0, seconds))[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            self.take(data)
        return True

    def take(self, data: bytes) -> None:
        """What it wrote, for the screen too."""
        self.written += data
        self._text = None
        pieces = _PIECES.findall(self._torn + data)
        self._torn = pieces.pop() if pieces and _TORN.fullmatch(pieces[-1]) else b""
        for piece in pieces:
            self._feed(piece)

    def _feed(self, piece: bytes) -> None:
        """pyte has one screen only, and knows no private CSI with > < or =: a terminal ignores what it knows not."""
        if piece in (b"\x1b[?1049h", b"\x1b[?1049l"):
            self.screen = self._main if piece.endswith(b"l") else self._alternate
            if piece.endswith(b"h"):
                self.screen.reset()
        elif not piece.startswith((b"\x1b[>", b"\x1b[<", b"\x1b[=")) and not piece.endswith(b"$p"):
            self._streams[self.screen].feed(piece)

    def when(self, condition: Callable[[], object], seconds: float = PATIENCE, wanted: object = "") -> str:
        """Read until that is so; what is on the screen then."""
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, f"{wanted or 'it'} did not come:\n{self.text}\n{self._exit_status()}"
            assert self.read(0.05), f"the program ended:\n{self.text}"
        return self.text

    def _exit_status(self) -> str:
        """Why the program has ended, if it has."""
        return f"it ended with {self.process.returncode}: {self.errors}" if self.process.poll() is not None else ""

    def until(self, *texts: str, seconds: float = PATIENCE) -> str:
        """Read until all of these are on the screen."""
        return self.when(lambda: all(text in self.text for text in texts), seconds, texts)

    def gone(self, *texts: str, seconds: float = PATIENCE) -> str:
        """Read until none of these is on the screen."""
        return self.when(lambda: not any(text in self.text for text in texts), seconds, f"the end of {texts}")

    def press(self, key: str, gone: str) -> str:
        """Answer a dialog with a key, again where it came too early to count, until that is gone."""
        for _ in range(10):
            self.type(key)
            with suppress(AssertionError):
                return self.gone(gone, seconds=PATIENCE / 10)
        raise AssertionError(f"{key!r} did not answer:\n{self.text}")

    def settle(self, seconds: float = 0.4) -> str:
        """Read on for some time, in which something could happen that should not."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self.read(left)
        return self.text

    def ended(self, seconds: float = PATIENCE) -> int:
        """Read to the end; the exit status."""
        deadline = monotonic() + seconds
        while (status := self.process.poll()) is None:
            assert monotonic() < deadline, f"it did not end:\n{self.text}"
            self.read(0.02)
        while self.read(0) and select.select([self.master], [], [], 0)[0]:
            pass
        return status

    @property
    def errors(self) -> str:
        if self.process.stderr is not None and not self.process.stderr.closed:
            self._errors += self.process.stderr.read()
            self.process.stderr.close()
        return self._errors.decode()

    def is_restored(self) -> bool:
        """Whether every mode that was switched on was switched off, and the line discipline is as before."""
        return not self.modes_on and termios.tcgetattr(self.slave) == self.before

    @property
    def modes_on(self) -> set[str]:
        """The private modes that were switched on and not off again; of the cursor, whether it is hidden."""
        states = dict(_MODES.findall(self.written))
        return {mode.decode() for mode, sign in states.items() if (sign == b"h") != (mode in _ON_BEFORE)}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        for descriptor in (self.master, self.slave):
            with suppress(OSError):
                os.close(descriptor)


Opened = Callable[..., Terminal]


@dataclass(frozen=True)
class Home:
    """An embedded hive, its agents, and the environment in which it is fast."""

    folder: Path
    agents: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        gone = ("NO_COLOR", "TMUX", "COLUMNS", "LINES", "SSH_CONNECTION", "SSH_TTY", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if name not in gone}
        state = {"XDG_STATE_HOME": str(self.folder.parent / "state")}
        return kept | _VARIABLES | state | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}

    def commit(self, agent: str, module: str, message: str = "A change") -> str:
        """A commit of agent.nix in the proposed repo, as the manager makes it."""
        proposed = self.folder / f"var/lib/hyperhive/agents/{agent}/config"
        who = {f"GIT_{role}_{part}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        (proposed / "agent.nix").write_text(module)
        for words in (("commit", "-q", "-a", "--allow-empty", "-m", message), ("rev-parse", "HEAD")):
            done = subprocess.run(["git", *words], cwd=proposed, env=who | clean, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def state(self, agent: str) -> str:
        """What an agent's container does now."""

        async def asked(hive: Hive) -> str:
            return next(one.state for one in await hive.agents() if one.name == agent)

        return self.asked(asked)

    def start(self, *agents: str) -> None:
        """Start those that do not run: other tests of the same hive stop them."""
        for name in agents:
            if self.state(name) != "running":
                self.run("start", name)

    def asked(self, question: Callable[[Hive], Awaitable[T]]) -> T:
        """What the hive answers now, without a repair."""

        async def answer() -> T:
            hive = await open_embedded_hive(self.folder, Settings(), from_environment({}), repair=False)
            return await question(hive)

        return asyncio.run(answer())

    def run(self, *words: str) -> str:
        """A verb, in a process of its own; what it said on stdout."""
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(self.folder), *words]
        return subprocess.run(argv, env=self.environment, check=True, capture_output=True, text=True).stdout


@contextmanager
def _fast() -> Iterator[None]:
    """An embedded hive that this process opens is fast too."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _VARIABLES.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def hive_of_two(tmp_path_factory: pytest.TempPathFactory) -> SpawnedHive:
    """A hive with two running agents."""
    return spawn_two(tmp_path_factory.mktemp("hive") / "h")


def spawn_two(folder: Path) -> SpawnedHive:
    hive = SpawnedHive(folder, free_names(2))
    with _fast():
        hive.spawn()
    return hive


@pytest.fixture(scope="module")
def home(hive_of_two: SpawnedHive) -> Iterator[Home]:
    """One for all tests of a module."""
    with _fast(), hive_of_two.restored() as folder:
        yield Home(folder, tuple(hive_of_two.agents))
        shutil.rmtree(folder.parent / "state", ignore_errors=True)


@pytest.fixture
def terminal(home: Home) -> Iterator[Opened]:
    """Opens the console on the hive in a terminal: `terminal(*words, columns=, rows=, warm=, **environment)`."""
    opened: list[Terminal] = []

    def open_one(*words: str, columns: int = 120, rows: int = 40, warm: bool = True, **environment: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder), *words]
        opened.append(Terminal(argv, home.environment | environment, columns, rows, warm=warm))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def console(terminal: Opened, home: Home) -> Terminal:
    """The console with its agents listed."""
    opened = terminal()
    opened.until(*home.agents)
    return opened


@pytest.fixture
def newcomer() -> str:
    """A name that a new agent can have here."""
    return free_name()


class Seat:
    """Somebody at the console in this process: presses keys, and waits for what is to be seen."""

    def __init__(self, app: HiveConsole, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def session(self) -> Session:
        assert self.app.session is not None
        return self.app.session

    @property
    def navigator(self) -> Navigator:
        assert self.app.navigator is not None
        return self.app.navigator

    @property
    def hive(self) -> Hive:
        return self.session.hive

    @property
    def text(self) -> str:
        """What the screen in front shows, with what is below a dialog."""
        height, width = self.app.size.height, self.app.size.width
        strips = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(strip.text.ljust(width) for strip in strips[:height])

    async def press(self, *wanted: str) -> None:
        """Keys one after the other, as a person does: not in one burst."""
        for key in wanted:
            await self.pilot.press(key)
            await asyncio.sleep(BURST_SECONDS * 1.5)
        await self.pilot.pause()

    async def answer(self, *wanted: str) -> None:
        """Keys into a dialog, when it has been open for so long that they are meant."""
        await asyncio.sleep(OPENING_SECONDS * 1.2)
        await self.press(*wanted)

    async def until(self, *texts: str, gone: tuple[str, ...] = ()) -> str:
        """Wait until all of these are on the screen, and none of those."""
        return await self.when(lambda: all(one in self.text for one in texts) and not any(g in self.text for g in gone))

    async def notified(self, text: str) -> None:
        """Wait for a notification with this in it."""
        await self.when(lambda: any(text in f"{one.title} {one.message}" for one in self.app._notifications))

    async def when(self, condition: Callable[[], bool]) -> str:
        """Wait for anything that can be asked; what is on the screen then."""
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, f"it did not come:\n{self.text}"
            await asyncio.sleep(0.02)
        await self.pilot.pause()
        return self.text


Seated = Callable[..., AbstractAsyncContextManager[Seat]]


@pytest.fixture
def seated(home: Home) -> Seated:
    """Opens the console on the hive in this process: `async with seated(size=(80, 24)) as seat`."""

    @asynccontextmanager
    async def open_one(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Seat]:
        settings = Settings(deploy=DeploySection(health_seconds=0))

        async def opener() -> Hive:
            return await open_embedded_hive(home.folder, settings, from_environment(os.environ))

        app = HiveConsole(opener)
        async with app.run_test(size=size) as pilot:
            seat = Seat(app, pilot)
            await seat.until(*home.agents)
            yield seat

    return open_one
