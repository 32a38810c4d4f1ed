"""Filters of lists: a row with the text in its name comes before rows that have it anywhere else."""

from __future__ import annotations

import pytest

from hivetui.screens.agents.rows import COLUMNS as AGENT_COLUMNS
from hivetui.screens.history import HistoryScreen
from hivetui.screens.hives.all_agents import AllAgentsScreen
from hivetui.screens.hives.all_proposals import AllProposalsScreen
from hivetui.screens.hives.screen import HivesScreen
from hivetui.screens.operations import OperationsScreen
from hivetui.screens.proposals import ProposalsScreen
from hivetui.screens.review.files import FileList
from hivetui.screens.warnings import WarningsScreen
from hivetui.widgets.table.order import RowOrder
from hivetui.widgets.table.rows import Row

LISTS = {
    "hives": (HivesScreen.COLUMNS, ("name",)),
    "all agents": (AllAgentsScreen.COLUMNS, ("hive", "name")),
    "all proposals": (AllProposalsScreen.COLUMNS, ("hive", "id", "agent")),
    "agents": (AGENT_COLUMNS, ("name",)),
    "proposals": (ProposalsScreen.COLUMNS, ("id", "agent")),
    "operations": (OperationsScreen.COLUMNS, ("id", "agent")),
    "history": (HistoryScreen.COLUMNS, ("id", "agent")),
    "warnings": (WarningsScreen.COLUMNS, ("agents",)),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_name_of_a_row_wins_over_the_same_text_in_every_other_column_of_other_rows(name: str) -> None:
    columns, names = LISTS[name]
    order = RowOrder(columns)
    everywhere_else = Row("running", tuple("" if one.id in names else "running" for one in columns))
    for named in names:
        wanted = Row("nina", tuple("nina" if one.id == named else "" for one in columns))
        order.rows = {row.key: row for row in (everywhere_else, wanted)}
        order.filter = "nin"
        order.arrange()
        assert order.keys == ["nina"], named
        order.filter = "runn"
        order.arrange()
        assert order.keys == ["running"]


def test_a_path_wins_over_the_number_of_lines_of_another_file() -> None:
    order = FileList().order
    order.rows = {one.key: one for one in (Row("a", ("", "", "a.nix", "+12")), Row("b", ("", "", "x12.nix", "+1")))}
    order.filter = "12"
    order.arrange()
    assert order.keys == ["b"]
