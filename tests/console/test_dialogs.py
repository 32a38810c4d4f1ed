"""Nothing answers a dialog by accident: keys in a real terminal, one by one, in bursts, and pasted."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.console.conftest import Home, Terminal

PASTE = "\x1b[200~{}\x1b[201~"
QUESTION = "[ esc  no, leave it ]"


def state(home: Home, agent: str) -> str:
    rows = json.loads(home.run("agents", "--json"))["agents"]
    return str(next(row["state"] for row in rows if row["name"] == agent))


@pytest.fixture
def question(console: Terminal) -> Terminal:
    """Whether to stop the first agent; open long enough to be answered."""
    console.type("x")
    console.until("Stop ", QUESTION)
    console.settle(0.6)
    return console


def test_the_answer_in_one_burst_with_the_question_stops_nothing(console: Terminal, home: Home) -> None:
    console.type("xy")
    console.until(QUESTION)
    console.settle(1.0)
    assert QUESTION in console.text
    assert state(home, home.agents[0]) == state(home, home.agents[1]) == "running"


def test_keys_before_a_quarter_of_a_second_answer_nothing(console: Terminal) -> None:
    console.type("x")
    console.until(QUESTION)
    for key in "ynq\r\x1b":
        os.write(console.master, key.encode())
    console.settle(0.6)
    assert QUESTION in console.text


def test_a_paste_answers_nothing(question: Terminal, home: Home) -> None:
    question.type(PASTE.format("y\n"))
    question.settle(0.6)
    assert QUESTION in question.text
    assert state(home, home.agents[0]) == "running"


@pytest.mark.parametrize("keys", ["y\n", "y\r", "yes", "ay"])
def test_a_paste_without_brackets_answers_nothing(question: Terminal, home: Home, keys: str) -> None:
    question.type(keys)
    question.settle(0.6)
    assert state(home, home.agents[0]) == state(home, home.agents[1]) == "running"


@pytest.mark.parametrize("key", ["\r", "n", "q", "\x1b"])
def test_enter_and_every_way_out_is_no(question: Terminal, home: Home, key: str) -> None:
    while QUESTION in question.text:  # too early a key is ignored, so it is pressed again
        question.type(key)
        question.settle(1.0)
    assert question.process.poll() is None
    assert state(home, home.agents[0]) == "running"


def test_other_keys_do_nothing_behind_the_question(question: Terminal) -> None:
    question.type("2")
    question.settle()
    question.type("\x03")
    question.settle()
    assert QUESTION in question.text
    assert "[1 agents" in question.text


@pytest.mark.parametrize("pasted", [PASTE.format("{}"), "{}"], ids=["bracketed", "as if typed"])
def test_a_name_that_is_pasted_purges_nothing(console: Terminal, home: Home, pasted: str) -> None:
    console.type("P")
    console.until("Purge ", "type ")
    name = next(name for name in home.agents if f"type {name}" in console.text)
    console.settle(0.6)
    console.type(pasted.format(name))
    console.settle(0.5)
    console.type("\r")
    console.settle(0.5)
    assert "Purge " in console.text
    assert state(home, name) == "running"


def test_the_right_key_alone_answers(question: Terminal, home: Home) -> None:
    name = next(name for name in home.agents if f"Stop {name}?" in question.text)
    while QUESTION in question.text:
        question.type("y")
        question.settle(1.0)
    deadline = time.monotonic() + 30
    while state(home, name) != "stopped":
        assert time.monotonic() < deadline
        question.settle(0.2)
