"""The rows of the agents: a second that changes nothing of what is shown makes none."""

from __future__ import annotations

from datetime import timedelta

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.state import Figures
from hivetui.screens.agents.rows import COLUMNS, AgentRows
from hivetui.widgets.table.rows import Cell, Row
from tests.visual import moment

SINCE = moment.NOW - timedelta(hours=3)
IRIS = moment.AGENTS[0].model_copy(update={"state": AgentState.RUNNING, "since": SINCE, "memory_bytes": None})
HUGO = IRIS.model_copy(update={"name": "hugo", "container": "h-hugo"})
UPTIME = next(index for index, column in enumerate(COLUMNS) if column.id == "uptime")


def test_only_the_row_is_made_anew_of_which_something_differs() -> None:
    rows = AgentRows(range(len(COLUMNS)))
    first = rows.make((IRIS, HUGO), {}, (), moment.NOW)
    second = rows.make((IRIS, HUGO), {}, (), moment.NOW + timedelta(seconds=1))
    assert [new is old for old, new in zip(first, second, strict=True)] == [True, True]
    used = {"h-hugo": Figures(container="h-hugo", memory_bytes=50 << 20, cpu_percent=3.0, tasks=4)}
    third = rows.make((IRIS, HUGO), used, (), moment.NOW)
    assert third[0] is first[0]
    assert any(isinstance(cell, Cell) and cell.text.startswith("50") for cell in third[1].cells)
    later = rows.make((IRIS, HUGO), used, (), moment.NOW + timedelta(hours=1))
    assert uptime(later[0]).text != uptime(first[0]).text


def test_agents_are_sorted_by_when_they_started_though_their_rows_are_of_different_moments() -> None:
    rows = AgentRows(range(len(COLUMNS)))
    younger = HUGO.model_copy(update={"since": SINCE + timedelta(seconds=20)})
    old, _ = rows.make((IRIS, younger), {}, (), moment.NOW)
    younger = younger.model_copy(update={"pending": (4,)})
    kept, new = rows.make((IRIS, younger), {}, (), moment.NOW + timedelta(seconds=30))
    assert kept is old
    assert uptime(new).sort < uptime(kept).sort  # type: ignore[operator]


def uptime(row: Row) -> Cell:
    cell = row.cells[UPTIME]
    assert isinstance(cell, Cell)
    return cell
