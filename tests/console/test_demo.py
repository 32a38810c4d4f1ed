"""The console on a demo: a newcomer's first minute, and nothing outlives a demo, however it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.console.conftest import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MINUTE = 90.0  # on a machine that does other things too

Demo = Callable[..., Terminal]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Opens the demo in a terminal, its folders below the test's own."""
    opened: list[Terminal] = []
    gone = ("NO_COLOR", "TMUX", "COLUMNS", "LINES", "SSH_CONNECTION")
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    environment = kept | {"TMPDIR": str(tmp_path), "HIVETUI_EMBEDDED_NIX": "stand-in", "TERM": "xterm-256color"}

    def open_one(*words: str, columns: int = 80, rows: int = 24) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "demo", *words]
        opened.append(Terminal(argv, environment | {"XDG_CONFIG_HOME": str(tmp_path / "none")}, columns, rows))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
    wait_until(lambda: not processes(tmp_path))


def processes(folder: Path) -> list[str]:
    """The command lines of processes that have to do with this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue  # it has ended
        if str(folder) in words:
            found.append(words)
    return found


def wait_until(holds: Callable[[], bool], seconds: float = MINUTE) -> None:
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


def dialog(console: Terminal, *texts: str) -> None:
    """A dialog is there, and was read: what is pressed in its first moments answers nothing."""
    console.until(*texts)
    console.settle()


def decide(console: Terminal, key: str, question: str) -> None:
    """The oldest proposal that waits, read whole; then the key that asks."""
    console.type("2")
    console.until("? pending", seconds=MINUTE)
    console.type("\r")
    console.until("a approve", "whole")
    console.type(key)
    dialog(console, question)


def test_a_newcomer_sees_it_all_with_the_keys_of_the_footer(demo: Demo, tmp_path: Path) -> None:
    console = demo()
    console.until("p review", seconds=MINUTE)

    console.type("p")
    console.until("a approve", "whole")
    console.type("a")
    dialog(console, "Approve #1")
    console.type("y")
    console.until("building the system", seconds=MINUTE)
    console.until("✓ succeeded", "deploy", seconds=MINUTE)

    decide(console, "a", "Approve #2")
    console.type("y")
    console.until("failed", "could not be built", "ripgrepp", seconds=MINUTE)

    decide(console, "d", "Deny #3")
    console.type("no strangers")
    console.until("no strangers")
    while "Deny #3" in console.text:  # a key that comes in a burst with others answers nothing
        console.type("\r")
        console.settle()

    console.type("1")
    console.until("have the same port", "only one of them can run", seconds=MINUTE)
    console.type("l")
    console.until("4:logs*", "following", seconds=MINUTE)
    console.type("g")
    console.until("listening on")

    console.type("q")
    assert console.ended(MINUTE) == 0
    assert console.is_restored()
    assert console.errors == ""
    assert b"\x1b[8m" not in console.written
    assert list(tmp_path.glob("hivetui-demo-*")) == []
    assert processes(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_demo_that_loses_its_console_clears_up(demo: Demo, tmp_path: Path, number: signal.Signals) -> None:
    console = demo()
    console.until("▶ spawn", seconds=MINUTE)
    assert list(tmp_path.glob("hivetui-demo-*"))
    console.process.send_signal(number)
    console.ended(MINUTE)
    wait_until(lambda: not list(tmp_path.glob("hivetui-demo-*")) and not processes(tmp_path))


def test_a_kept_demo_is_opened_again(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    console = demo("--keep", str(folder))
    console.until("● running", "1 #1", seconds=MINUTE)
    console.type("q")
    assert console.ended(MINUTE) == 0
    assert processes(tmp_path) == []

    again = demo("--keep", str(folder))
    again.until("● running", "1 #1", seconds=MINUTE)
    again.type("q")
    assert again.ended(MINUTE) == 0
    assert folder.is_dir()
