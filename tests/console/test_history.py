"""The list of deploys: which one is active, and rolling back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.console.conftest import Home, Terminal


def test_the_active_deploy_is_marked_and_cannot_be_rolled_back_to(console: Terminal, home: Home) -> None:
    console.type("5")
    console.until("▶ active", "#0", *home.agents)
    console.type("R")
    console.until("#0 is already active")


@pytest.mark.slow
def test_opening_the_first_system_says_that_it_has_no_review(console: Terminal) -> None:
    console.type("5")
    console.until("▶ active")
    console.type("\r")
    console.until("it has no review")


@pytest.mark.slow
def test_the_list_shows_the_deploys_of_one_agent_or_of_all(console: Terminal, home: Home) -> None:
    console.type("5")
    console.until("▶ active", *home.agents)
    console.type("A")
    console.until("(A: all agents, ")
    console.type("A")
    console.gone("(A: all agents, ")


@pytest.mark.slow
def test_the_list_is_limited_to_an_outcome_and_days_and_shows_utc_on_a_key(console: Terminal, home: Home) -> None:
    console.type("5")
    console.until("▶ active", *home.agents)
    console.type("t")
    console.until("last 1 day only")
    console.type("fff")
    console.until("No deploys: deployed, last 1 day.")
    console.type("ff")
    console.until("▶ active", *home.agents)
    console.type("U")
    console.when(lambda: re.search(r"\d\d:\d\dZ", console.text))
