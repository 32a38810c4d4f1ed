"""One operation, live: its steps, every line that its programs write, how it ended. Leaving it does not end it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from .. import keys
from ..engine.errors import HiveError
from ..engine.interface import Hive
from ..engine.models import Operation, OperationState
from ..engine.text import safe
from ..widgets import wording
from ..widgets.line_view import LineView
from ..widgets.log_view import LogView
from ..widgets.operation_view import OperationView
from ..widgets.pattern import BadPattern
from .dialogs.question import Question
from .listing import MOVING, TypedLine, ViewScreen
from .state import HiveState


class OperationScreen(ViewScreen):
    """The output of one operation from its first line, whenever one comes."""

    WORD = "operation"
    GROUPS = ("operation", "search", "list")
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("operation", "search"),
        *keys.bindings("list", only=MOVING),
    ]
    CSS = """
    OperationScreen #head { height: auto; max-height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self, hive: Hive, state: HiveState, number: int) -> None:
        super().__init__(hive, state)
        self._number = number
        self._operation: Operation | None = None

    def body(self) -> Iterable[Widget]:
        """What it is, its output, the line for searching."""
        yield Static("…", id="head", markup=False)
        yield OperationView(classes="body")
        yield TypedLine()

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self.run_worker(self._read(), group="operation", exclusive=True)

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

    async def _read(self) -> None:
        try:
            await self._refresh_head()
            async for entries in self.hive.follow(self._number):
                self.told.feed(entries)
                if any(one.state or one.kind == "step" for one in entries):
                    await self._refresh_head()
            await self._refresh_head()
        except HiveError as error:
            self.report(error)

    async def _refresh_head(self) -> None:
        self._operation = await self.hive.operation(self._number)
        self.query_one("#head", Static).update(_head(self._operation))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what runs can be cancelled."""
        if action == "cancel":
            return True if self._operation is not None and not self._operation.state.ended else None
        return True

    def action_cancel(self) -> None:
        """Cancel after a question."""
        operation = self._operation
        if operation is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.act(self.hive.cancel(operation.id))

        details = (f"It is at: {operation.step or 'its beginning'}.", "The host is left as a failure there leaves it.")
        question = f"Cancel {operation.kind} of {operation.agent}?"
        self.app.push_screen(Question(question, details, "cancel it"), answered)

    def action_next_error(self) -> None:
        """To the next line that tells of an error."""
        self.told.action_next_error()

    def action_commands(self) -> None:
        """Show or hide what was run."""
        self.told.action_toggle_commands()

    def action_follow(self) -> None:
        """To the end, and stay."""
        self.output.action_follow()

    def action_find(self) -> None:
        """Type what to search for."""
        self.query_one(TypedLine).ask("search (regular expression): enter finds, n and N go on, esc leaves")

    def action_next(self) -> None:
        """Next match."""
        self.output.action_next_match()

    def action_previous(self) -> None:
        """Previous match."""
        self.output.action_previous_match()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search."""
        self.query_one(TypedLine).leave()
        try:
            self.output.search(message.value)
        except BadPattern as error:
            self.notify(safe(str(error)), title="That is no regular expression", severity="error", markup=False)

    async def action_back(self) -> None:
        """First out of the line, then back; the operation goes on."""
        line = self.query_one(TypedLine)
        if line.has_class("open"):
            line.leave()
            return
        if self._operation is not None and not self._operation.state.ended:
            self.notify(f"{self._operation.kind} of {self._operation.agent} goes on", markup=False)
        await self.app.run_action("app.back")


_STYLES = {"good": "$success", "bad": "$error", "warn": "$warning", "busy": "$accent"}


def _head(operation: Operation) -> Content:
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    proposal = f" of proposal #{operation.proposal}" if operation.proposal is not None else ""
    what = (
        f"  {operation.kind} {safe(operation.agent)}{proposal}, operation {operation.id}, by {safe(operation.operator)}"
    )
    parts: list[Content | str | tuple[str, str]] = [(f"{glyph} {operation.state}", f"bold {_STYLES[tone]}"), what]
    if operation.ended_at is not None:
        parts.append(f", took {wording.span(operation.ended_at - operation.started_at)}")
    if operation.error and operation.state is not OperationState.SUCCEEDED:
        parts += ["\n", ("\n".join(safe(line) for line in operation.error.splitlines()[:4]), "$error")]
    return Content.assemble(*parts)
