"""Pictures wait for what a busy machine does late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hivetui.engine.model.agents import AgentDetail
from hivetui.engine.model.logs import LogLine, LogQuery

from .looking import HOME, console, shown, walk
from .still_hive import StillHive

LATE_SECONDS = 0.3


@dataclass(frozen=True)
class LateHive(StillHive):
    """A hive that answers late what the detail of an agent asks."""

    async def agent(self, name: str) -> AgentDetail:
        await asyncio.sleep(LATE_SECONDS)
        return await super().agent(name)

    async def logs(self, query: LogQuery) -> AsyncIterator[list[LogLine]]:
        await asyncio.sleep(LATE_SECONDS)
        async for lines in super().logs(query):
            yield lines


async def test_a_picture_waits_for_the_late_detail_that_its_last_key_asks_for() -> None:
    app = console(LateHive())
    async with app.run_test(size=(80, 24)) as pilot:
        await walk(HOME, "j")(pilot)
        _, found, log = shown(app).partition("container h-alice  14 tasks")
        assert found
        assert "retry in 5 s" in log
