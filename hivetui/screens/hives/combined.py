"""What the lists of several hives share: rows of all that are connected, and the way to the hive of a row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType

from hivetui.console import keymap
from hivetui.console.hives import HiveLink, HivesChanged
from hivetui.console.session import Session
from hivetui.console.state import HiveState
from hivetui.screens.base import OpenRequested
from hivetui.screens.hives.requests import HiveRequested
from hivetui.screens.hives.rows import split_key, with_hive
from hivetui.screens.listing import ListScreen
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Row


class CombinedScreen(ListScreen):
    """Subclasses make the rows of one hive, and say what a row leads to. Nothing is decided here."""

    IS_ABOUT_ALL = True
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("all", "list")

    def rows_of(self, link: HiveLink, session: Session, now: datetime) -> Iterable[Row]:
        """The rows of one hive, without its name."""
        raise NotImplementedError

    def request(self, name: str, key: str) -> HiveRequested:
        """What Enter asks for on a row of that hive."""
        raise NotImplementedError

    def show(self, state: HiveState) -> None:
        """The rows of all hives that are open, in the order of the list of hives."""
        if self.hives is None:
            return
        now, rows = self.clock(), list[Row]()
        for link in self.hives.links:
            if link.session is not None:
                rows += with_hive(link.name, self.rows_of(link, link.session, now), link.is_away)
        self.table.set_rows(rows)

    def problems(self) -> Iterable[str]:
        """The hives whose rows are old or missing."""
        links = () if self.hives is None else self.hives.links
        return [f"▲ {link.name} does not answer: {link.problem}" for link in links if link.is_away]

    def on_hives_changed(self, message: HivesChanged) -> None:
        """Show what changed in any of them, if somebody looks."""
        if self.is_current:
            self._show_all()

    def action_show_agents(self) -> None:
        """Open the agents of all hives in place of this list."""
        self.post_message(OpenRequested(self.hive, "all-agents"))

    def action_show_proposals(self) -> None:
        """Open the pending proposals of all hives in place of this list."""
        self.post_message(OpenRequested(self.hive, "all-proposals"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the key that opens this list."""
        return action != self.TAB.replace("all-", "show_") and super().check_action(action, parameters)

    def label_of(self, key: str) -> str:
        """How a row is named in a sentence."""
        return " ".join(split_key(key))

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: go to the hive of this row, and to what the row is about."""
        self.post_message(self.request(*split_key(message.key)))
