"""An error that names a line of the proposal leads to that line of its review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.effect import EffectState
from hivetui.engine.model.operations import OperationState
from hivetui.screens.operation import OperationScreen
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

BROKEN = "{ ... }:\n{\n  environment.variables.A = \"1\";\n  environment.variables.X = nope;\n}\n"  # fmt: skip


async def shown_review(seat: Seat) -> ReviewScreen:
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def submitted(seat: Seat, home: Home) -> int:
    agent = home.agents[0]
    for one in await seat.hive.proposals(agent=agent):
        await seat.hive.withdraw(one.id)
    return (await seat.hive.submit(agent, home.commit(agent, BROKEN))).id


@pytest.mark.slow
async def test_a_key_on_a_failed_deploy_goes_to_the_line_that_its_error_names(seated: Seated, home: Home) -> None:
    async with seated(size=(100, 30)) as seat:
        number = await submitted(seat, home)
        proposal = (await seat.hive.review(number)).proposal
        operation = await seat.hive.approve(number, proposal.commit, proposal.base, "")
        async for _ in seat.hive.follow(operation.id):
            pass
        ended = await seat.hive.operation(operation.id)
        assert ended.state is OperationState.FAILED
        assert "agent.nix:4:29 of the proposal" in (ended.error or "")
        seat.navigator.open("operation", number=operation.id)
        await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
        await seat.until("p: agent.nix:4")
        await seat.press("p")
        screen = await shown_review(seat)
        assert screen.contents.proposal_id == number
        await seat.when(lambda: b"nope" in screen.diff.index.raw(screen.diff.line))


@pytest.mark.slow
async def test_a_key_in_a_failed_effect_goes_to_the_line_that_its_error_names(seated: Seated, home: Home) -> None:
    async with seated(size=(80, 24)) as seat:
        number = await submitted(seat, home)
        seat.navigator.open("review", number=number)
        screen = await shown_review(seat)
        await seat.press("E", "p")
        await seat.when(lambda: screen.contents.effect.state is EffectState.FAILED)
        await seat.until("o: go to agent.nix:4 in the diff", "place:      agent.nix:4")
        await seat.press("o")
        await seat.when(lambda: not screen.has_class("effect"))
        assert b"nope" in screen.diff.index.raw(screen.diff.line)


@pytest.mark.slow
async def test_escape_in_a_review_ends_the_search_then_closes_it(seated: Seated, home: Home) -> None:
    async with seated(size=(100, 30)) as seat:
        number = await submitted(seat, home)
        seat.navigator.open("review", number=number)
        screen = await shown_review(seat)
        await seat.press("slash", *"nope", "enter")
        await seat.until("1 of 1")
        await seat.press("escape")
        await seat.until(gone=("1 of 1",))
        assert seat.app.screen is screen, "the search was what ended"
        await seat.press("escape")
        await seat.when(lambda: seat.app.screen is not screen)
