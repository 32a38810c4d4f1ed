"""A program of the host that never ends: what the operator is told, and what works all the same."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.console.conftest import Home, Opened, Terminal
from tests.hanging_git import HangingGit
from tests.systemd_root import SystemdRoot

Run = Callable[..., Terminal]
WAITS = "`systemctl show` has not ended for "


BUSY = 4
"""How many times slower a busy machine is."""
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


@pytest.mark.slow
def test_the_first_word_about_a_program_that_hangs_comes_within_seconds(run: Run) -> None:
    """As the console itself measures it; an idle machine needs two."""
    console = run()
    console.until(WAITS)
    first = re.search(re.escape(WAITS.encode()) + rb"(\d+) s", console.written)
    assert first is not None
    assert int(first[1]) <= 5 * BUSY
    console.type("Q")
    assert console.ended() == 0


OTHERS = ("git", "nix", "nix-env", "nix-store", "nixos-container", "journalctl", "machinectl", "bwrap", "ssh-keygen")


@pytest.mark.slow
def test_programs_that_the_lists_do_not_need_keep_none_of_them_and_the_log_says_what_it_waits_for(
    tmp_path: Path,
) -> None:
    root = SystemdRoot(tmp_path, ("ann",))
    root.deploy("ann")
    for program in OTHERS:
        root.install(program, HANGS)
    console = Terminal([sys.executable, "-m", "hivetui", "--root", str(root.root)], root.environment)
    try:
        console.until("1:agents*", "ann", "stopped", "deploys")
        assert "no log entries" not in console.settle(3)
        for key, screen in (("2", "proposals"), ("3", "operations"), ("5", "history"), ("6", "warnings")):
            console.type(key)
            console.until(f"{key}:{screen}")
        console.type("4")
        console.until("4:logs*", "Loading the log of ann … `journalctl` has not ended yet.")
        assert "nothing logged" not in console.text
        console.type("Q")
        assert console.ended() == 0
        assert console.is_restored()
    finally:
        console.close()


@pytest.mark.slow
@pytest.mark.parametrize("hanging", ["diff-tree", "rev-parse"])
def test_a_review_whose_git_hangs_names_it_within_seconds_and_is_left_by_q(
    tmp_path: Path, home: Home, terminal: Opened, hanging: str
) -> None:
    agent = min(home.agents)  # the first in the list, where the cursor is
    home.commit(agent, f"{{ ... }}: {{ lab.note = {len(hanging)}; }}\n")
    number = json.loads(home.run("submit", agent, "--json"))["proposal"]["id"]
    git = HangingGit(tmp_path, hanging)
    console = terminal(columns=80, rows=24, PATH=git.path)
    console.until("1:agents*", agent)
    git.hang()
    console.type("p")
    waits = f"◌ waiting: `git {hanging}` has not ended for "
    console.until("Loading", waits)
    first = re.search(re.escape(waits) + r"(\d+) s", console.text)
    assert first is not None
    assert int(first[1]) <= 5 * BUSY
    console.type("q")
    console.until("1:agents*")
    console.gone("waiting:")
    console.type("q")
    assert console.ended() == 0
    home.run("deny", str(number), "--note", "It was only looked at.")


@pytest.mark.slow
def test_a_verb_that_reads_a_log_says_that_it_waits_for_journalctl(tmp_path: Path) -> None:
    root = SystemdRoot(tmp_path, ("ann",))
    root.install("journalctl", HANGS)
    argv = [sys.executable, "-m", "hivetui", "--root", str(root.root), "logs", "ann"]
    terminal = Terminal(argv, root.environment, errors_too=True)
    try:
        terminal.until("waiting: `journalctl --no-pager` has not ended for ")
        terminal.type("\x03")
        assert terminal.ended() == 130
    finally:
        terminal.close()


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
    shown = console.until("1:agents*", "Failed to connect to bus")
    assert "outdated." not in shown  # nothing was ever read that could be
    console.type("q")
    assert console.ended() == 69
    assert console.is_restored()
    assert "bug" not in console.text + console.errors


@pytest.mark.slow
def test_a_host_without_systemctl_is_told_at_the_first_look_with_the_status_of_verbs(tmp_path: Path) -> None:
    root = SystemdRoot(tmp_path, ())
    argv = [sys.executable, "-m", "hivetui", "--root", str(root.root)]
    (root.tools / "systemctl").unlink()
    environment = root.environment | {"PATH": str(root.tools)}
    verb = Terminal([*argv, "agents"], environment, errors_too=True)
    console = Terminal(argv, environment)
    try:
        verb.until("systemctl is not installed")
        assert verb.ended() == 69
        assert ".." not in console.until("1:agents*", "systemctl is not installed").replace("...", "")
        console.type("q")
        assert console.ended() == 69
        assert "bug" not in console.text + console.errors
    finally:
        verb.close()
        console.close()


@pytest.mark.slow
def test_a_file_in_place_of_a_directory_of_the_hive_is_named_and_no_bug(tmp_path: Path) -> None:
    root = SystemdRoot(tmp_path, ())
    meta = root.root / "var/lib/hyperhive/meta"
    meta.parent.mkdir(parents=True)
    meta.touch()
    argv = [sys.executable, "-m", "hivetui", "--root", str(root.root)]
    verb = Terminal([*argv, "agents"], root.environment, errors_too=True, columns=300)
    console = Terminal(argv, root.environment)
    try:
        console.until("1:agents*", "outdated: ")
        console.type("q")
        assert (verb.ended(), console.ended()) == (1, 1)
        for told in (verb.text, console.errors):
            assert str(meta) in told
            assert "could not be used" in told
            assert "Not a directory" in told
        assert "Traceback" not in verb.text
        assert "bug" not in console.errors
        assert "Report it" not in console.errors
    finally:
        verb.close()
        console.close()
