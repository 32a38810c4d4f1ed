"""The hives of one console: which there are, how each is connected, and which one is in front.

Each is opened when it is wanted and followed from then on, by itself: one that is slow or dead holds up no other. Only
the one in front has screens. The others call the operator when they need somebody, and are listed by `HivesScreen`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from textual.message import Message

from hivetui.console.session import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_BEHIND_SECONDS,
    HiveOpener,
    Session,
)
from hivetui.console.terminal.drain import wait_until_drained
from hivetui.engine.model.errors import HiveError, TryAgain, Unavailable

if TYPE_CHECKING:
    from textual.worker import Worker, WorkType

    from hivetui.console.terminal.terminal_app import TerminalApp
    from hivetui.engine.api import Hive
    from hivetui.engine.model.settings import Settings

ShellCommand = Callable[[str], list[str]]
"""The command that opens a shell in the container of an agent."""
PREFERENCE_SECONDS = 8.0
"""How long the hive that was named first is waited for, when another one is open already."""


@dataclass(frozen=True)
class HiveSource:
    """A hive that the console can open, under the name that the operator gave it.

    One that is `named`, on the command line, is opened at the start; without a `shell_command` no shells are opened.
    """

    name: str
    open: HiveOpener
    shell_command: ShellCommand | None = None
    named: bool = True


class Condition(StrEnum):
    """How a hive is connected, in the words of the screen."""

    CLOSED = "not connected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    FAILED = "failed"
    """It could not be opened, and is not tried again: it refused the login."""


class HivesChanged(Message):
    """Something about the hives is different, posted to every screen of the stack; their `Hives` says what."""


class HiveLink:
    """One hive of the console: its session while it is open, else why it is not."""

    def __init__(
        self,
        app: TerminalApp,
        source: HiveSource,
        new_session: Callable[[str, Hive], Session],
        on_change: Callable[[], None],
    ) -> None:
        self.source = source
        self.session: Session | None = None
        self.error: HiveError | None = None
        """Why the last attempt to open it failed; None while it is open."""
        self._failing_since: datetime | None = None
        self._app, self._new_session, self._on_change = app, new_session, on_change
        self._worker: Worker[None] | None = None
        self._retry = asyncio.Event()
        self.is_settled = asyncio.Event()
        """Set when the first attempt to open it has ended, either way."""

    @property
    def name(self) -> str:
        """The name that the operator gave it."""
        return self.source.name

    @property
    def is_active(self) -> bool:
        """Whether it is open, being opened, or tried again."""
        return self._worker is not None and not self._worker.is_finished

    @property
    def condition(self) -> Condition:
        """How it is connected now."""
        if self.session is not None:
            return Condition.CONNECTED if self.session.lost_since is None else Condition.LOST
        if self.error is not None:
            return Condition.LOST if self.is_active else Condition.FAILED
        return Condition.CONNECTING if self.is_active else Condition.CLOSED

    @property
    def is_away(self) -> bool:
        """Whether it is wanted and does not answer."""
        return self.condition in (Condition.LOST, Condition.FAILED)

    @property
    def since(self) -> datetime | None:
        """Since when it is away."""
        return self._failing_since if self.session is None else self.session.lost_since

    @property
    def problem(self) -> str:
        """Why it is away, or what of it could not be read, as one sentence; "" when all is well."""
        if self.session is not None:
            return self.session.state.problem or ""
        return "" if self.error is None else ": ".join(filter(None, (self.error.what, self.error.why.split("\n")[0])))

    def open(self) -> None:
        """Open it, or try again now if it is away."""
        if self.is_active:
            self._retry.set()
            if self.session is not None and self.session.lost_since is not None:
                self.session.retry()
        else:
            self._worker = self._app.run_worker(self._run, group="hives")
        self.error = None
        self._on_change()

    def close(self) -> None:
        """Close it, and do not try again."""
        if self._worker is not None:
            self._worker.cancel()
        if self.session is not None:
            closing: WorkType[None] = self.session.hive.close
            self._app.run_worker(closing, group="hives")
        self._worker = self.session = self.error = self._failing_since = None
        self._on_change()

    async def _run(self) -> None:
        hive = await self._opened()
        if hive is None:
            return
        self.session, self.error, self._failing_since = self._new_session(self.name, hive), None, None
        self.is_settled.set()
        self._on_change()
        await self.session.keep_current()

    async def _opened(self) -> Hive | None:
        """The hive; None if it cannot be opened as things stand, such as one that refuses the login."""
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                return await self.source.open()
            except HiveError as error:
                self.error, self._failing_since = error, self._failing_since or datetime.now(UTC)
                may_succeed = isinstance(error, Unavailable | TryAgain)
                if not may_succeed:
                    self._worker = None  # a login that is refused again and again looks like an attack
                self.is_settled.set()
                self._on_change()
                if not may_succeed:
                    return None
            self._retry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._retry.wait(), pause)
            pause = min(2 * pause, LAST_RETRY_BEHIND_SECONDS)


class Hives:
    """All hives of the console, in the order in which they are listed; the one in front is known once it is open."""

    def __init__(self, app: TerminalApp, sources: Sequence[HiveSource], settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._has_changed = asyncio.Event()
        self.links = [HiveLink(app, source, self._new_session, self._has_changed.set) for source in sources]
        self.front = self.links[0]

    @property
    def are_several(self) -> bool:
        """Whether there is more than one to choose from."""
        return len(self.links) > 1

    def link(self, name: str) -> HiveLink:
        """The one of that name."""
        return next(link for link in self.links if link.name == name)

    def link_of(self, hive: Hive) -> HiveLink | None:
        """The one that has this hive open; None if it was closed."""
        return next((link for link in self.links if link.session is not None and link.session.hive is hive), None)

    def name_of(self, hive: Hive) -> str:
        """The name of the one that has this hive open; "closed" when it was closed."""
        link = self.link_of(hive)
        return "closed" if link is None else link.name

    @property
    def in_need(self) -> list[HiveLink]:
        """Those behind the one in front that are away, or have proposals to decide about."""
        behind = (link for link in self.links if link is not self.front)
        return [link for link in behind if link.is_away or (link.session is not None and link.session.state.proposals)]

    @property
    def away(self) -> list[HiveLink]:
        """Those behind the one in front that do not answer."""
        return [link for link in self.links if link is not self.front and link.is_away]

    async def open_first(self) -> Session:
        """Open all that were named; the session of the first that is open, which is in front from now on.

        That is the one named first, unless it takes long. Raises its error when none can be opened.
        """
        named = [link for link in self.links if link.source.named]
        for link in named:
            link.open()
        if self.are_several:
            posting: WorkType[None] = self._post_changes
            self._app.run_worker(posting, group="hives")
        settling = {link: asyncio.ensure_future(link.is_settled.wait()) for link in named}
        await asyncio.wait([settling[named[0]]], timeout=PREFERENCE_SECONDS if len(named) > 1 else None)
        while (first := next((link for link in named if link.session is not None), None)) is None:
            pending = [task for task in settling.values() if not task.done()]
            if not pending:
                error = named[0].error
                for link in named:
                    link.close()
                raise error or AssertionError("it has settled without an error")
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in settling.values():
            task.cancel()
        return self.bring_to_front(first)

    def bring_to_front(self, link: HiveLink) -> Session:
        """Have an open hive in front; its session."""
        assert link.session is not None
        self.front = link
        for one in self.links:
            if one.session is not None:
                one.session.is_in_front = one is link
        link.open()
        self._has_changed.set()
        return link.session

    def _new_session(self, name: str, hive: Hive) -> Session:
        name = name if self.are_several else ""
        session = Session(self._app, hive, self._settings, os.environ, name, self._has_changed.set)
        session.is_in_front = self.front.session is None
        return session

    async def _post_changes(self) -> None:
        while True:
            await self._has_changed.wait()
            await wait_until_drained(self._app)
            self._has_changed.clear()
            for screen in self._app.screen_stack:
                screen.post_message(HivesChanged())
