"""What runs now with how far it is, then what ran, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation
from hivetui.screens.base import OpenRequested
from hivetui.screens.cancel import ask_cancel, cancel_obstacle
from hivetui.screens.listing import ListScreen
from hivetui.screens.operation_text import format_step
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row


class OperationsScreen(ListScreen):
    """Operations; one of them is a key away."""

    TAB = "operations"
    GROUPS = ("operations", "list")
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("operations", "list")
    COLUMNS = (
        Column("id", "ID", 4, 6, priority=10, align="right"),
        Column("state", "STATE", 13, 13, priority=9),
        Column("kind", "KIND", 8, 8, priority=8),
        Column("agent", "AGENT", 5, 9, priority=8),
        Column("step", "STEP", 10, 18, priority=7),
        Column("took", "TOOK", 7, 8, priority=6, align="right"),
        Column("age", "AGE", 4, 5, priority=5, align="right"),
        Column("by", "BY", 6, 12, priority=2),
        Column("error", "ERROR", 12, 90, priority=4),
    )

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self._ended = True
        self._all: tuple[Operation, ...] = ()

    def show(self, state: HiveState) -> None:
        """What runs comes with the state; what ran is asked for."""
        if self._ended:
            self.run_worker(self._load(), group="ended", exclusive=True)
        else:
            self._all = state.operations
            self._paint()

    async def _load(self) -> None:
        try:
            self._all = await self.hive.operations(ended=True)
        except HiveError as error:
            self.show_error(error)
        self._paint()

    def empty(self) -> str:
        """Nothing runs, or nothing ever ran."""
        if not self._ended:
            return "Nothing runs. Press f to see what ran."
        return "Nothing ran yet: press 1 for the agents, and start, rebuild or spawn one."

    def _paint(self) -> None:
        if not self.is_ready:
            return
        now = self.clock()
        self.table.set_rows([build_row(one, now) for one in sorted(self._all, key=_running_first)])
        self.show_notices()
        self.refresh_bindings()

    def operation(self) -> Operation | None:
        """The one under the cursor."""
        return next((one for one in self._all if str(one.id) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """Only what runs can be cancelled."""
        if action == "cancel":
            operation = self.operation()
            if operation is None:
                return "no operation is selected"
            return cancel_obstacle(operation)
        if action == "open" and self.operation() is None:
            return "no operation is selected"
        return None

    def on_line_table_row_highlighted(self) -> None:
        """Which keys are legal depends on the row."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: its output."""
        self.post_message(OpenRequested("operation", (), int(message.key)))

    def action_state(self) -> None:
        """What runs, or everything."""
        self._ended = not self._ended
        self.show(self.state)

    def action_cancel(self) -> None:
        """Cancel it, if the operator confirms."""
        if (operation := self.operation()) is not None:
            ask_cancel(self, operation)


def _running_first(operation: Operation) -> tuple[bool, int]:
    return operation.state.ended, -operation.id


def build_row(operation: Operation, now: datetime) -> Row:
    """One operation as a row."""
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    took = (operation.ended_at or now) - operation.started_at
    return Row(
        str(operation.id),
        (
            Cell(str(operation.id), "strong", operation.id),
            Cell(f"{glyph} {operation.state}", tone),
            str(operation.kind),
            operation.agent,
            format_step(operation) if not operation.state.ended else operation.step or "",
            Cell(wording.span(took), "", took.total_seconds()),
            Cell(wording.ago(operation.started_at, now), "", -operation.started_at.timestamp()),
            operation.operator,
            Cell((operation.error or "").partition("\n")[0], "bad"),
        ),
    )
