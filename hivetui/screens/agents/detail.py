"""The detail of the selected agent, which loads what it shows by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from textual.widgets import Static

from hivetui.console.state import is_foreign
from hivetui.engine.api import Hive
from hivetui.engine.model.agents import Agent, AgentDetail, AgentState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.widgets.agent_detail import LOG_LINES, AgentDetailView, Log

SETTLE_SECONDS = 0.15
"""How long the cursor rests on a row before its detail is loaded: moving through a long list loads nothing."""
LOG_SECONDS = 3.0
"""How often the last lines of the log are loaded again: each time starts a process."""


class AgentDetailPane(AgentDetailView):
    """Loads the detail when another agent is selected or this one has changed, and its log every few seconds."""

    def __init__(self, hive: Hive, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._hive, self._clock = hive, clock
        self._agent: Agent | None = None
        self._detail: AgentDetail | None = None
        self._log: Log = None
        self._loaded_for: tuple[object, ...] = ()

    def on_mount(self) -> None:
        """Start to refresh the log."""
        self.set_interval(LOG_SECONDS, self._refresh_log)

    def select(self, agent: Agent | None) -> None:
        """Show what is known of an agent at once, and load the rest where that is not known already."""
        self._agent = agent
        wanted = _detail_key(agent)
        if wanted != self._loaded_for:
            settle = 0.0
            if wanted[:1] != self._loaded_for[:1]:
                self._detail, self._log, settle = None, None, SETTLE_SECONDS
            self._loaded_for = wanted
            if agent is not None:
                self.run_worker(self._load(agent, settle), group="detail", exclusive=True)
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

    def _refresh_log(self) -> None:
        agent = self._agent
        if not self.screen.is_current or agent is None or self._log is None:
            return
        if agent.state is AgentState.RUNNING:
            self.run_worker(self._load_log(agent), group="detail", exclusive=True)

    async def _load_log(self, agent: Agent) -> None:
        if is_foreign(agent):
            self._log = "not created by hivetui: its log is not shown"
        else:
            try:
                self._log = await self._read_last_lines(agent.name)
            except HiveError as error:
                self._log = f"cannot read the log: {error.what}"
        self._show()

    async def _read_last_lines(self, name: str) -> tuple[LogLine, ...]:
        lines: list[LogLine] = []
        async for batch in self._hive.logs(LogQuery(agents=(name,), lines=LOG_LINES)):
            lines += batch
        return tuple(lines[-LOG_LINES:])


def _detail_key(agent: Agent | None) -> tuple[object, ...]:
    """What the detail depends on: the name first, and none of the figures that change all the time."""
    if agent is None:
        return ()
    return (agent.name, agent.state, agent.deployed, agent.deployed_commit, agent.since, agent.warnings)
