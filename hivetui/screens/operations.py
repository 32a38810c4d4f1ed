"""The running operations with their current step, then those that have ended, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.steps import label
from hivetui.engine.model.text import safe
from hivetui.engine.model.times import format_date_time, format_moment
from hivetui.screens.base import OpenRequested
from hivetui.screens.cancel import ask_cancel, cancel_obstacle
from hivetui.screens.detail_list import DetailListScreen
from hivetui.screens.operation_text import format_step
from hivetui.screens.retry import operation_retry_obstacle, retry_operation
from hivetui.widgets import wording
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row


class OperationsScreen(DetailListScreen):
    """The list of operations."""

    TAB = "operations"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("operations", "list")
    COLUMNS = (
        Column("id", "ID", 4, 6, priority=10, align="right", names=True),
        Column("state", "STATE", 13, 13, priority=9),
        Column("kind", "KIND", 8, 8, priority=8),
        Column("agent", "AGENT", 9, 9, priority=8, names=True),
        Column("step", "STEP", 10, 18, priority=7),
        Column("took", "TOOK", 7, 8, priority=6, align="right"),
        Column("age", "AGE", 4, 5, priority=5, align="right"),
        Column("by", "BY", 6, 12, priority=5),
        Column("error", "ERROR", 12, 90, priority=4, enough=60),
        Column("proposal", "PROP", 5, 6, priority=2),
        Column("started", "STARTED", 21, 21, priority=1),
    )

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive, state)
        self._shows_ended = True
        self._loaded: tuple[Operation, ...] | None = None  # with those that have ended

    def show(self, state: HiveState) -> None:
        """Running operations come with the state; those that have ended are loaded, unless the line is lost."""
        if self._shows_ended and state.lost_at is None:
            self.run_loading(self._load, "ended")
        else:
            self._paint()

    async def _load(self) -> None:
        loaded = await self.load_rows(self.hive.operations(ended=True))
        self._loaded = loaded if loaded is not None else self._loaded
        self._paint()

    @property
    def _operations(self) -> tuple[Operation, ...]:
        """Those that are listed, as far as they are known."""
        return self._loaded if self._shows_ended and self._loaded is not None else self.state.operations

    @property
    def is_known(self) -> bool:
        """Whether those that have ended are known, if they are listed."""
        return super().is_known and not (self._shows_ended and self._loaded is None)

    def notices(self) -> Iterable[str]:
        """That only the running ones are known yet."""
        if not self.is_known and self._operations:
            yield "The ended ones are not known yet."

    def show_time(self) -> None:
        """Go on with the ages."""
        self._paint()

    def empty(self) -> str:
        """Why there is no row."""
        if not self._shows_ended:
            return f"No operations are running. Press {keymap.current_key('operations.state')} to show ended ones."
        agents = keymap.current_key("everywhere.agents")
        return f"No operations yet. Press {agents} for the agents, then start, rebuild or spawn one."

    def _paint(self) -> None:
        if not self.is_ready:
            return
        operations = sorted(self._operations, key=_running_first)
        now, lost_at = self.clock(), self.state.lost_at
        self.table.set_rows([build_row(one, now, lost_at) for one in operations])
        self.show_notices()
        self.show_detail()
        self.refresh_bindings()

    def detail(self) -> Content:
        """All of the operation under the cursor."""
        operation = self.current_operation
        return build_detail(operation, self.state.lost_at or self.clock()) if operation is not None else Content("")

    @property
    def current_operation(self) -> Operation | None:
        """The operation under the cursor."""
        return next((one for one in self._operations if str(one.id) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """Only a running operation can be cancelled, and only one that failed is tried again."""
        if action not in ("cancel", "retry", "open"):
            return None
        operation = self.current_operation
        if operation is None:
            return "No operation is selected."
        if action == "retry":
            return operation_retry_obstacle(operation, self.operations)
        return cancel_obstacle(operation) if action == "cancel" else None

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: open its output."""
        self.post_message(OpenRequested(self.hive, "operation", (), int(message.key)))

    def action_state(self) -> None:
        """Show or hide those that have ended."""
        self._shows_ended = not self._shows_ended
        self.table.forget_widths()
        self.show(self.state)

    def action_cancel(self) -> None:
        """Cancel it, if the operator confirms."""
        if (operation := self.current_operation) is not None:
            ask_cancel(self, operation)

    def action_retry(self) -> None:
        """Try again what failed."""
        if (operation := self.current_operation) is not None:
            retry_operation(self, operation)


def _running_first(operation: Operation) -> tuple[bool, int]:
    return operation.state.ended, -operation.id


def build_row(operation: Operation, now: datetime, as_of: datetime | None = None) -> Row:
    """One operation as a row; `as_of` is when it was last heard of, if that is not now."""
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    duration = (operation.ended_at or as_of or now) - operation.started_at
    return Row(
        str(operation.id),
        (
            Cell(str(operation.id), "strong", operation.id),
            Cell(f"{glyph} {operation.state}", tone),
            str(operation.kind),
            operation.agent,
            format_step(operation) if not operation.state.ended else label(operation.step or ""),
            Cell(wording.format_span(duration), "", duration.total_seconds()),
            Cell(wording.format_age(operation.started_at, now), "", -operation.started_at.timestamp()),
            operation.operator,
            Cell((operation.error or "").partition("\n")[0], "bad"),
            "" if operation.proposal is None else f"#{operation.proposal}",
            Cell(format_moment(operation.started_at, now, utc=False), "", operation.started_at.timestamp()),
        ),
    )


def build_detail(operation: Operation, now: datetime) -> Content:
    """All of one operation, wrapped by the widget that shows it: what, when, who, and its error.

    `now` is when it was last heard of.
    """
    of = "" if operation.proposal is None else f", proposal #{operation.proposal}"
    at = f" at {label(operation.step)}" if operation.step and operation.error else ""
    local, utc = format_date_time(operation.started_at, None), format_date_time(operation.started_at)
    took = wording.format_span((operation.ended_at or now) - operation.started_at)
    lasted = "took" if operation.state.ended else "running for"
    lines = [
        (f"{operation.id} {operation.kind} of {operation.agent}{of}: {operation.state}{at}", "bold"),
        (f"started {local} local, {utc} UTC, {lasted} {took}, by {operation.operator}", "$foreground 70%"),
        *((line, "$error") for line in (operation.error or "").splitlines() if line),
    ]
    return Content("\n").join(Content.styled(safe(line), style) for line, style in lines)
