"""Streams logs into a view."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import CommandFailed, HiveError
from hivetui.engine.model.logs import LogQuery
from hivetui.screens.logs.text import explain_empty
from hivetui.widgets.log.log_view import LogView

RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0)
"""How long to wait before a stream that ended is read again; the last for every further time."""


class LogReader:
    """Follows one query at a time, reads a stream that ended again, and says in the view what is the matter."""

    def __init__(self, hive: Hive, view: LogView, show_error: Callable[[HiveError], None]) -> None:
        self._hive, self._view, self._show_error = hive, view, show_error
        self._return_to: float | None = None
        self._retry_notice = ""

    @property
    def is_returning(self) -> bool:
        """Whether older lines are being read, before the view goes back to the line it was at."""
        return self._return_to is not None

    def prepare(self, return_to: float | None) -> None:
        """Empty the view; `return_to` is the time of the line to stay at when it has been read again."""
        self._return_to = return_to
        self._view.clear()
        if return_to is not None:
            self._view.following, self._view.notice = False, "Loading older lines …"
        self._view.repaint()

    async def follow(self, query: LogQuery) -> None:
        """Read until cancelled; a stream that ends is read again from its last line on, and the view says so."""
        failures = 0
        while True:
            end = self._view.store.end
            try:
                reason = await self._feed(query)
            except HiveError as error:
                self._view.empty = (
                    f"Cannot read the log: {error.what}. {self._hive.description.complete_commands(error.fix)}"
                )
                self._set_notice(f"cannot read the log: {error.what}")
                self._show_error(error)
                return
            failures = 0 if self._view.store.end > end else failures + 1
            wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            self._retry_notice = f"stream ended{reason}; retrying in {wait:.0f} s"
            self._set_notice(self._retry_notice)
            await asyncio.sleep(wait)
            query = self._continue(query)

    async def _feed(self, query: LogQuery) -> str:
        """Show lines until the stream ends; the reason in brackets, if there is one."""
        try:
            async with aclosing(self._hive.logs(query)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    self._view.feed_lines(batch)
                    self._on_lines()
        except CommandFailed as error:
            return f" ({error.what})"
        return ""

    def _on_lines(self) -> None:
        """The stream works again, and the line to go back to may be among the new ones."""
        view = self._view
        if self._retry_notice:
            if view.notice == self._retry_notice:  # else a search has said something since
                self._set_notice("")
            self._retry_notice = ""
        if self._return_to is None:
            return
        number = _first_line_from(view, self._return_to)
        if number is not None:
            view.notice, self._return_to = "", None
            view.go_to(number - view.page + 1)

    def _continue(self, query: LogQuery) -> LogQuery:
        """The lines after the last one that was read."""
        store = self._view.store
        time = store.line(store.end - 1).time if store.end > store.first else None
        if time is None:
            return query
        after = datetime.fromtimestamp(time, UTC) + timedelta(microseconds=1)
        return query.model_copy(update={"since": after, "lines": None})

    async def explain_empty(self, query: LogQuery, states: Mapping[str, AgentState]) -> None:
        """Say why nothing is shown: a stream that is followed does not tell "nothing yet" from "nothing at all"."""
        probe = query.model_copy(update={"follow": False, "lines": 1})
        try:
            async with aclosing(self._hive.logs(probe)) as batches:  # type: ignore[type-var]
                if any([batch async for batch in batches]):
                    return
        except HiveError:
            return  # `follow` fails by the same and says so
        self._view.empty = explain_empty(query, states)
        self._view.repaint()

    def _set_notice(self, text: str) -> None:
        self._view.notice = text
        self._view.repaint()


def _first_line_from(view: LogView, time: float) -> int | None:
    """The number of the first line at or after a time, None while all are older."""
    store = view.store
    low, high = store.first, store.end
    while low < high:
        middle = (low + high) // 2
        if (store.line(middle).time or 0.0) < time:
            low = middle + 1
        else:
            high = middle
    return low if low < store.end else None
