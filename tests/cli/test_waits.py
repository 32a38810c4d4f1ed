"""What a verb on a terminal says of what it waits for."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

import pytest

from hivetui.cli import dispatch
from hivetui.cli.output import Output
from hivetui.engine import slow_program

_Ts = TypeVarTuple("_Ts")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts the timers that are set."""

    timers = 0

    def call_at(
        self, when: float, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


def test_a_verb_sets_no_timer_until_something_is_waited_for() -> None:
    async def run() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        async with dispatch._waits_reported(Output(io.StringIO(), Terminal(), as_json=False), ()):
            for _ in range(5):
                await asyncio.sleep(0)
            idle = loop.timers
            with slow_program.noted("`true` has not ended"):
                for _ in range(5):
                    await asyncio.sleep(0)
        return idle, loop.timers

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(run()) == (0, 1)


class Told(Terminal):
    """Sets `event` when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def write(self, text: str, /) -> int:
        self.event.set()
        return super().write(text)


@pytest.mark.slow
async def test_what_is_waited_for_after_something_else_is_told_as_soon() -> None:
    """It was told as late as what is told again: up to ten seconds."""
    told = Told()
    async with dispatch._waits_reported(Output(io.StringIO(), told, as_json=False), ()):
        for name in ("first", "second"):
            with slow_program.noted(f"`{name}` has not ended"):
                async with asyncio.timeout(3 * slow_program.SECONDS):
                    await told.event.wait()
            assert f"`{name}` has not ended for 2 s" in told.getvalue()
            told.event.clear()
            await asyncio.sleep(2 * dispatch._LOOK_SECONDS)  # time to see that nothing is waited for any more
