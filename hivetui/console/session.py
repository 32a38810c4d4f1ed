"""The console's session with a hive: follow the stream of its changes, and post each new state to the screens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from hivetui.console.terminal.drain import wait_until_drained

if TYPE_CHECKING:  # the engine's models are imported after the first frame
    from datetime import datetime

    from hivetui.console.state import HiveState
    from hivetui.console.terminal.terminal_app import TerminalApp
    from hivetui.engine.api import Hive
    from hivetui.engine.model.settings import Settings

HiveOpener = Callable[[], Awaitable["Hive"]]
"""Opens the hive; imports the engine itself."""
SettingsReader = Callable[[], "Settings"]
"""Reads the settings; called in a thread, after the first frame."""

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 5.0
"""How long after the stream of changes failed it is asked for again: longer each time, until it works."""
LAST_RETRY_BEHIND_SECONDS = 60.0
"""The longest such pause of a hive that is not in front: nobody waits for it."""
PATIENCE_SECONDS = 2.0
"""How long the first state is waited for before the screens are shown without it."""


class Session:
    """An open hive and its newest state.

    A new state is posted to the screens of this hive only when the terminal has taken the previous frames: a slow one
    gets the newest state, not a queue of old ones. What needs a person rings the bell of the terminal that
    `environment` describes, with the `name` of this hive among several; "" for the only one. `on_change` is called when
    the state is another one, or the line is lost.
    """

    def __init__(
        self,
        app: TerminalApp,
        hive: Hive,
        settings: Settings,
        environment: Mapping[str, str],
        name: str,
        on_change: Callable[[], None],
    ) -> None:
        from hivetui.console.calls import Caller
        from hivetui.console.state import FollowedState
        from hivetui.engine.notices import NoticeFinder

        self.hive, self.settings = hive, settings.console
        self.is_in_front = True
        self._app, self._on_change = app, on_change
        self._caller = Caller(app, settings.notify, environment, name or hive.description.host)
        self._finder = NoticeFinder(hive, self._caller.add)
        self._followed = FollowedState(hive.description, self._finder.take)
        self._has_changed, self._has_state = asyncio.Event(), asyncio.Event()
        self._retry = asyncio.Event()

    @property
    def state(self) -> HiveState:
        """The newest state."""
        return self._followed.state

    @property
    def lost_since(self) -> datetime | None:
        """Since when the hive has not answered; None while it does."""
        return self.state.lost_at

    async def wait_for_state(self) -> None:
        """Wait for the first state, but not for long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_state.wait(), PATIENCE_SECONDS)

    def retry(self) -> None:
        """Ask a hive that is lost again now."""
        self._retry.set()

    async def keep_current(self) -> None:
        """Follow the changes of the hive, and post each new state to its screens of the stack, until cancelled."""
        try:
            # not two workers: one that is cancelled before its first step would never await its coroutine
            await asyncio.gather(self._follow_changes(), self._post_states())
        finally:
            self._finder.close()
            self._caller.close()

    async def _follow_changes(self) -> None:
        """Take every change; when the stream fails, show why, and go on where it ended."""
        pause = FIRST_RETRY_SECONDS
        while True:
            self._retry.clear()
            async for _ in self._followed.follow(self.hive):
                pause = FIRST_RETRY_SECONDS
                self._has_state.set()
                self._announce()
            self._announce()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._retry.wait(), pause)
            pause = min(2 * pause, LAST_RETRY_SECONDS if self.is_in_front else LAST_RETRY_BEHIND_SECONDS)

    def _announce(self) -> None:
        self._has_changed.set()
        self._on_change()

    async def _post_states(self) -> None:
        from hivetui.console.state import StateChanged

        while True:
            await self._has_changed.wait()
            await wait_until_drained(self._app)
            self._has_changed.clear()
            for screen in self._app.screen_stack:
                if getattr(screen, "hive", None) is self.hive:
                    screen.post_message(StateChanged(self.state))
