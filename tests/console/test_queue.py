"""The queue in the console: identical changes are read once and approved each, and conflicts are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.findings import Finding, Severity
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.queue import QueuePlace
from hivetui.screens.proposal_rows import sort_queue
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

MODULE = "{ ... }:\n{\n  # a change for all\n}\n"


async def opened(seat: Seat, number: int) -> ReviewScreen:
    seat.navigator.open("review", number=number)
    await seat.when(
        lambda: (
            isinstance(seat.app.screen, ReviewScreen)
            and seat.app.screen.contents.proposal_id == number
            and not seat.app.screen.contents.is_loading
        )
    )
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


@pytest.mark.slow
async def test_a_change_for_several_agents_is_read_once_and_approved_each(seated: Seated, home: Home) -> None:
    async with seated(size=(140, 40)) as seat:
        first, second = [await seat.hive.submit(agent, home.commit(agent, MODULE)) for agent in home.agents]
        other = await seat.hive.submit(home.agents[0], home.commit(home.agents[0], MODULE.replace("all", "one")))
        await seat.press("2")
        await seat.until(f"=#{first.id} ", f"the same change as #{second.id} of {home.agents[1]}")
        await seat.until(f"its deploy makes #{other.id} stale")
        review = await opened(seat, first.id)
        await seat.until(f"the same change as #{second.id} of {home.agents[1]}: read once, approved each")
        await seat.press("v")
        await seat.until("1 viewed")
        await opened(seat, second.id)
        await seat.until("1 viewed", f"the same change as #{first.id} of {home.agents[0]}")
        await opened(seat, other.id)
        await seat.until("0 viewed")
        assert review.contents.pending is not None  # reading decides nothing


def with_finding(number: int, severity: Severity) -> Proposal:
    place = {"file": None, "line": None, "side": None, "node": None, "text": "", "why": ""}
    found = Finding.model_validate({"id": "r@1:0", "rule": "r", "severity": severity, **place})
    fields = {"kind": "deploy", "agent": "a", "state": "pending", "commit": "1" * 40, "base": "2" * 40, "stale": False}
    texts = {"title": "t", "description": "", "submitted_by": "ada", "submitted_at": datetime(2026, 11, 27, tzinfo=UTC)}
    return Proposal.model_validate({"id": number, "findings": (found,), **fields, **texts})


def test_groups_stand_at_the_place_of_their_most_serious_and_oldest_member() -> None:
    severities = {1: Severity.INFO, 2: Severity.HIGH, 3: Severity.INFO, 4: Severity.CRITICAL, 5: Severity.INFO}
    waiting = [with_finding(number, severity) for number, severity in severities.items()]
    places = {one: QueuePlace(proposal=one, agent="a", group=3 if one in (3, 4) else None) for one in severities}
    assert [one.id for one in sort_queue(waiting, places)] == [3, 4, 2, 1, 5]
    assert [one.id for one in sort_queue(waiting, {})] == [4, 2, 1, 3, 5]
