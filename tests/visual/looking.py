"""How a picture comes about: the console on a hive that stands still, some keys, and the moment when all is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, NamedTuple

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from hivetui.app import HiveConsole
from hivetui.engine.api import Hive
from hivetui.engine.model.settings import ConsoleSection, Settings

from .moment import NOW
from .quiet import LOOK_SECONDS, PATIENCE, press, wait_until_quiet
from .still_hive import StillHive, wait_for_ever

Press = Callable[[Pilot[Any]], Awaitable[None]]


class Sees(NamedTuple):
    """What has to be on the screen before the next key."""

    text: str


Step = str | Sees
"""A key, or what to wait for."""


def console(hive: Hive | None = None, theme: str = "hive-dark") -> HiveConsole:
    """The console on a still hive, at the moment that never passes; without a hive it opens for ever."""

    async def opener() -> Hive:
        if hive is None:
            await wait_for_ever()
        assert hive is not None
        return hive

    return HiveConsole(opener, lambda: Settings(console=ConsoleSection(theme=theme)), clock=lambda: NOW)


def shown(app: App[Any]) -> str:
    """The text on the screen, with what is below a dialog."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


def walk(*steps: Step) -> Press:
    """Take these steps, from the first screen on, each when the console has done all that the one before started."""

    async def taken(pilot: Pilot[Any]) -> None:
        await _until(pilot.app, "hivetui")
        for step in steps:
            await (_until(pilot.app, step.text) if isinstance(step, Sees) else press(pilot.app, step))
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await wait_until_quiet(pilot.app)

    return taken


async def _until(app: App[Any], text: str) -> None:
    deadline = monotonic() + PATIENCE
    while text not in shown(app):
        assert monotonic() < deadline, f"{text!r} did not come:\n{shown(app)}"
        await asyncio.sleep(LOOK_SECONDS)
    await wait_until_quiet(app)


STILL = StillHive()
AGENTS = Sees("1:agents*")
"""The console has its agents."""
HOME = Sees("retry in 5 s")
"""The home screen, with the log in its detail."""
