"""The console's session with a hive: open it, load its state again and again, and post each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import process_time
from typing import TYPE_CHECKING, Any

from hivetui.console.terminal.drain import is_drained

if TYPE_CHECKING:  # the engine's models are imported after the first frame
    from textual.app import App

    from hivetui.engine.api import Hive
    from hivetui.engine.model.settings import ConsoleSection

HiveOpener = Callable[[], Awaitable["Hive"]]
"""Opens the hive; imports the engine itself."""
SettingsReader = Callable[[], "ConsoleSection"]
"""Reads the console's settings; called in a thread, after the first frame."""

WATCH_RETRY_SECONDS = 5.0
"""How long after the stream of changes failed it is asked for again."""
_PAUSE_FOR_COST = 30
"""Figures are read again after this many times what it cost: a large hive must not keep a core busy with them."""
DRAIN_SECONDS = 0.02
"""How often a slow terminal is asked again whether it has taken everything that was painted."""


class Session:
    """An open hive and the state that was last loaded from it.

    A new state is posted to the screens of `app` only when the terminal has taken the previous frames: a slow one gets
    the newest state, not a queue of old ones.
    """

    def __init__(
        self,
        app: App[Any],
        hive: Hive,
        settings: ConsoleSection,
        describe_slow_program: Callable[[], str | None] = lambda: None,
    ) -> None:
        from hivetui.console.state import HiveState, StateLoader

        self.hive = hive
        self.settings = settings
        self.state = HiveState(description=hive.description)
        self._app = app
        self._loader = StateLoader(hive, describe_slow_program)
        self._has_changed = asyncio.Event()
        self._refresh_cost = 0.0
        """Seconds of CPU time of the last refresh."""

    async def refresh(self) -> None:
        """Load the state, and post it to every screen of the stack if it has changed."""
        from hivetui.console.state import StateChanged

        state = await self._loader.load(self.state)
        if state == self.state:
            return
        while not is_drained(self._app):  # noqa: ASYNC110  Textual's writer thread has no event to wait for
            await asyncio.sleep(DRAIN_SECONDS)
        self.state = state
        for screen in self._app.screen_stack:
            screen.post_message(StateChanged(state))

    async def keep_current(self) -> None:
        """Refresh at every change of the hive, and now and then for the figures, until cancelled."""
        # not two workers: one that is cancelled before its first step would never await its coroutine
        await asyncio.gather(self._refresh_regularly(), self._receive_changes())

    async def _refresh_regularly(self) -> None:
        while True:
            pause = max(self.settings.refresh_seconds, self._refresh_cost * _PAUSE_FOR_COST)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_changed.wait(), pause)
            self._has_changed.clear()
            before = process_time()
            await self.refresh()
            self._refresh_cost = process_time() - before

    async def _receive_changes(self) -> None:
        """The state says itself what fails; changes are asked for again until they come."""
        from hivetui.engine.model.errors import HiveError

        while True:
            with suppress(HiveError):
                async for _ in self.hive.watch():
                    self._has_changed.set()
            await asyncio.sleep(WATCH_RETRY_SECONDS)
