"""The console ends at once, restores the terminal, and never ends an operation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from tests.console.conftest import Terminal

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened

SLOW = "{ ... }: { lab.buildSeconds = 4; }\n"
SOON = 3.0  # seconds: one on an idle machine


def seconds_to_end(console: Terminal) -> float:
    began = monotonic()
    console.ended()
    return monotonic() - began


def children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def test_q_ends_it_and_gives_the_terminal_back(console: Terminal) -> None:
    console.type("q")
    assert seconds_to_end(console) < SOON
    assert console.process.returncode == 0
    assert console.is_restored()
    assert console.errors == ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_ends_it_with_the_status_that_shells_give(console: Terminal, number: signal.Signals) -> None:
    console.process.send_signal(number)
    assert seconds_to_end(console) < SOON
    assert console.process.returncode == 128 + number
    assert console.is_restored()
    assert console.errors == ""


def test_a_signal_before_the_hive_is_open_ends_it_too(terminal: Opened) -> None:
    opened = terminal()
    opened.until("opening the hive")
    opened.process.send_signal(signal.SIGTERM)
    opened.ended()
    assert opened.process.returncode == 143
    assert opened.is_restored()


@pytest.mark.slow
def test_a_closed_terminal_ends_it_also_when_no_signal_comes(home: Home, terminal: Opened) -> None:
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder)]
    opened = terminal("-h")  # only its pty is used: the console in it belongs to another session
    opened.ended()
    process = subprocess.Popen(
        argv, stdin=opened.slave, stdout=opened.slave, stderr=subprocess.PIPE, env=home.environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        opened.until(*home.agents)
        os.close(opened.slave)
        os.close(opened.master)
        assert process.wait(SOON) == 129
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


def test_a_terminal_that_takes_nothing_does_not_keep_it_alive(console: Terminal) -> None:
    for _ in range(400):  # far more frames than the pty and Textual's queue hold; nobody reads
        console.type("?\x1b")
    console.process.send_signal(signal.SIGTERM)
    assert console.process.wait(SOON) == 143


@pytest.mark.slow
def test_followed_logs_end_with_it(console: Terminal) -> None:
    console.type("4")
    console.until("4:logs*")
    deadline = monotonic() + 20
    while not (followers := children(console.process.pid)):
        assert monotonic() < deadline
        console.read(0.05)
    console.process.send_signal(signal.SIGHUP)
    console.ended()
    assert not [pid for pid in followers if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_an_operation_goes_on_and_ends_well(console: Terminal, home: Home) -> None:
    agent = home.agents[0]
    proposal = json.loads(home.run("submit", agent, home.commit(agent, SLOW), "--json"))["proposal"]
    console.type("2")
    console.until("A change")
    console.type("\r")
    console.until("lab.buildSeconds", "rules ran")
    console.settle(0.5)
    console.type("a")
    console.until("[ esc")
    console.settle(0.5)
    console.type("y")
    console.until("deploy", agent)
    deadline = monotonic() + 20
    while not (rows := json.loads(home.run("operations", "--json"))["operations"]):
        assert monotonic() < deadline
        console.read(0.05)
    os.close(console.master)
    assert console.process.wait(SOON) == 129
    ended = home.run("operation", str(rows[0]["id"]), "-f")
    assert "succeeded" in ended
    assert json.loads(home.run("show", str(proposal["id"]), "--json"))["proposal"]["state"] == "deployed"


def test_ctrl_c_says_how_to_quit(console: Terminal) -> None:
    console.type("\x03")
    console.until("q closes the console")
    assert console.process.poll() is None


@pytest.mark.slow
def test_ctrl_q_is_left_to_the_terminal(console: Terminal, home: Home) -> None:
    console.type("\x11")
    console.settle()
    assert console.process.poll() is None


@pytest.mark.slow
def test_ctrl_z_suspends_to_the_shell_and_fg_resumes(home: Home) -> None:
    command = f"{sys.executable} -m hivetui --embedded {home.folder}"
    environment = home.environment | {"PS1": "shell> ", "ENV": "", "HISTFILE": ""}
    bash = Terminal(["bash", "--norc", "--noprofile", "-i"], environment, errors_too=True)
    try:
        bash.until("shell>")
        bash.type(command + "\n")
        bash.until(*home.agents)
        bash.type("\x1a")
        bash.until("Stopped", "shell>")
        assert bash.modes_on <= {"2004"}  # bracketed paste is the shell's own
        bash.type("fg\n")
        bash.until("1:agents*", "? help", *home.agents)
        bash.type("2")
        bash.until("2:proposals*")
        bash.type("Q")
        bash.gone("2:proposals*")
        bash.until("shell>")
        bash.type("exit\n")
        assert bash.ended() == 0
    finally:
        bash.close()


@pytest.mark.slow
def test_a_stderr_that_is_a_file_gets_nothing_of_the_screen(console: Terminal) -> None:
    console.type("q")
    assert console.ended() == 0
    assert console.errors == ""
    assert b"?1049h" in console.written


BROKEN = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise LookupError('torn \\x1b]0;x\\x07 secret')
sys.meta_path.insert(0, Broken())
"""


@pytest.mark.parametrize(
    ("module", "keys"), [("hivetui.screens.history", "5"), ("hivetui.client.hive", "")], ids=["open", "opening"]
)
def test_a_bug_is_reported_in_three_lines_and_a_file(
    home: Home, terminal: Opened, tmp_path: Path, module: str, keys: str
) -> None:
    """The bug: a module that is imported after the first frame cannot be."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN.format(name=module))
    opened = terminal(warm=False, PYTHONPATH=os.pathsep.join((str(tmp_path), str(Path.cwd()))))
    if keys:
        opened.until(*home.agents)
        opened.type(keys)
    assert opened.ended() == 70
    assert opened.is_restored()
    errors = opened.errors
    what, why, fix = errors.splitlines()
    assert what.startswith("A bug ended the console: LookupError: torn")
    assert "operations keep running" in why
    assert "\x1b" not in errors
    log = Path(fix.rpartition(" ")[2])
    assert log.is_relative_to(home.folder.parent / "state/hivetui")
    assert log.stat().st_mode & 0o777 == 0o600
    told = log.read_text()
    assert "LookupError" in told
    assert "line" in told
    assert "\x1b" not in told


@pytest.mark.slow
def test_a_bug_that_keeps_the_loop_busy_ends_it_all_the_same(terminal: Opened, tmp_path: Path, home: Home) -> None:
    """The bug comes, and what it stopped never lets go of the loop: the watchdog ends it."""
    hang = BROKEN.format(name="hivetui.screens.history").replace(
        "            raise", "            import asyncio, time\n"
        "            asyncio.get_running_loop().call_soon(time.sleep, 3600)\n            raise",
    )  # fmt: skip
    (tmp_path / "sitecustomize.py").write_text(hang)
    opened = terminal(warm=False, PYTHONPATH=os.pathsep.join((str(tmp_path), str(Path.cwd()))))
    opened.until(*home.agents)
    opened.type("5")
    assert opened.ended() == 70
    assert opened.is_restored()
    assert opened.errors.startswith("A bug ended the console: LookupError: torn")
    assert len(opened.errors.splitlines()) == 3
