"""Streams logs into a view."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from hivetui.engine.api import Hive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import CommandFailed, HiveError
from hivetui.engine.model.logs import LogLine, LogQuery, journal_of
from hivetui.screens.logs.text import describe_loading, explain_empty
from hivetui.widgets.log.binary import LOG_KIND, merge_binary_batches
from hivetui.widgets.log.log_view import LogView

RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0)
"""How long to wait before a stream that ended is read again; the last for every further time."""
SLOW_SECONDS = 3.0
"""A journal of which nothing has come for this long is worth a word."""


class LogReader:
    """Follows one query at a time, reads a stream that ended again, and says in the view what is the matter.

    Where a stream goes on, and which line the view stays at, is told by the cursors of journals: times do not ascend
    when the clock is set back.
    """

    def __init__(
        self, hive: Hive, view: LogView, show_error: Callable[[HiveError], None], clock: Callable[[], datetime]
    ) -> None:
        self._hive, self._view, self._show_error, self._clock = hive, view, show_error, clock
        self._oldest = ""  # the cursor of the first line that came
        self._newest: dict[str, str] = {}  # by journal: the cursor of the last line that came of it
        self._return_to: str | None = None
        self._passed: set[str] = set()  # cursors that are only met beyond the line to go back to
        self._retry_notice = ""
        self._begin = clock()

    @property
    def is_returning(self) -> bool:
        """Whether older lines are being read, before the view goes back to the line it was at."""
        return self._return_to is not None

    def prepare(self, stay: bool) -> None:
        """Empty the view; `stay` at the line that is the oldest one now, when it has been read again."""
        self._return_to = self._oldest if stay and self._oldest else None
        self._passed = set(self._newest.values())
        self._oldest, self._newest, self._begin = "", {}, self._clock()
        self._view.clear()
        if self._return_to is not None:
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
            query = self.continued(query)

    async def _feed(self, query: LogQuery) -> str:
        """Show lines until the stream ends; the reason in brackets, if there is one."""
        try:
            async with (
                aclosing(self._hive.logs(query)) as lines,  # type: ignore[type-var]
                aclosing(merge_binary_batches(lines, LOG_KIND)) as batches,
            ):
                async for batch in batches:
                    self._feed_lines(batch)
        except CommandFailed as error:
            return f" ({error.what})"
        return ""

    def _feed_lines(self, lines: Sequence[LogLine]) -> None:
        """The stream works again, and the line to go back to may be among the new ones."""
        view = self._view
        if self._retry_notice:
            if view.notice == self._retry_notice:  # else a search has said something since
                self._set_notice("")
            self._retry_notice = ""
        cursors = [line.cursor for line in lines]
        self._oldest = self._oldest or next(filter(None, cursors), "")
        self._newest.update((journal_of(cursor), cursor) for cursor in dict.fromkeys(cursors) if cursor)
        if self._return_to is None:
            view.feed_lines(lines)
            return
        index = next((at for at, cursor in enumerate(cursors) if cursor == self._return_to), None)
        view.feed_lines(lines[:index])
        number = view.store.end
        if index is not None:
            view.feed_lines(lines[index:])
        elif self._passed.isdisjoint(cursors):
            return
        else:  # the journal has dropped the line meanwhile
            number = view.store.first
        view.notice, self._return_to = "", None
        view.go_to(view.shown.position(number) - view.page + 1)

    def continued(self, query: LogQuery) -> LogQuery:
        """The lines after the last ones that were read; of a journal without any, those since the log was opened."""
        if not self._newest:
            return query
        since = max(self._begin, query.since or self._begin)
        return query.model_copy(update={"after": tuple(self._newest.values()), "since": since, "lines": None})

    async def explain_empty(self, query: LogQuery, states: Mapping[str, AgentState]) -> None:
        """Say why nothing is shown: a stream that is followed does not tell "nothing yet" from "nothing at all"."""
        probing = asyncio.ensure_future(self._has_lines(query.model_copy(update={"follow": False, "lines": 1})))
        try:
            if not (await asyncio.wait([probing], timeout=SLOW_SECONDS))[0]:
                self._set_empty(f"{describe_loading(query.agents)} `journalctl` has not ended yet.")
            if not await probing:
                self._set_empty(explain_empty(query, states))
        except HiveError:
            return  # `follow` fails by the same and says so
        finally:
            probing.cancel()

    async def _has_lines(self, probe: LogQuery) -> bool:
        async with aclosing(self._hive.logs(probe)) as batches:  # type: ignore[type-var]
            return any([batch async for batch in batches])

    def _set_empty(self, text: str) -> None:
        self._view.empty = text
        self._view.repaint()

    def _set_notice(self, text: str) -> None:
        self._view.notice = text
        self._view.repaint()
