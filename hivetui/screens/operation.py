"""One operation, live: its steps, every line that its programs write, how it ended. Leaving it does not end it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import FAILED_TOO, Operation, OperationKind, OperationState
from hivetui.engine.model.text import safe
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.widgets.lines.line_view import LineView
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.operation.operation_view import OperationView

from ..widgets import wording
from .base import OpenRequested
from .listing import MOVEMENT, PromptLine, SearchScreen
from .progress import step_of


class OperationScreen(SearchScreen):
    """The output of one operation from its first line, whenever one comes."""

    TAB = "operation"
    GROUPS = ("operation", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("operation", "search"),
        *keymap.bindings("list", only=MOVEMENT),
    ]
    DEFAULT_CSS = """
    OperationScreen #head { height: auto; max-height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self, hive: Hive, state: HiveState, number: int) -> None:
        super().__init__(hive, state)
        self._number = number
        self._operation: Operation | None = None

    def body(self) -> Iterable[Widget]:
        """What it is, its output, the line for searching."""
        yield Static("…", id="head", markup=False)
        yield OperationView(clock=self.clock, classes="body")
        yield PromptLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self.run_worker(self._read(), group="operation", exclusive=True)
        self.set_interval(1, self._tick)

    @property
    def told(self) -> OperationView:
        """Its steps and its output."""
        return self.query_one(OperationView)

    @property
    def output(self) -> LogView:
        """Its output."""
        return self.told.output

    @property
    def view(self) -> LineView:
        """Keys move in the output."""
        return self.output

    @property
    def searchable(self) -> LogView:
        """Searches go through the output."""
        return self.output

    async def _read(self) -> None:
        try:
            await self._refresh_head()
            async for entries in self.hive.follow(self._number):
                self.told.feed(entries)
                if any(one.state or one.kind == "step" for one in entries):
                    await self._refresh_head()
            await self._refresh_head()
        except HiveError as error:
            self.query_one("#head", Static).update(f"This cannot be shown: {safe(error.what)}\n{safe(error.fix)}")
            self.show_error(error)

    async def _refresh_head(self) -> None:
        self._operation = await self.hive.operation(self._number)
        if self.is_ready:
            self._show_head()
            self.refresh_bindings()

    def _show_head(self) -> None:
        if self._operation is not None:
            self.query_one("#head", Static).update(head_of(self._operation, self.clock()))

    def _tick(self) -> None:
        if self.is_current and self._operation is not None and not self._operation.state.ended:
            self._show_head()

    def unavailable_reason(self, action: str) -> str | None:
        """Only what runs can be cancelled."""
        operation = self._operation
        if action == "cancel" and operation is not None and operation.state.ended:
            return f"it has {operation.state}; only what runs can be cancelled"
        return None

    def action_cancel(self) -> None:
        """Cancel after a question."""
        operation = self._operation
        if operation is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_engine_work(self.hive.cancel(operation.id))

        at = f"It is at: {step_of(operation) or 'its beginning'}."
        details = (at, "Its programs end. The host is left as a failure at this step leaves it.")
        question = f"Cancel {operation.kind} of {operation.agent}?"
        self.app.push_screen(ConfirmDialog(question, details, "cancel it"), answered)

    def action_next_error(self) -> None:
        """To the next line that tells of an error."""
        self.told.action_next_error()

    def action_commands(self) -> None:
        """Show or hide what was run."""
        self.told.action_toggle_commands()

    def action_follow(self) -> None:
        """To the end, and stay."""
        self.output.action_follow()

    def action_log(self) -> None:
        """The log of its agent."""
        if self._operation is not None:
            self.post_message(OpenRequested("logs", (self._operation.agent,)))

    def action_wrap(self) -> None:
        """Wrap or cut."""
        self.output.action_toggle_wrap()

    def action_left(self) -> None:
        """Scroll left."""
        self.output.action_left()

    def action_right(self) -> None:
        """Scroll right."""
        self.output.action_right()

    def action_copy(self) -> None:
        """Copy the visible lines."""
        self.output.action_copy()

    async def action_back(self) -> None:
        """First out of the line, then back; the operation goes on."""
        if self.close_prompt():
            return
        if self._operation is not None and not self._operation.state.ended:
            self.notify(f"{self._operation.kind} of {self._operation.agent} goes on", markup=False)
        await self.app.run_action("app.back")


_STYLES = {"good": "$success", "bad": "$error", "warn": "$warning", "busy": "$accent"}
_HEAD_LINES = 3
"""So many lines of an error stand in the head; all of it is in the output."""


def head_of(operation: Operation, now: datetime) -> Content:
    """What it is, how it stands, how long it took so far, and what can be done next."""
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    proposal = f" of proposal #{operation.proposal}" if operation.proposal is not None else ""
    what = f"  {operation.kind} {safe(operation.agent)}{proposal}"
    took = wording.span((operation.ended_at or now) - operation.started_at)
    who = f", {'took' if operation.state.ended else 'for'} {took}  ({operation.id} by {safe(operation.operator)})"
    parts: list[Content | str | tuple[str, str]] = [(f"{glyph} {operation.state}", f"bold {_STYLES[tone]}"), what]
    if operation.state.ended and operation.state is not OperationState.SUCCEEDED and operation.step:
        parts.append(_where_it_ended(operation, operation.step))
    elif not operation.state.ended and operation.step:
        parts.append(f", {safe(step_of(operation))}")
    parts += [who, "\n"]
    if operation.error and operation.state is not OperationState.SUCCEEDED:
        lines = [safe(line) for line in operation.error.splitlines() if line.strip()][:_HEAD_LINES]
        parts += [("\n".join(lines), "$error"), "\n"]
    return Content.assemble(*parts, (next_of(operation), "$foreground 80%"))


def _where_it_ended(operation: Operation, step: str) -> str:
    """At which step; what was undone well did not end there."""
    undone = _UNDONE.get(step) if FAILED_TOO not in (operation.error or "") else None
    return f", {undone}" if undone else f", at {safe(step)}"


def next_of(operation: Operation) -> str:
    """What a person may want to do now."""
    name = safe(operation.agent)
    match operation.state:
        case OperationState.QUEUED | OperationState.RUNNING:
            return "esc leaves it running; 3 or the line below brings it back"
        case OperationState.SUCCEEDED if operation.kind in (OperationKind.DESTROY, OperationKind.PURGE):
            return f"{name} is gone; esc goes back"
        case OperationState.SUCCEEDED:
            return f"o shows the log of {name}; esc goes back"
        case OperationState.CANCELLED:
            return f"i shows what was run; {_again(operation)}"
        case OperationState.INTERRUPTED:
            return f"the process that did it is gone; 6 shows what it left, with the fix; {_again(operation)}"
        case _:
            return f"e goes to the error, i shows what was run, o the log of {name}; {_again(operation)}"


_UNDONE = {"put back": "what ran before is back", "take back": "what it made is taken back"}
_TRY_AGAIN = {
    OperationKind.DEPLOY: "what ran before runs on; propose it again to try again",
    OperationKind.ROLLBACK: "what ran before runs on; roll back again from the history (5)",
}


def _again(operation: Operation) -> str:
    return _TRY_AGAIN.get(operation.kind, f"then {operation.kind} it again from the agents (1)")
