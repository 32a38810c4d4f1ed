"""The standing warnings of the hive, each with its fix on a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.model.acts import describe_consequence
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.description import HiveDescription
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.text import safe
from hivetui.engine.model.warnings import HiveWarning, Repair, WarningCode
from hivetui.screens.detail_list import DetailListScreen
from hivetui.screens.dialogs.choice import ChoiceDialog
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.pages import Page, PagesDialog
from hivetui.widgets.table.line_table import LineTable
from hivetui.widgets.table.rows import Cell, Column, Row

_NOTICE_SECONDS = 20
"""How long a notification stays that tells the operator what to do."""


class WarningsScreen(DetailListScreen):
    """The list of warnings; one whose cause is gone disappears by itself."""

    TAB = "warnings"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("warnings", "list")
    EMPTY = "No warnings."
    COLUMNS = (
        Column("code", "WARNING", 14, 19, priority=10),
        Column("agents", "AGENTS", 8, 20, priority=9, names=True),
        Column("text", "CAUSE", 20, 90, priority=8),
        Column("fix", "FIX", 16, 90, priority=7),
    )

    def show(self, state: HiveState) -> None:
        """Show one row for each warning."""
        self.table.set_rows([build_row(warning, state.description) for warning in state.warnings])
        self.show_detail()
        self.refresh_bindings()

    def notices(self) -> Iterable[str]:
        """The other hives that are away."""
        return self.away_notices()

    def detail(self) -> Content:
        """Cause and fix of the warning under the cursor, complete."""
        warning = self.current_warning
        if warning is None:
            return Content("")
        return Content.assemble((safe(warning.text), "$warning"), "\nFix: ", safe(warning.fix))

    @property
    def current_warning(self) -> HiveWarning | None:
        """The warning under the cursor."""
        return next((one for one in self.state.warnings if _key_of(one) == self.table.current), None)

    def unavailable_reason(self, action: str) -> str | None:
        """Fixing needs a warning."""
        return "There are no warnings." if action in ("fix", "open") and self.current_warning is None else None

    def on_line_table_row_chosen(self, message: LineTable.RowChosen) -> None:
        """Enter: read all of it."""
        if (warning := self.current_warning) is not None:
            key = keymap.display_current_key(self.app, "warnings.fix")
            how = f"In the list, press {key} to apply the fix or to see how."
            text = f"{warning.text}\n\nWhat to do:\n{warning.fix}\n\n{how}"
            title = f"{warning.code}: {', '.join(warning.agents) or 'the hive'}"
            self.app.push_screen(PagesDialog(title, [Page(warning.code, text)]))

    def action_fix(self) -> None:
        """Fix it, if the operator confirms; for what only a person can do, say what that is."""
        if (warning := self.current_warning) is not None:
            _FIXES[warning.code](self, warning)

    def repair(self, warning: HiveWarning) -> None:
        """Repair what a crash or an older version of the engine left; at once, as every start of hivetui does."""
        name = warning.agents[0] if warning.agents else None
        self.run_engine_work(self.hive.repair(name), self._show_repairs)

    def rebuild(self, warning: HiveWarning) -> None:
        """Build and start the deployed configuration again."""
        name = warning.agents[0]
        answer = f"rebuild {name}; it restarts if that is not what runs"
        self._ask(warning, answer, lambda: self._start(OperationKind.REBUILD, name))

    def destroy(self, warning: HiveWarning) -> None:
        """Remove what an interrupted spawn left; the operator may spawn it again afterwards."""
        name = warning.agents[0]
        self._ask(warning, f"destroy {name}; its repos are kept", lambda: self._start(OperationKind.DESTROY, name))

    def start(self, warning: HiveWarning) -> None:
        """Start an agent that does not run, or whose port was in use; at once, as in the list of agents."""
        self._start(OperationKind.START, warning.agents[0])

    def start_or_stop(self, warning: HiveWarning) -> None:
        """Start an agent that failed; stop one that restarts again and again, if the operator confirms."""
        name = warning.agents[0]
        up = {one.name for one in self.state.agents if one.state not in (AgentState.FAILED, AgentState.STOPPED)}
        if name not in up:
            self.start(warning)
            return
        answer = f"stop {name}, so that it is not started again"
        self._ask(warning, answer, lambda: self._start(OperationKind.STOP, name))

    def choose(self, warning: HiveWarning) -> None:
        """Ask which of the agents that share a port to stop or destroy."""
        running = {agent.name for agent in self.state.agents if agent.state is AgentState.RUNNING}
        options = [
            (f"stop {name}", f"stop {name}: then another one can start") for name in warning.agents if name in running
        ]
        options += [(f"destroy {name}", f"destroy {name}: its repos and data are kept") for name in warning.agents]
        self.app.push_screen(ChoiceDialog(warning.text, options), self._on_choice)

    def _on_choice(self, choice: str | None) -> None:
        if choice is None:
            return
        kind, _, name = choice.partition(" ")

        def on_answer(yes: bool | None) -> None:
            if yes:
                self._start(OperationKind(kind), name)

        question = f"{kind.capitalize()} {name}?"
        self.app.push_screen(ConfirmDialog(question, (describe_consequence(kind),), choice), on_answer)

    def explain(self, warning: HiveWarning) -> None:
        """Say what only a person can do."""
        self.notify(safe(warning.fix), title="What to do", timeout=_NOTICE_SECONDS, markup=False)

    def _ask(self, warning: HiveWarning, answer: str, fix: Callable[[], None]) -> None:
        def on_answer(yes: bool | None) -> None:
            if yes:
                fix()

        self.app.push_screen(ConfirmDialog(f"{warning.text}.", (warning.fix,), answer), on_answer)

    def _start(self, kind: OperationKind, name: str) -> None:
        self.run_engine_work(self.hive.begin(kind, name), self.open_operation)

    def _show_repairs(self, repairs: tuple[Repair, ...]) -> None:
        lines = [f"{repair.agent or 'hive'}: {repair.found}; {repair.done}" for repair in repairs]
        text = "\n".join(safe(line) for line in lines or ["nothing to repair"])
        self.notify(text, title="Repaired", timeout=_NOTICE_SECONDS, markup=False)


_FIXES: dict[WarningCode, Callable[[WarningsScreen, HiveWarning], None]] = {
    WarningCode.PORT_COLLISION: WarningsScreen.choose,
    WarningCode.PORT_IN_USE: WarningsScreen.start,
    WarningCode.DRIFT: WarningsScreen.rebuild,
    WarningCode.FOREIGN_CONTAINER: WarningsScreen.explain,
    WarningCode.HALF_MADE: WarningsScreen.destroy,
    WarningCode.STALE_LOCK: WarningsScreen.repair,
    WarningCode.NEEDS_MIGRATION: WarningsScreen.repair,
    WarningCode.UNREPAIRED: WarningsScreen.repair,
    WarningCode.AGENT_FAILED: WarningsScreen.start_or_stop,
    WarningCode.TOOL_MESSAGE: WarningsScreen.explain,
    WarningCode.RULE_WITHOUT_FIXTURE: WarningsScreen.explain,
    WarningCode.RECORDS: WarningsScreen.explain,
}


def _key_of(warning: HiveWarning) -> str:
    """What identifies a warning: its text too, except of an agent that failed, where it has a time and a count."""
    text = "" if warning.code is WarningCode.AGENT_FAILED else warning.text
    return f"{warning.code} {' '.join(warning.agents)} {warning.port} {text}"


def build_row(warning: HiveWarning, description: HiveDescription) -> Row:
    """One warning as a row."""
    fix = description.shorten_commands(warning.fix)
    return Row(
        _key_of(warning),
        (Cell(f"▲ {warning.code}", "warn"), ", ".join(warning.agents), warning.text, fix),
    )
