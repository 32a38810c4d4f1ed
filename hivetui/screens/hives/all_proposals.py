"""The pending proposals of all connected hives in one list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hivetui.console.hives import HiveLink
from hivetui.console.session import Session
from hivetui.screens.hives.combined import CombinedScreen
from hivetui.screens.hives.requests import HiveRequested
from hivetui.screens.hives.rows import HIVE_COLUMN
from hivetui.screens.proposal_rows import COLUMNS, build_row, sort_queue
from hivetui.widgets.table.rows import Row

_DECIDED = ("by", "note")
"""The columns that a pending proposal has nothing in."""
_SHOWN = [index for index, column in enumerate(COLUMNS) if column.id not in _DECIDED]


class AllProposalsScreen(CombinedScreen):
    """Enter opens the review, on the hive of the proposal."""

    TAB = "all-proposals"
    COLUMNS = (HIVE_COLUMN, *(COLUMNS[index] for index in _SHOWN))
    EMPTY = "No pending proposals on any connected hive."

    def rows_of(self, link: HiveLink, session: Session, now: datetime) -> Iterable[Row]:
        """The pending proposals, by severity, then age."""
        for proposal in sort_queue(session.state.proposals, {}):
            row = build_row(proposal, now)
            yield row._replace(cells=tuple(row.cells[index] for index in _SHOWN))

    def request(self, name: str, key: str) -> HiveRequested:
        """The review."""
        return HiveRequested(name, "review", number=int(key))
