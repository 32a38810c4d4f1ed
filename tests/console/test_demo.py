"""The console on a demo: a newcomer's first minute, and nothing outlives a demo, however it ends."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.console.conftest import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MINUTE = 60.0
"""In which a newcomer has seen it all; it took 40 seconds on two cores that did other things too."""
LONG = 90.0
"""For one thing to come, on a machine that is as busy as it can be."""

Demo = Callable[..., Terminal]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Opens the demo in a terminal, its folders below the test's own."""
    opened: list[Terminal] = []
    gone = ("NO_COLOR", "TMUX", "COLUMNS", "LINES", "SSH_CONNECTION")
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    own = {"XDG_CONFIG_HOME": str(tmp_path / "none"), "XDG_STATE_HOME": str(tmp_path / "state")}
    environment = kept | {"TMPDIR": str(tmp_path), "HIVETUI_EMBEDDED_NIX": "stand-in", "TERM": "xterm-256color"}

    def open_one(*words: str, columns: int = 80, rows: int = 24) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "demo", *words]
        opened.append(Terminal(argv, environment | own, columns, rows))
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


def wait_until(holds: Callable[[], bool], seconds: float = LONG) -> None:
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


def review(console: Terminal, number: int) -> None:
    """From the list, in which it is the oldest that waits: the proposal, read whole."""
    decided = f"#{number - 1} ? pending"
    console.type("2")
    console.when(lambda: f"#{number} ? pending" in console.text and decided not in console.text, LONG, number)
    console.type("\r")
    console.until(f"#{number} ", "d deny", "complete", "rules ran", seconds=LONG)


def approve(console: Terminal, number: int) -> None:
    """Ask, and answer the question."""
    question = f"Approve #{number}"
    console.type("a")
    console.until(question)
    console.press("y", gone=question)


def deny(console: Terminal, number: int, why: str) -> None:
    """Ask, and answer with a note."""
    question = f"Deny #{number}"
    console.type("d")
    console.until(question)
    console.type(why)
    console.until(why)
    console.press("\r", gone=question)


def lines_of_the_log(console: Terminal) -> int:
    """As the line below the log counts them."""
    found = re.search(r"(?:following|paused) +(\d+) lines", console.text)
    return int(found[1]) if found else 0


def play(console: Terminal) -> None:
    """All that a newcomer is promised, by the keys of the footer."""
    console.until("p review", seconds=LONG)
    console.type("p")
    console.until("a approve", "complete", "rules ran", seconds=LONG)
    approve(console, 1)
    console.until("building the system", seconds=LONG)
    console.until("✓ succeeded", "deploy", "stop", "health", seconds=LONG)
    review(console, 2)
    approve(console, 2)
    console.until("failed", "could not be built", "ripgrepp", seconds=LONG)
    review(console, 3)
    deny(console, 3, "no strangers")
    console.type("1")
    console.until("have the same port", "only one of them can run", seconds=LONG)
    console.type("l")
    console.when(lambda: lines_of_the_log(console) > 0, LONG, "a line of the log")
    console.type("g")
    console.until("listening on")


def test_a_newcomer_sees_it_all_with_the_keys_of_the_footer(demo: Demo, tmp_path: Path) -> None:
    began = monotonic()
    console = demo()
    play(console)
    assert monotonic() - began < 2 * MINUTE  # this machine may be busy

    before = lines_of_the_log(console)
    console.when(lambda: lines_of_the_log(console) > before + 2, LONG, "more lines of the log")
    console.type("2")
    console.until("#4 ? pending", seconds=LONG)

    console.type("qq")
    assert console.ended(LONG) == 0
    assert console.is_restored()
    assert console.errors == ""
    assert b"\x1b[8m" not in console.written
    assert list(tmp_path.glob("hivetui-demo-*")) == []
    assert processes(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_demo_that_loses_its_console_clears_up(demo: Demo, tmp_path: Path, number: signal.Signals) -> None:
    console = demo()
    console.until("▶ spawn", seconds=LONG)
    assert list(tmp_path.glob("hivetui-demo-*"))
    console.process.send_signal(number)
    console.ended(LONG)
    wait_until(lambda: not list(tmp_path.glob("hivetui-demo-*")) and not processes(tmp_path))


def test_a_kept_demo_is_opened_again(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    console = demo("--keep", str(folder))
    console.until("● running", "1 (#1)", seconds=LONG)
    console.type("q")
    assert console.ended(LONG) == 0
    assert processes(tmp_path) == []

    again = demo("--keep", str(folder))
    again.until("● running", "1 (#1)", seconds=LONG)
    again.type("q")
    assert again.ended(LONG) == 0
    assert folder.is_dir()
