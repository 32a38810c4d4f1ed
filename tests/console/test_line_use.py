"""How many bytes the console sends over the line of a remote operator: only what changed."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Home, Opened, Terminal

pytestmark = pytest.mark.slow

IDLE_BYTES = 1000
"""A second, at 120x40; it was 4500. The figures of two agents and the last lines of one log change."""
BYTES_OF_A_LINE = 900
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
    """Until it is idle: on a busy machine the detail of the agent comes late."""
    console.until("last lines", "deploys")
    assert any(sent_in(console, SECONDS) < IDLE_BYTES * SECONDS for _ in range(5))


def test_a_log_sends_its_new_lines_and_not_the_old_ones_again(console: Terminal, home: Home) -> None:
    console.type("4")
    console.until("following", *home.agents)
    console.settle(1)
    before = lines_of(console)
    sent = sent_in(console, SECONDS)
    assert sent < BYTES_OF_A_LINE * (lines_of(console) - before + 1)


def test_a_warning_that_another_program_wrote_over_the_screen_goes_away_on_ctrl_l(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents)
    console.take(b"\x1b[5;1HBroadcast message from root")
    console.settle(0.1)
    console.type("\x0c")
    console.gone("Broadcast message")
