"""One clock and one state: what a screen shows goes on with the time, and its parts say the same."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hivetui.console.state import StateChanged
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.operations import OperationState
from hivetui.screens.agents.lifecycle import refusal
from hivetui.screens.base import utc_now
from hivetui.screens.operation import OperationScreen
from hivetui.screens.review.screen import ReviewScreen
from tests.console.conftest import PATIENCE

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seated


pytestmark = pytest.mark.slow


async def test_the_age_of_a_decision_goes_on_while_a_review_is_read(seated: Seated, home: Home) -> None:
    async with seated() as seat:
        proposal = await seat.hive.submit(home.agents[0], home.commit(home.agents[0], "{ ... }: { }\n"))
        await seat.hive.withdraw(proposal.id)
        seat.navigator.open("review", number=proposal.id)
        await seat.until("decided by")
        screen = seat.app.screen
        assert isinstance(screen, ReviewScreen)
        screen.clock = lambda: utc_now() + timedelta(hours=3)
        await seat.until("3h ago")


async def test_the_line_of_keys_says_of_an_operation_what_its_header_says(seated: Seated) -> None:
    async with seated() as seat:
        ended = (await seat.hive.operations(ended=True))[0]
        seat.navigator.open("operation", number=ended.id)
        await seat.until("✓ succeeded")
        screen = seat.app.screen
        assert isinstance(screen, OperationScreen)
        stale = ended.model_copy(update={"state": OperationState.RUNNING, "step": "build"})
        screen.post_message(StateChanged(replace(screen.state, operations=(stale,))))
        await seat.when(lambda: screen.state.operations == (stale,))
        assert f"▶ {ended.kind}" not in seat.text.splitlines()[-1]


async def test_head_and_foot_name_the_same_step_at_every_step_of_a_running_operation(
    seated: Seated, home: Home
) -> None:
    agent, seen = home.agents[0], set[tuple[str, str]]()
    async with seated() as seat:
        for one in await seat.hive.proposals(agent=agent):
            await seat.hive.withdraw(one.id)
        commit = home.commit(agent, "{ ... }: { lab.buildSeconds = 3; }\n")
        proposal = await seat.hive.submit(agent, commit)
        operation = await seat.hive.approve(proposal.id, proposal.commit, proposal.base)
        seat.navigator.open("operation", number=operation.id)
        async with asyncio.timeout(2 * PATIENCE):
            while "✓ succeeded" not in seat.text:
                await seat.pilot.pause()
                head = re.search(rf"deploy {agent} #\d+, (\w.*?), for ", seat.text)
                foot = re.search(rf"▶ deploy {agent} (\S.*?) *$", seat.text)
                if head and foot:
                    seen.add((head[1], foot[1]))
    assert all(head == foot for head, foot in seen), seen
    assert len(seen) >= 2, seen


def test_nothing_is_offered_for_an_agent_that_an_operation_holds() -> None:
    agent = Agent(name="iris", container="h-iris", manager=False, port=8178, state=AgentState.RUNNING, operation=4)
    for action in ("stop", "restart", "rebuild", "destroy", "purge"):
        assert refusal(action, agent) == "Operation 4 is running on iris."
    assert refusal("logs", agent) is None
