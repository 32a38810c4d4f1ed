"""One look at a hive: everything that the screens share, asked for side by side."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError

from .state import HiveState


async def look(hive: Hive, before: HiveState) -> HiveState:
    """The state now; if the hive cannot be asked, the state before with the reason in `problem`."""
    try:
        agents, proposals, operations, warnings = await asyncio.gather(
            hive.agents(), hive.proposals(), hive.operations(), hive.warnings()
        )
    except HiveError as error:
        return replace(before, problem=error.what)
    return HiveState(before.description, agents, proposals, operations, warnings, None, True)
