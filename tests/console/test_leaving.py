"""What esc and q leave: the innermost thing first, then the view; q ends the console only at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Home, Opened


def test_q_closes_a_view_and_ends_the_console_only_at_home(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents, "q quit")
    console.type("4")
    console.until("4:logs*", "q close")
    console.type("q")
    console.until("1:agents*", "q quit")
    console.type("5")
    console.until("5:hist")
    console.type("Q")
    assert console.ended() == 0


@pytest.mark.slow
def test_esc_ends_a_search_before_it_closes_the_view(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents)
    console.type("4")
    console.until("4:logs*")
    console.type("/listening\r")
    console.until("search /listening/")
    console.press("\x1b", gone="search /listening/")
    console.until("4:logs*")
    console.type("\x1b")
    console.until("1:agents*")


@pytest.mark.slow
def test_a_key_of_another_screen_says_what_it_does_there(terminal: Opened, home: Home) -> None:
    console = terminal()
    console.until(*home.agents)
    console.type("a")
    console.until("a does nothing here", "approve (review)")
