"""Calls a person: the terminal's bell and a notification of it, when something in the hive needs somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hivetui.console.terminal import desktop_notification
from hivetui.engine.model.notices import Notice
from hivetui.engine.model.settings import NotifySection

if TYPE_CHECKING:
    from hivetui.console.terminal.terminal_app import TerminalApp

PAUSE_SECONDS = 1.0
"""Between two calls. What comes meanwhile is one call, or a flood of proposals would be one of bells."""


class Caller:
    """Calls for each notice that needs a person, by the means that the settings allow and the terminal has."""

    def __init__(
        self, app: TerminalApp, settings: NotifySection, environment: Mapping[str, str], host: str | None = None
    ) -> None:
        self._app, self._bell = app, settings.bell
        self._title = "hivetui" if host is None else f"hivetui {host}"
        chosen = (settings.osc,) if isinstance(settings.osc, str) else desktop_notification.known_sequences(environment)
        self._sequences = chosen if settings.osc else ()
        self._pending: list[Notice] = []
        self._pause: asyncio.TimerHandle | None = None

    def add(self, notice: Notice) -> None:
        """Call now, or at the end of the pause after the last call."""
        if notice.kind.needs_person:
            self._pending.append(notice)
            if self._pause is None:
                self._call()

    def close(self) -> None:
        """Call no more."""
        if self._pause is not None:
            self._pause.cancel()

    def _call(self) -> None:
        self._pause = None
        if not self._pending:
            return
        first, *others = self._pending
        self._pending.clear()
        text = f"{first.text} (and {len(others)} more)" if others else first.text
        notification = desktop_notification.encode(self._title, text, self._sequences)
        self._app.write_to_terminal("\a" * self._bell + notification)
        self._pause = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._call)
