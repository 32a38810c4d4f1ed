"""The agents of all connected hives in one list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivetui.console.hives import HiveLink
from hivetui.console.session import Session
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.screens.agents.rows import COLUMNS, AgentRows
from hivetui.screens.hives.combined import CombinedScreen
from hivetui.screens.hives.requests import HiveRequested
from hivetui.screens.hives.rows import HIVE_COLUMN
from hivetui.screens.state_labels import DATA_KEPT
from hivetui.widgets.table.rows import Row

_FIGURES = ("memory", "cpu")
"""The columns that would have every hive sampled for as long as somebody looks."""
_SHOWN = [index for index, column in enumerate(COLUMNS) if column.id not in _FIGURES]


class AllAgentsScreen(CombinedScreen):
    """Enter goes to the agent in the list of its hive."""

    TAB = "all-agents"
    FOLD_TITLE = DATA_KEPT
    COLUMNS = (HIVE_COLUMN, *(COLUMNS[index] for index in _SHOWN))
    EMPTY = "No agents yet, on any connected hive."

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self._rows: dict[str, AgentRows] = {}

    def rows_of(self, link: HiveLink, session: Session, now: datetime) -> Iterable[Row]:
        """Every agent and every other container."""
        state, now = session.state, session.lost_since or now
        return self._rows.setdefault(link.name, AgentRows(_SHOWN)).make(state.agents, {}, state.operations, now)

    def request(self, name: str, key: str) -> HiveRequested:
        """The agent in the list of its hive."""
        return HiveRequested(name, agent=key)

    def show_time(self) -> None:
        """Go on with the ages."""
        self.show(self.state)
