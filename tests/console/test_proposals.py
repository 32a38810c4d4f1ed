"""The list of proposals, on an embedded hive: its rows, their order, and what can be done there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.proposals import ProposalState
from hivetui.screens.proposal_rows import COLUMNS
from hivetui.screens.proposals import ProposalsScreen
from hivetui.widgets.table.columns import ColumnLayout
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Row
from hivetui.widgets.wording import shorten_worst

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated


def table(seat: Seat) -> LineTable:
    screen = seat.app.screen
    assert isinstance(screen, ProposalsScreen)
    return screen.table


async def submitted(seat: Seat, home: Home, agent: str, text: str = "") -> int:
    """A new proposal with this message and description; earlier pending ones of this agent are withdrawn."""
    for one in await seat.hive.proposals(agent=agent):
        await seat.hive.withdraw(one.id)
    commit = home.commit(agent, "{ ... }: { }\n", text or f"Change of {agent}")
    proposal = await seat.hive.submit(agent, commit, text)
    return proposal.id


@pytest.mark.parametrize("state", ["● pending", "? blocked", "↩ withdrawn"])
def test_at_80_columns_the_worst_severity_is_read_whole_beside_the_commit(state: str) -> None:
    layout = ColumnLayout(COLUMNS)
    texts = (state, "reviewer9", "4 critical", "rollback", "0123456789ab", "12mo", "moved", "A title " * 9, "", "")
    layout.grow([Row("1", (Cell("#12", "strong", 12), *texts))])
    layout.fit(80)
    shown = {COLUMNS[index].id: width for index, width in layout.shown}
    assert list(shown) == ["id", "state", "agent", "findings", "commit", "age", "title"]
    assert shown["findings"] >= len("4 critical")


def test_a_severity_that_does_not_fit_is_abbreviated_and_the_others_stay_counted() -> None:
    assert shorten_worst("6 critical +12", 14) == "6 critical +12"
    assert shorten_worst("6 critical +12", 10) == "6 crit +12"
    assert shorten_worst("10 medium +3", 10) == "10 medi +3"
    assert shorten_worst("2 high +1", 10) == "2 high +1"
    assert shorten_worst("4 critical", 10) == "4 critical"


@pytest.mark.slow
async def test_pending_proposals_come_oldest_first_then_decided_ones_newest_first(seated: Seated, home: Home) -> None:
    first, second = home.agents
    async with seated() as seat:
        decided = [await submitted(seat, home, first), await submitted(seat, home, first)]
        pending = [await submitted(seat, home, first), await submitted(seat, home, second)]
        await seat.press("2")
        await seat.when(lambda: table(seat).shown == tuple(map(str, pending)))
        await seat.press("f")
        await seat.when(lambda: table(seat).shown[:4] == tuple(map(str, (*pending, *reversed(decided)))))
        assert "↩ withdrawn" in seat.text


@pytest.mark.slow
async def test_a_key_lists_only_the_agent_under_the_cursor_and_says_so(seated: Seated, home: Home) -> None:
    first, second = home.agents
    async with seated() as seat:
        await submitted(seat, home, first)
        other = await submitted(seat, home, second)
        await seat.press("2")
        await seat.when(lambda: len(table(seat).shown) == 2)
        table(seat).go_to_key(str(other))
        await seat.press("A")
        await seat.until(f"{second} only (A: all agents")
        assert table(seat).shown == (str(other),)
        await seat.press("A")
        assert len(table(seat).shown) == 2


@pytest.mark.slow
async def test_a_denial_needs_a_note_and_is_found_under_its_state(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        number = await submitted(seat, home, home.agents[0])
        await seat.press("2")
        await seat.when(lambda: str(number) in table(seat).shown)
        table(seat).go_to_key(str(number))
        await seat.press("d")
        await seat.until(f"Deny #{number}")
        await seat.answer("enter")
        await seat.until("A reason is required.")
        await seat.answer(*"no", "enter")
        await seat.when(lambda: str(number) not in table(seat).shown)
        await seat.press("f", "f", "f", "f")
        await seat.when(lambda: table(seat).current == str(number))
        assert str(number) in table(seat).shown
        await seat.press("d")
        await seat.notified("was denied; it is no longer pending")


async def test_a_withdrawal_is_confirmed_first(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        number = await submitted(seat, home, home.agents[1])
        await seat.press("2")
        await seat.when(lambda: str(number) in table(seat).shown)
        table(seat).go_to_key(str(number))
        await seat.press("X")
        await seat.until(f"Withdraw #{number}")
        await seat.answer("y")
        await seat.when(lambda: str(number) not in table(seat).shown)
        decided = await seat.hive.proposals(decided=True)
        assert next(one for one in decided if one.id == number).state is ProposalState.WITHDRAWN


async def test_hostile_text_is_shown_as_text(seated: Seated, home: Home) -> None:
    async with seated(size=(160, 30)) as seat:
        number = await submitted(seat, home, home.agents[0], "[@click=app.quit]x[/]\x1b[31m\u202eexe")
        await seat.press("2")
        text = await seat.until("[@click=app.quit]x[/]‹U+001B›[31m‹U+202E›exe")
        assert f"#{number}" in text
        assert "\x1b" not in text


async def test_an_empty_list_says_why_it_is_empty(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        for one in await seat.hive.proposals():
            await seat.hive.withdraw(one.id)
        await seat.press("2")
        await seat.until("No pending proposals. Press f to see decided ones.")
        await seat.press("f", "f", "f")
        await seat.until("No failed proposals.")


@pytest.mark.slow
async def test_at_80_columns_the_agent_and_the_title_are_whole_and_the_title_is_said_once(
    seated: Seated, home: Home
) -> None:
    async with seated(size=(80, 24)) as seat:
        title = "It searches the mail"
        await submitted(seat, home, home.agents[0], f"{title}\n\nFor invoices.")
        await seat.press("2")
        await seat.until(title)
        await seat.press("G")  # the oldest come first, also those of other tests
        text = await seat.until("For invoices.")
        row = next(line for line in text.splitlines() if "? pending" in line and title in line)
        assert f" {home.agents[0]} " in row
        assert text.count(title) == 2  # in the row, and as the head of the summary


async def test_a_description_unfolds_into_the_rows_that_the_list_leaves_free(seated: Seated, home: Home) -> None:
    async with seated(size=(80, 24)) as seat:
        words = " ".join(f"word{number}" for number in range(15))
        body = "\n".join([words, *(f"Reason {number}." for number in range(6))])
        await submitted(seat, home, home.agents[0], f"A subject\n\n{body}")
        await seat.press("2", "G")
        await seat.until("word0", "word14", "Reason 5.")


@pytest.mark.slow
async def test_the_cursor_stays_on_the_way_to_another_screen_so_that_a_denial_is_of_the_same_proposal(
    seated: Seated, home: Home
) -> None:
    async with seated() as seat:
        numbers = [await submitted(seat, home, agent) for agent in home.agents]
        await seat.press("2")
        await seat.when(lambda: len(table(seat).shown) == 2)
        table(seat).go_to_key(str(numbers[1]))
        await seat.press("5", "2")
        await seat.when(lambda: isinstance(seat.app.screen, ProposalsScreen) and len(table(seat).shown) == 2)
        await seat.when(lambda: table(seat).current == str(numbers[1]))
        await seat.press("d")
        await seat.until(f"Deny #{numbers[1]}")
        await seat.press("escape")
