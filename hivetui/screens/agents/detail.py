"""The detail of the selected agent, which loads what it shows by itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial

from textual.widgets import Static
from textual.worker import WorkType

from hivetui.console.state import is_foreign
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.widgets.agent_detail import LOG_LINES, AgentDetailView, Log

SETTLE_SECONDS = 0.15
"""How long the cursor rests on a row before its detail is loaded: moving through a long list loads nothing."""
LOG_SECONDS = 3.0
"""The shortest time between two paints of the log, however much is written into it."""
_EMPTY_SECONDS = 2.0
"""A log of which no line has come for so long is empty."""


class AgentDetailPane(AgentDetailView):
    """Loads the detail when another agent is selected or this one has changed, and follows its log while in front.

    The log of a running agent is one stream: to read it again and again would start a program each time.
    """

    def __init__(self, hive: Hive, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._hive, self._clock = hive, clock
        self._agent: Agent | None = None
        self._detail: AgentDetail | None = None
        self._log: Log = None
        self._loaded_for: tuple[object, ...] = ()
        self._lines: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._paints_log = False
        """Whether the log is going to be painted."""

    def pause(self) -> None:
        """Stop following the log, when the screen is not in front any more."""
        self.workers.cancel_group(self, "detail")
        self._loaded_for = self._loaded_for[:1]

    def load_again(self) -> None:
        """Ask again for what could not be loaded, or has stopped, while the line was away."""
        self._loaded_for = self._loaded_for[:1]
        if isinstance(self._log, str):
            self._log = None
        self.select(self._agent)

    def select(self, agent: Agent | None) -> None:
        """Show what is known of an agent at once, and load the rest where that is not known already."""
        self._agent = agent
        wanted = _detail_key(agent)
        # not `is_current`, which holds below a new screen until its background is known
        if wanted != self._loaded_for and self.app.screen is self.screen:
            settle = 0.0
            if wanted[:1] != self._loaded_for[:1]:
                self._detail, self._log, settle = None, None, SETTLE_SECONDS
            self._loaded_for = wanted
            if agent is not None:
                work: WorkType[None] = partial(self._load, agent, settle)  # a coroutine may never be awaited
                self.run_worker(work, group="detail", exclusive=True)
        self._show()

    def _show(self) -> None:
        if self.is_attached and self.query(Static):  # not while the screen is being mounted or closed
            root = self._hive.description.root
            self.show(self._agent, self._detail, self._log, root, self._clock())

    async def _load(self, agent: Agent, settle: float) -> None:
        await asyncio.sleep(settle)
        try:
            self._detail = await self._hive.agent(agent.name)
        except HiveError as error:
            self._log = error.what
        self._show()
        await self._load_log(agent)

    async def _load_log(self, agent: Agent) -> None:
        if is_foreign(agent):
            self._log = "not created by hivetui: its log is not shown"
            self._show()
            return
        self._lines.clear()
        query = LogQuery(agents=(agent.name,), lines=LOG_LINES, follow=agent.state is AgentState.RUNNING)
        if query.follow:  # it never ends, and nothing comes of an empty log
            self._paint_log_in(_EMPTY_SECONDS)
        try:
            async for batch in self._hive.logs(query):
                self._lines.extend(batch)
                self._paint_log_in(LOG_SECONDS if self._log else 0)
            self._paint_log()
        except HiveError as error:
            self._log = f"cannot read the log: {error.what}"
            self._show()

    def _paint_log_in(self, seconds: float) -> None:
        if not seconds:
            self._paint_log()
        elif not self._paints_log:
            self._paints_log = True
            asyncio.get_running_loop().call_later(seconds, self._paint_log)

    def _paint_log(self) -> None:
        self._paints_log = False
        if not isinstance(self._log, str):
            self._log = tuple(self._lines)
            self._show()


def _detail_key(agent: Agent | None) -> tuple[object, ...]:
    """What the detail depends on: the name first, and none of the figures that change all the time."""
    if agent is None:
        return ()
    return (agent.name, agent.state, agent.deployed, agent.deployed_commit, agent.since, agent.warnings)
