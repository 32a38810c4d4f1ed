"""A program of the host that never ends: what the operator is told, and what works all the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.console.conftest import Terminal

Run = Callable[..., Terminal]
WAITS = "`systemctl show` has not ended for "


HANGS = "exec sleep 1000"
NO_BUS = "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1"


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs the program on a host, empty but for a systemctl that hangs, or does what the test's parameter says."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text(f"#!/bin/sh\n{getattr(request, 'param', HANGS)}\n")
    (tools / "systemctl").chmod(0o755)
    (tmp_path / "root").mkdir()
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm-256color"}
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    opened: list[Terminal] = []

    def run_on_host(*words: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--root", str(tmp_path / "root"), *words]
        opened.append(Terminal(argv, {**os.environ, **state, **path}, errors_too=bool(words)))
        return opened[-1]

    yield run_on_host
    for one in opened:
        one.close()


@pytest.mark.slow
def test_the_console_says_what_it_waits_for_and_shows_what_does_not_need_it(run: Run) -> None:
    console = run()
    console.until("1:agents*", WAITS)
    console.type("3")
    console.until("3:operations*", WAITS)
    console.type("Q")
    assert console.ended() == 0
    assert console.is_restored()


def test_a_verb_says_what_it_waits_for_and_ends_on_ctrl_c(run: Run) -> None:
    terminal = run("agents")
    terminal.until(f"waiting: {WAITS}")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("run", [NO_BUS], indirect=True)
def test_a_systemd_that_refuses_is_told_by_the_console_as_by_verbs_and_is_no_bug(run: Run) -> None:
    verb = run("agents")
    verb.until("Failed to connect to bus")
    assert verb.ended() == 69
    console = run()
    console.until("1:agents*", "Failed to connect to bus")
    console.type("q")
    assert console.ended() == 0
    assert console.is_restored()
    assert "bug" not in console.text + console.errors
