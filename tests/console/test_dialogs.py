"""Nothing answers a dialog by accident: keys in a real terminal, one by one, in bursts, and pasted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from hivetui.screens.dialogs.base import OPENING_SECONDS
from tests.console.conftest import Terminal

if TYPE_CHECKING:
    from tests.console.conftest import Home

PASTE = "\x1b[200~{}\x1b[201~"
QUESTION = "[ esc  no ]"


@pytest.fixture(scope="module")
def seat(home: Home) -> Iterator[Terminal]:
    """One console for the whole module: every test except the last leaves it unchanged."""
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder)]
    opened = Terminal(argv, home.environment, 120, 40, warm=True)
    yield opened
    opened.close()


@pytest.fixture
def agents(seat: Terminal, home: Home) -> Iterator[Terminal]:
    """The list of agents; a dialog that a test leaves open is closed."""
    seat.until(*home.agents, "x stop")
    yield seat
    if "esc  " in seat.text:
        seat.press("\x1b", gone="esc  ")


@pytest.fixture
def question(agents: Terminal) -> Terminal:
    """The question whether to stop the first agent, open long enough to be answered."""
    agents.type("x")
    agents.until("Stop ", QUESTION)
    agents.settle(0.5)
    return agents


def test_the_answer_in_one_burst_with_the_question_stops_nothing(agents: Terminal, home: Home) -> None:
    agents.type("xy")
    agents.until(QUESTION)
    agents.settle(0.5)
    assert QUESTION in agents.text
    assert home.state(home.agents[0]) == home.state(home.agents[1]) == "running"


def test_a_no_that_comes_too_early_is_not_lost_without_a_word(agents: Terminal) -> None:
    """The next key would answer a question that nobody expects any more."""
    agents.type("xn")
    agents.until(QUESTION, "too early: press it again")


def test_keys_before_a_quarter_of_a_second_answer_nothing(agents: Terminal) -> None:
    began = monotonic()
    for key in ("x", "n", "y", "\r", "y"):
        agents.type(key)
        sleep(0.03)  # as fast as somebody types; nothing is read meanwhile
    if monotonic() - began > OPENING_SECONDS:
        pytest.skip("this machine is too busy to type that fast")
    agents.until(QUESTION)
    agents.settle(0.5)
    assert QUESTION in agents.text


def test_a_paste_answers_nothing(question: Terminal, home: Home) -> None:
    question.type(PASTE.format("y\n"))
    question.settle(0.5)
    assert QUESTION in question.text
    assert home.state(home.agents[0]) == "running"


@pytest.mark.parametrize("keys", ["y\n", "y\r", "yes", "ay"])
def test_a_paste_without_brackets_answers_nothing(question: Terminal, home: Home, keys: str) -> None:
    question.type(keys)
    question.settle(0.5)
    assert home.state(home.agents[0]) == home.state(home.agents[1]) == "running"


@pytest.mark.parametrize("key", ["\r", "n", "q", "\x1b"])
def test_enter_and_every_way_out_is_no(question: Terminal, home: Home, key: str) -> None:
    question.press(key, gone=QUESTION)
    assert question.process.poll() is None
    assert home.state(home.agents[0]) == "running"


def test_other_keys_do_nothing_behind_the_question(question: Terminal) -> None:
    question.type("2")
    question.settle()
    question.type("\x03")
    question.settle()
    assert QUESTION in question.text
    assert "1:agents*" in question.text


@pytest.mark.parametrize("pasted", [PASTE.format("{}"), "{}"], ids=["bracketed", "as if typed"])
def test_a_name_that_is_pasted_purges_nothing(agents: Terminal, home: Home, pasted: str) -> None:
    agents.type("P")
    agents.until("Purge ", "type ")
    name = next(name for name in home.agents if f"type {name}" in agents.text)
    agents.settle(0.5)
    agents.type(pasted.format(name))
    agents.settle(0.5)
    agents.type("\r")
    agents.settle(0.5)
    assert "Purge " in agents.text
    assert home.state(name) == "running"


def test_a_note_that_is_pasted_keeps_all_of_its_lines(agents: Terminal, home: Home) -> None:
    agents.type("c")
    agents.until("Spawn an agent")
    agents.type(PASTE.format("first line\nsecond line"))
    agents.until("first line second line")


def test_the_right_key_alone_answers(question: Terminal, home: Home) -> None:
    name = next(name for name in home.agents if f"Stop {name}?" in question.text)
    question.press("y", gone=QUESTION)
    question.when(lambda: home.state(name) == "stopped")
