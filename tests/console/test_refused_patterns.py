"""A prompt for a regular expression stays open on a text that is none, says why, and goes on being edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.test_logs import say

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal

BACKSPACE = "\x7f"
MISSING = "not a regular expression: missing )"


@pytest.fixture
def logs(console: Terminal, home: Home) -> Terminal:
    say(home, "he was warning us", "the last word")
    console.type("4")
    console.until("the last word", "following")
    return console


def nothing_was_a_command(console: Terminal) -> None:
    assert "does nothing here" not in console.settle()
    assert "not available" not in console.text


def test_a_refused_filter_is_corrected_in_its_prompt(logs: Terminal) -> None:
    logs.type("&warn(ing\r")
    logs.until(f"✖ {MISSING}", "esc leaves it", " warn(ing ")
    logs.type("\rq")
    logs.until(" warn(ingq ", MISSING)
    logs.type(BACKSPACE * 5 + "i\r")
    logs.until("filter /warni/", "he was warning us")
    logs.gone("the last word", MISSING)
    nothing_was_a_command(logs)


def test_a_filter_is_corrected_by_the_packet_that_was_refused(logs: Terminal) -> None:
    logs.type("&warn(ing\r" + BACKSPACE * 4 + "i\r")
    logs.until("filter /warni/", "he was warning us")
    nothing_was_a_command(logs)


def test_a_count_is_in_view_behind_a_long_pattern_and_a_long_filter(terminal: Opened, home: Home) -> None:
    console = terminal(columns=80, rows=24)
    console.until(*home.agents)
    say(home, f"{'needle ' * 9}", "hay")
    console.type("4&(needle |of no use to anybody at all)+\r/(needle |and this is of no use either)+$")
    console.until("search /(needle", " 1 of 1", "enter accept  esc back")
    console.type("\r")
    console.gone("enter accept")
    assert " 1 of 1" in console.text


def test_escape_leaves_a_refused_filter_and_the_one_before_stays(logs: Terminal) -> None:
    logs.type("&was\r")
    logs.until("filter /was/")
    logs.type("&(?<=a)b")
    logs.until("lookahead and lookbehind are not supported")
    logs.type("\r")
    logs.until("✖ lookahead and lookbehind are not supported")
    logs.type("\x1b")
    logs.gone("(?<=a)b", "lookbehind")
    assert "filter /was/" in logs.text
    logs.type("&")
    logs.until(" was ")
    logs.type("\x1b\x1b")
    logs.until("the last word")


def test_a_refused_search_is_corrected_in_its_prompt(logs: Terminal) -> None:
    logs.type("/warn(ing\r")
    logs.until(f"✖ {MISSING}", " warn(ing ")
    logs.type(BACKSPACE * 4 + "i\r")
    logs.until("search /warni/")  # which of the matches is the first depends on what is at the top
    nothing_was_a_command(logs)


def test_a_refused_search_of_a_diff_and_of_an_operation_is_corrected_in_its_prompt(
    console: Terminal, home: Home
) -> None:
    agent = home.agents[0]
    home.run("submit", agent, home.commit(agent, "{ ... }: {\n  # warning\n}\n", "Warn"))
    console.type("2")
    console.until("Warn")
    console.type("\r")
    console.until("+++ ", "d deny")
    console.type("/warn(ing\rq")
    console.until(MISSING, " warn(ingq ")
    console.type(BACKSPACE * 5 + "i\r")
    console.until("search /warni/ 1 of")
    console.type("q")
    console.gone("+++ ")
    console.type("3")
    console.until("spawn", "succeeded")
    console.type("\r")
    console.until("commands hidden")
    console.type(r"/(a)\1" + "\r")
    console.until("✖ backreferences are not supported", r" (a)\1 ")
    console.type(BACKSPACE * 5 + "[[:alpha:]]+ner\r")
    console.until("search /[[:alpha:]]+ner/ 1 of")
    nothing_was_a_command(console)
