"""The title line and the line of keys of every screen: sizes, colours, clicks, and what they always show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Terminal

SIZES = [(80, 24), (120, 40), (200, 60)]


def sgr(written: bytes) -> list[bytes]:
    return re.findall(rb"\x1b\[([0-9;]*)m", written)


@pytest.mark.parametrize(
    ("columns", "rows"), [SIZES[0], *(pytest.param(*size, marks=pytest.mark.slow) for size in SIZES[1:])]
)
def test_every_screen_shows_six_tabs_and_the_embedded_mark(
    terminal: Opened, home: Home, columns: int, rows: int
) -> None:
    opened = terminal(columns=columns, rows=rows)
    opened.until(*home.agents)
    for key in "123456":
        opened.type(key)
        opened.when(lambda: re.search(rf" {key}:\w+\*", opened.screen.display[0]), wanted=f"tab {key}")  # noqa: B023
        title = opened.screen.display[0]
        assert "EMBEDDED" in title
        assert all(f" {number}:" in title for number in "123456")
        opened.when(lambda: "? help" in opened.screen.display[-1])


@pytest.mark.slow
def test_a_resize_is_followed_both_ways(console: Terminal, home: Home) -> None:
    console.resize(80, 24)
    console.until("2:props")
    console.resize(160, 50)
    console.until("2:proposals", f"embedded hive in {home.folder}"[:20])


def test_a_click_on_a_tab_opens_it_and_one_on_a_key_is_that_key(console: Terminal) -> None:
    column = console.until("5:history", "? help").splitlines()[0].index("5:history") + 2
    console.type(f"\x1b[<0;{column};1M\x1b[<0;{column};1m")
    console.until("5:history*")
    console.type("1")
    line = console.until("1:agents*", "? help", "x stop").splitlines()[-1]
    column = line.index("? help") + 3
    console.type(f"\x1b[<0;{column};40M\x1b[<0;{column};40m")
    console.until("Every key of this screen")


def test_no_colour_is_no_colour(terminal: Opened, home: Home) -> None:
    opened = terminal(NO_COLOR="1", COLORTERM="", TERM="xterm-256color")
    opened.until(*home.agents, "● running")
    for codes in sgr(opened.written):
        if b";2;" in codes:  # Textual filters to greys, which are written as true colour
            numbers = codes.split(b";2;")[1].split(b";")[:3]
            assert len(set(numbers)) == 1


@pytest.mark.parametrize(
    ("name", "colorterm"), [("xterm-256color", ""), pytest.param("xterm", "", marks=pytest.mark.slow), ("linux", "")]
)
def test_terminals_of_few_colours_get_no_true_colour(terminal: Opened, home: Home, name: str, colorterm: str) -> None:
    opened = terminal(TERM=name, COLORTERM=colorterm)
    opened.until(*home.agents, "● running")
    assert not [codes for codes in sgr(opened.written) if b"38;2;" in codes or b"48;2;" in codes]


@pytest.mark.slow
def test_the_palette_sets_the_colour_blind_theme(console: Terminal) -> None:
    console.type(":")
    console.until("Search")
    console.type("hive-colour-blind")
    console.until("theme hive-colour-blind")
    console.when(lambda: "[console] theme" in console.text and "hive-dark" not in console.text)
    before = len(console.written)
    console.type("\r")
    console.when(lambda: b"86;180;233" in console.written[before:])  # its blue, #56b4e9
