from __future__ import annotations

from time import sleep

import pytest

from hivetui.widgets.lines.timers import call_after
from hivetui.widgets.log.log_view import LogView
from tests.widgets.conftest import Staged, until


@pytest.mark.parametrize("seconds", [0.0, 0.000_001, 0.001, 0.02])
async def test_a_timer_fires_however_long_the_loop_was_blocked(stage: Staged, seconds: float) -> None:
    view, done = LogView(), list[str]()
    async with stage(view) as pilot:
        call_after(view, seconds, lambda: done.append("done"))
        sleep(0.05)  # noqa: ASYNC251  the loop is held up for longer than that
        await until(pilot, lambda: done == ["done"])
