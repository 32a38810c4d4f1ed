"""The screen of logs, used by its keys, on an embedded hive whose agents log."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from hivetui.embedded import journal
from hivetui.embedded.layout import Layout
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.names import container_of
from hivetui.screens.logs.save import save
from hivetui.screens.logs.tail import Tail, parse_tail

if TYPE_CHECKING:
    from pathlib import Path

    from tests.console.conftest import Home, Terminal


def say(home: Home, *texts: str) -> None:
    for text in texts:
        journal.append(Layout(str(home.folder)), container_of(home.agents[0]), text)


def enter(console: Terminal, question: str) -> None:
    """Press Enter by itself until it counts: one that arrives in a burst with other keys answers nothing."""
    while question in console.settle():
        console.type("\r")


@pytest.fixture
def logs(console: Terminal, home: Home) -> Terminal:
    say(home, "the last word")
    console.type("4")
    console.until("the last word", "following", "times in UTC")
    return console


def test_a_frozen_log_counts_new_lines_and_does_not_move(logs: Terminal, home: Home) -> None:
    logs.type("F")
    logs.until("FROZEN")
    before = logs.text.splitlines()[3:-3]
    say(home, "comes while frozen")
    logs.until(" new")
    logs.settle(1.0)
    assert logs.text.splitlines()[3:-3] == before
    logs.type("F")
    logs.until("comes while frozen", "following")


@pytest.mark.slow
def test_a_filter_shows_the_lines_that_match_or_those_that_do_not(logs: Terminal, home: Home) -> None:
    say(home, "needle one", "hay", "needle two")
    logs.until("needle two")
    logs.type("&needle\r")
    logs.until("needle one", "filter /needle/")
    logs.gone("the last word")
    logs.type("!")
    logs.until("filter not /needle/", "the last word")
    logs.type("\x1b")
    logs.until("needle one", "the last word")


@pytest.mark.slow
def test_a_filter_by_a_class_of_letters_finds_what_is_there_and_warns_of_nothing(logs: Terminal, home: Home) -> None:
    say(home, "it failed, and ended", "all is well 17")
    logs.until("all is well 17")
    logs.type("&[[:alpha:]]+ed, and\r")
    logs.until("it failed, and ended", "filter /[[:alpha:]]+ed, and/")
    logs.gone("all is well 17")
    logs.type("q")
    logs.gone("4:logs*")
    logs.type("Q")
    assert logs.ended() == 0
    assert "Warning" not in logs.errors


def test_a_search_goes_to_the_first_match_and_counts_while_it_is_typed(logs: Terminal, home: Home) -> None:
    say(home, "acorn one", "hay", "acorn two", *(f"straw {number}" for number in range(60)))
    logs.until("straw 59")
    logs.type("/aco")
    logs.until("acorn one", "search /aco/ 1 of 2")
    logs.type("rn t")
    logs.until("search /acorn t/ 1 of 1")
    logs.type("\x1b")
    logs.until("following")
    logs.gone("search /")
    logs.type("/acorn\rn")
    logs.until("search /acorn/ 2 of 2")
    logs.type("n")
    logs.until("search wrapped around", "search /acorn/ 1 of 2")


@pytest.mark.slow
def test_escape_ends_the_search_before_it_closes_the_screen(logs: Terminal) -> None:
    logs.type("/the last\r")
    logs.until("search /the last/")
    logs.type("\x1b")
    logs.gone("search /the last/")
    assert "4:logs*" in logs.text


@pytest.mark.slow
def test_a_dialog_chooses_whose_logs(logs: Terminal, home: Home) -> None:
    logs.type("A")
    logs.until("Whose logs?")
    logs.settle()
    logs.type(" ")
    enter(logs, "Whose logs?")
    assert home.agents[1] in logs.until("times in UTC").splitlines()[1] or home.agents[0] in logs.text.splitlines()[1]


@pytest.mark.slow
def test_an_empty_log_says_why(logs: Terminal) -> None:
    logs.type("t")
    logs.until("How much of the log?")
    logs.settle()
    logs.type("1s")
    enter(logs, "How much of the log?")
    logs.until("since 2")


def test_saved_lines_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "kept.log"
        assert await save(path, [b"a\n", b"\x1b[2Jb\n"]) == 2
        assert path.read_bytes() == b"a\n\x1b[2Jb\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            await save(path, [b"c\n"])
        assert path.read_bytes() == b"a\n\x1b[2Jb\n"

    import asyncio

    asyncio.run(story())


NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_a_tail_is_a_number_a_time_or_all() -> None:
    assert parse_tail("500", NOW) == Tail(500)
    assert parse_tail("all", NOW) == Tail(None)
    assert parse_tail("2h", NOW) == Tail(None, NOW - timedelta(hours=2))
    assert parse_tail("11:30", NOW) == Tail(None, NOW - timedelta(minutes=30))


@pytest.mark.parametrize("text", ["", "x", "-1", "1q", "٣", "99999999", "m"])
def test_anything_else_is_not_a_tail(text: str) -> None:
    with pytest.raises(BadData, match="is not a time"):
        parse_tail(text, NOW)
