"""How many bytes the console sends over the line of a remote operator: only what changed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.console.conftest import Home, Opened, Terminal
from tests.systemd_root import SystemdRoot

pytestmark = pytest.mark.slow

IDLE_BYTES = 1000
"""A second, at 120x40; it was 4500. The figures of two agents and the last lines of one log change."""
BYTES_OF_A_LINE = 600
"""A new line of a log, with its colours, the scrollbar and the counter; it was 12000."""
SECONDS = 3


def sent_in(console: Terminal, seconds: float) -> int:
    before = len(console.written)
    console.settle(seconds)
    return len(console.written) - before


def lines_of(console: Terminal) -> int:
    found = re.search(r"following +(\d+) line", console.text)
    assert found, console.text
    return int(found[1])


def test_an_idle_console_sends_little(console: Terminal) -> None:
    """Most of the time: on a busy machine the detail of the agent comes late."""
    console.until("last lines", "deploys")
    figures = sorted(sent_in(console, SECONDS) for _ in range(5))
    assert figures[2] < IDLE_BYTES * SECONDS, figures


def test_a_log_sends_its_new_lines_and_not_the_old_ones_again(console: Terminal, home: Home) -> None:
    console.type("4")
    console.until("following", *home.agents)
    console.settle(1)
    before = lines_of(console)
    sent = sent_in(console, SECONDS)
    assert sent < BYTES_OF_A_LINE * (lines_of(console) - before + 1)


ENDLESS = r"""
for word; do case "$word" in --directory=*) agent=${word##*h-}; agent=${agent%%/*};; esac; done
case "$*" in *--follow*) ;; *) exit 0;; esac
[ -n "$agent" ] || exec sleep 1000
number=0
while :; do
    number=$((number + 1))
    printf '{"__REALTIME_TIMESTAMP": "%s", "__CURSOR": "%s", "MESSAGE": "turn %s of %s: reads a file"}\n' \
        "$(date +%s%6N)" "$number" "$number" "$agent"
    sleep 0.4
done"""


def test_a_log_of_four_agents_sends_its_new_lines_and_not_the_old_ones_again(tmp_path: Path) -> None:
    """It was 28 KB a second."""
    names = ("ann", "bob", "cyd", "dan")
    root = SystemdRoot(tmp_path, names)
    root.install("journalctl", ENDLESS)
    for name in names:
        root.journal(name).mkdir(parents=True)
        root.link(name)
    console = Terminal([sys.executable, "-m", "hivetui", "--root", str(root.root)], root.environment)
    try:
        console.until(*names)
        console.type("4")
        console.until("following", *(f"of {name}: reads a file" for name in names))
        console.when(lambda: lines_of(console) > 50)  # more than the screen has
        before = lines_of(console)
        sent = sent_in(console, SECONDS)
        came = lines_of(console) - before
        assert came > len(names)
        assert sent < BYTES_OF_A_LINE * (came + 1)
    finally:
        console.close()


def test_a_warning_that_another_program_wrote_over_the_screen_goes_away_on_ctrl_l(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents)
    console.take(b"\x1b[5;1HBroadcast message from root")
    console.settle(0.1)
    console.type("\x0c")
    console.gone("Broadcast message")
