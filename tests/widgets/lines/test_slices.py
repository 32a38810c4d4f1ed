from __future__ import annotations

import asyncio
from time import perf_counter

from hivetui.widgets.lines.slices import run_sliced


async def test_other_tasks_run_while_long_work_goes_on() -> None:
    def steps() -> object:
        until = perf_counter() + 0.1
        while perf_counter() < until:
            yield

    work = asyncio.create_task(run_sliced(steps()))  # type: ignore[arg-type]
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20
