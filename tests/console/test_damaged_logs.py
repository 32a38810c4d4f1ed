"""The screen of logs where a journal is damaged, or comes into being while it is followed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.console.conftest import Terminal
from tests.systemd_root import JOURNALCTL, SystemdRoot

pytestmark = [pytest.mark.slow, pytest.mark.skipif(JOURNALCTL is None, reason="needs journalctl")]


@pytest.fixture
def root(tmp_path: Path) -> SystemdRoot:
    return SystemdRoot(tmp_path, ("ann", "bob"))


@pytest.fixture
def open_logs(root: SystemdRoot) -> Iterator[Callable[[str], Terminal]]:
    """Opens the console on that host, and in it the log of one agent."""
    opened: list[Terminal] = []

    def open_one(agent: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--root", str(root.root)]
        console = Terminal(argv, root.environment, columns=300)
        opened.append(console)
        console.until("ann", "bob")
        console.type(f"/{agent}\rl")
        console.until("4:logs*", "times in UTC")
        return console

    yield open_one
    for one in opened:
        one.close()


def test_a_truncated_journal_is_told_and_the_log_is_not_called_empty(
    root: SystemdRoot, open_logs: Callable[[str], Terminal]
) -> None:
    root.truncate("ann")
    root.link("ann")
    console = open_logs("ann")
    console.until("is truncated, ignoring file")
    assert "nothing logged" not in console.settle(1.0)


def test_beside_a_truncated_journal_the_lines_of_a_good_older_one_are_shown(
    root: SystemdRoot, open_logs: Callable[[str], Terminal]
) -> None:
    root.write("ann", "system@old.journal", ["good 1", "good 2"])
    root.truncate("ann")
    root.link("ann")
    open_logs("ann").until("good 1", "good 2", "is truncated, ignoring file")


def test_a_journal_that_comes_into_being_joins_a_log_that_is_open(
    root: SystemdRoot, open_logs: Callable[[str], Terminal]
) -> None:
    console = open_logs("bob")
    console.until("bob (stopped): nothing logged")
    root.write("bob", "system.journal", ["of bob"])
    root.link("bob")
    console.until("of bob")


def test_a_journal_that_is_damaged_is_told_and_joins_when_it_is_whole(
    root: SystemdRoot, open_logs: Callable[[str], Terminal]
) -> None:
    """A journalctl that refuses every journal until a file says otherwise."""
    root.install(
        "journalctl", f"test -e {root.root}/good || {{ echo 'all broken' >&2; exit 1; }}\nexec {JOURNALCTL} \"$@\""
    )
    root.write("bob", "system.journal", ["of bob"])
    root.link("bob")
    console = open_logs("bob")
    console.until("all broken")
    (root.root / "good").touch()
    console.until("of bob")
    assert "stream ended" not in console.text
