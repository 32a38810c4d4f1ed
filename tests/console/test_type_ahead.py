"""What is typed after a key that opens a prompt or a dialog, in one packet with it, belongs to the prompt."""

from __future__ import annotations

import pytest

from tests.console.conftest import Home, Opened, Terminal

NOT_NOW = "not available"


def test_a_filter_gets_every_letter_and_the_table_gets_none(console: Terminal) -> None:
    console.type("/lxrsDq7")  # each but the first and the last would do something to the agent under the cursor
    console.until("lxrsDq7", "None of 2 rows")
    assert NOT_NOW not in console.settle()
    assert "?" not in console.text.splitlines()[-2]


def test_what_is_typed_while_the_hive_is_being_opened_is_for_the_list(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until("opening the hive")
    console.type("/xDq7")
    console.until("xDq7", "None of 2 rows")
    assert NOT_NOW not in console.settle()


def test_a_console_that_is_being_opened_is_left_by_its_key(terminal: Opened) -> None:
    console = terminal()
    console.until("opening the hive")
    console.type("q")
    assert console.ended() == 0


@pytest.mark.slow
def test_a_search_in_a_log_that_is_opened_by_the_same_packet_gets_its_pattern(console: Terminal, home: Home) -> None:
    console.type("4/nine lives\r")
    console.until("4:logs*", "nine lives")
    assert NOT_NOW not in console.settle()


@pytest.mark.slow
def test_a_filter_of_a_log_gets_its_pattern(console: Terminal) -> None:
    console.type("4")
    console.until("following")
    console.type("&tdqr\r")
    console.until("tdqr")
    assert NOT_NOW not in console.settle()


@pytest.mark.slow
def test_the_spawn_dialog_gets_the_name(console: Terminal, newcomer: str) -> None:
    console.type(f"c{newcomer}")
    console.until("Spawn an agent", f"container h-{newcomer}")


def test_the_question_how_much_of_a_log_gets_its_answer(console: Terminal) -> None:
    console.type("4")
    console.until("following")
    console.type("tyesterday")
    assert "yesterday" in console.until("How much of the log?", "yesterday")


def test_the_note_of_a_denial_gets_every_letter_in_the_list_and_in_the_review(console: Terminal, home: Home) -> None:
    agent = home.agents[0]
    home.run("submit", agent, home.commit(agent, "{ ... }: { }\n", "Change nothing"))
    console.type("2")
    console.until("Change nothing")
    console.type("dqwrXa later")
    console.until("Deny #", "qwrXa later")
    console.press("\x1b", gone="Deny #")
    console.type("\r")
    console.until("+++ ", "d deny")
    console.type("dqwra later")
    console.until("Deny #", "qwra later")
    console.press("\x1b", gone="Deny #")
    console.type("t/agent.nixq")
    console.until("agent.nixq")
    assert NOT_NOW not in console.settle()


def test_a_note_behind_a_key_that_is_refused_reaches_nothing(console: Terminal) -> None:
    console.type("4")
    console.until("following")
    console.type("!xq2")  # there is no filter to invert, and what follows must neither close the log nor leave it
    console.until(NOT_NOW)
    assert "4:logs*" in console.settle()
    console.type("Pq2")
    console.until("P does nothing here")
    assert "4:logs*" in console.settle()


@pytest.mark.slow
def test_the_palette_gets_the_word(console: Terminal) -> None:
    console.type("\x10proposals")
    console.until("proposals")
    assert "2:proposals*" not in console.settle()


def test_a_question_is_not_answered_by_what_was_typed_before_it_was_seen(console: Terminal, home: Home) -> None:
    console.type("xy")
    console.until("Stop ", "too early")
    console.settle()
    assert all(home.state(name) == "running" for name in home.agents)
    assert "Stop " in console.text


def test_a_paste_after_the_key_of_a_prompt_is_its_text(console: Terminal) -> None:
    console.type("/\x1b[200~pasted x\x1b[201~")
    console.until("pasted x")


def test_a_name_that_was_typed_ahead_purges_nothing(console: Terminal, home: Home) -> None:
    name = sorted(home.agents)[0]
    console.type(f"P{name}\r")
    console.settle()
    assert home.state(name) == "running"


def test_keys_after_the_end_of_a_prompt_go_to_the_list_again(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents)
    name = sorted(home.agents)[1]
    console.type(f"/{name}\r2")
    console.until("2:proposals*")
