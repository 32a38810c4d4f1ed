"""What is wrong with the hive though nobody asked for anything, and the fix of each on a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.text import safe
from hivetui.engine.model.warnings import HiveWarning, Repair, WarningCode
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.pages import Page, PagesDialog
from hivetui.widgets.table.line_table import Cell, Column, LineTable, Row

from .dialogs.choice import ChoiceDialog
from .listing import ListScreen


class WarningsScreen(ListScreen):
    """Standing warnings; those that were mended go by themselves."""

    TAB = "warnings"
    GROUPS = ("warnings", "list")
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("warnings", "list")
    EMPTY = "Nothing is wrong."
    COLUMNS = (
        Column("code", "WHAT", 14, 19, priority=10),
        Column("agents", "AGENTS", 8, 20, priority=9),
        Column("text", "WHY", 20, 90, priority=8),
        Column("fix", "FIX", 16, 90, priority=7),
    )

    def show(self, state: HiveState) -> None:
        """One row a warning."""
        self.table.set_rows([row_of(one) for one in state.warnings])
        self.refresh_bindings()

    def warning(self) -> HiveWarning | None:
        """The one under the cursor."""
        return next((one for one in self.state.warnings if _key(one) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """There is something to mend only when something is wrong."""
        return "nothing is wrong" if action in ("fix", "open") and self.warning() is None else None

    def on_line_table_row_highlighted(self) -> None:
        """Which keys are legal depends on the row."""
        self.refresh_bindings()

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: all of it."""
        if (one := self.warning()) is not None:
            text = f"{one.text}\n\nWhat to do:\n{one.fix}\n\nf does it, or says how."
            self.app.push_screen(
                PagesDialog(f"{one.code}: {', '.join(one.agents) or 'the hive'}", [Page(one.code, text)])
            )

    def action_fix(self) -> None:
        """Do what mends it, after a question; what only a person can do is said."""
        if (one := self.warning()) is not None:
            _FIXES[one.code](self, one)

    def repair(self, warning: HiveWarning) -> None:
        """Settle what a crash or an older engine left."""
        name = warning.agents[0] if warning.agents else None
        answer = f"repair {name}" if name else "repair it"
        self._ask(warning, answer, lambda: self.run_engine_work(self.hive.repair(name), self._tell_repairs))

    def rebuild(self, warning: HiveWarning) -> None:
        """Build what is deployed again."""
        name = warning.agents[0]
        self._ask(warning, f"rebuild {name}; it stops and starts", lambda: self._begin(OperationKind.REBUILD, name))

    def destroy(self, warning: HiveWarning) -> None:
        """Take away what was half made; spawning it again is the operator's."""
        name = warning.agents[0]
        self._ask(warning, f"destroy {name}; its repos stay", lambda: self._begin(OperationKind.DESTROY, name))

    def start(self, warning: HiveWarning) -> None:
        """Start it, once its port is free."""
        name = warning.agents[0]
        self._ask(warning, f"start {name} now", lambda: self._begin(OperationKind.START, name))

    def choose(self, warning: HiveWarning) -> None:
        """One of those that share a port has to give way; which one is the operator's to say."""
        running = {one.name for one in self.state.agents if one.state is AgentState.RUNNING}
        options = [
            (f"stop {name}", f"stop {name}: another can start then") for name in warning.agents if name in running
        ]
        options += [(f"destroy {name}", f"destroy {name}: its repos and state stay") for name in warning.agents]
        self.app.push_screen(ChoiceDialog(warning.text, options), self._chosen)

    def _chosen(self, choice: str | None) -> None:
        if choice is None:
            return
        word, _, name = choice.partition(" ")

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(OperationKind(word), name)

        details = ("Its work in progress ends; repos, notes and credentials stay.",)
        self.app.push_screen(ConfirmDialog(f"{word.capitalize()} {name}?", details, choice), answered)

    def tell(self, warning: HiveWarning) -> None:
        """What only a person can do."""
        self.notify(safe(warning.fix), title="What to do", timeout=20, markup=False)

    def _ask(self, warning: HiveWarning, answer: str, fix: Callable[[], None]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                fix()

        self.app.push_screen(ConfirmDialog(f"{warning.text}.", (warning.fix,), answer), answered)

    def _begin(self, kind: OperationKind, name: str) -> None:
        self.run_engine_work(self.hive.begin(kind, name), self.open_operation)

    def _tell_repairs(self, repairs: tuple[Repair, ...]) -> None:
        lines = [f"{one.agent or 'hive'}: {one.found}; {one.done}" for one in repairs] or ["there was nothing to do"]
        self.notify("\n".join(safe(line) for line in lines), title="Repaired", timeout=20, markup=False)


_FIXES: dict[WarningCode, Callable[[WarningsScreen, HiveWarning], None]] = {
    WarningCode.PORT_COLLISION: WarningsScreen.choose,
    WarningCode.PORT_IN_USE: WarningsScreen.start,
    WarningCode.DRIFT: WarningsScreen.rebuild,
    WarningCode.FOREIGN_CONTAINER: WarningsScreen.tell,
    WarningCode.HALF_MADE: WarningsScreen.destroy,
    WarningCode.STALE_LOCK: WarningsScreen.repair,
    WarningCode.NEEDS_MIGRATION: WarningsScreen.repair,
}


def _key(one: HiveWarning) -> str:
    return f"{one.code} {' '.join(one.agents)} {one.port} {one.text}"


def row_of(one: HiveWarning) -> Row:
    """One warning as a row."""
    return Row(_key(one), (Cell(f"▲ {one.code}", "warn"), ", ".join(one.agents), one.text, one.fix))
