"""From the console to an agent itself: its web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.names import page_url, port_of
from hivetui.engine.model.operations import OperationKind

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seated


@pytest.mark.slow
async def test_w_shows_and_copies_where_the_page_of_a_running_agent_is(seated: Seated, home: Home) -> None:
    agent = home.agents[0]
    async with seated() as seat:
        await seat.press("w")
        await seat.notified(page_url(port_of(agent)))
        assert seat.app.clipboard == page_url(port_of(agent))
        await seat.hive.begin(OperationKind.STOP, agent)
        await seat.until("○ stopped")
        await seat.press("w")
        await seat.notified(f"{agent} is not running.")
