"""What is wrong with the hive though nobody asked for anything, and the fix of each on a key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.binding import BindingType

from .. import keys
from ..engine.models import AgentState, HiveWarning, OperationKind, Repair, WarningCode
from ..engine.text import safe
from ..widgets.table import Cell, Column, LineTable, Row
from .dialogs.question import Question
from .listing import ListScreen
from .state import HiveState

_REPAIRED = frozenset({WarningCode.HALF_MADE, WarningCode.STALE_LOCK, WarningCode.NEEDS_MIGRATION})


class WarningsScreen(ListScreen):
    """Standing warnings."""

    WORD = "warnings"
    GROUPS = ("warnings", "list")
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("warnings", "list")
    EMPTY = "Nothing is wrong."
    COLUMNS = (
        Column("code", "WHAT", 14, 18, priority=10),
        Column("agents", "AGENTS", 8, 20, priority=9),
        Column("text", "WHY", 20, 90, priority=8),
        Column("fix", "FIX", 20, 90, priority=7),
    )

    def show(self, state: HiveState) -> None:
        """One row a warning."""
        self.table.set_rows([row_of(one, number) for number, one in enumerate(state.warnings)])
        self.refresh_bindings()

    def warning(self) -> HiveWarning | None:
        """The one under the cursor."""
        rows = [one for number, one in enumerate(self.state.warnings) if _key(one, number) == self.table.current]
        return rows[0] if rows else None

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: all of it."""
        if (one := self.warning()) is not None:
            self.notify(f"{safe(one.text)}\n{safe(one.fix)}", title=str(one.code), timeout=20, markup=False)

    def action_fix(self) -> None:
        """Repair, rebuild or stop one of two, after a question; what only a person can do is said."""
        one = self.warning()
        if one is None:
            return
        name = one.agents[0] if one.agents else None
        if one.code in _REPAIRED:
            self._ask(one, "repair it", partial(self._repair, name))
        elif one.code is WarningCode.DRIFT and name:
            self._ask(one, f"rebuild {name}", partial(self._begin, OperationKind.REBUILD, name))
        elif one.code is WarningCode.PORT_COLLISION and (running := self._runs_now(one)):
            self._ask(one, f"stop {running}", partial(self._begin, OperationKind.STOP, running))
        else:
            self.notify(safe(one.fix), title="What to do", timeout=20, markup=False)

    def _runs_now(self, warning: HiveWarning) -> str | None:
        """The agent of a collision that runs now."""
        rows = [one for one in self.state.agents if one.name in warning.agents and one.state is AgentState.RUNNING]
        return rows[0].name if rows else None

    def _ask(self, warning: HiveWarning, answer: str, fix: Callable[[], None]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                fix()

        self.app.push_screen(Question(warning.text, (warning.fix,), answer), answered)

    def _begin(self, kind: OperationKind, name: str) -> None:
        self.act(self.hive.begin(kind, name), self.open_operation)

    def _repair(self, name: str | None) -> None:
        self.act(self.hive.repair(name), self._tell)

    def _tell(self, repairs: tuple[Repair, ...]) -> None:
        lines = [f"{one.agent or 'hive'}: {one.found}; {one.done}" for one in repairs] or ["there was nothing to do"]
        self.notify("\n".join(safe(line) for line in lines), title="Repaired", timeout=20, markup=False)


def _key(one: HiveWarning, number: int) -> str:
    return f"{number} {one.code} {' '.join(one.agents)}"


def row_of(one: HiveWarning, number: int) -> Row:
    """One warning as a row."""
    return Row(_key(one, number), (Cell(f"▲ {one.code}", "warn"), ", ".join(one.agents), one.text, one.fix))
