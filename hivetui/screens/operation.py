"""One operation, live: its steps, every line of its programs, and how it ended. Leaving the screen does not end it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.state import HiveState
from hivetui.console.terminal.status_text import StatusText
from hivetui.engine.api import Hive
from hivetui.engine.model.error_place import find_place
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import EntryKind, Operation
from hivetui.engine.model.text import safe
from hivetui.screens.base import OpenRequested
from hivetui.screens.cancel import ask_cancel, cancel_obstacle
from hivetui.screens.listing import MOVEMENT
from hivetui.screens.log_screen import LogViewScreen
from hivetui.screens.operation_text import build_header, progress_below_header
from hivetui.screens.prompt_line import PromptLine
from hivetui.screens.retry import operation_retry_obstacle, retry_operation
from hivetui.screens.trouble import format_lost_at
from hivetui.widgets.log.binary import ENTRY_KIND, merge_binary_batches
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.operation.operation_view import OperationView


class OperationScreen(LogViewScreen):
    """The output of one operation from its first line on, whenever the screen is opened."""

    TAB = "operation"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("operation", "search", "view"),
        *keymap.bindings("list", only=MOVEMENT),
    ]
    CSS_PATH = "operation.tcss"

    def __init__(self, hive: Hive, state: HiveState, number: int) -> None:
        super().__init__(hive, state)
        self._number = number
        self._operation: Operation | None = None
        self._last_entry = 0  # the number of the last one that is shown
        self._has_failed, self._was_lost = False, False
        self._operation_view = OperationView(clock=lambda: self.state.lost_at or self.clock(), classes="body")

    def body(self) -> Iterable[Widget]:
        """The header, steps and output, the line for searching."""
        yield StatusText("Loading …", id="head", markup=False)
        yield self._operation_view
        yield PromptLine()

    def on_mount(self) -> None:
        """Start to follow it."""
        self.run_loading(self._follow, "operation")

    @property
    def log_view(self) -> LogView:
        """Its output."""
        return self._operation_view.output

    async def _follow(self) -> None:
        self._has_failed = False
        try:
            await self._refresh_header()
            followed = self.hive.follow(self._number, self._last_entry)
            async with aclosing(merge_binary_batches(followed, ENTRY_KIND)) as batches:
                async for entries in batches:
                    if not self._operation_view.is_attached:  # the screen was closed while this batch was on its way
                        return
                    self._operation_view.feed(entries)
                    self._last_entry = max((self._last_entry, *(entry.number for entry in entries)))
                    if any(entry.state or entry.kind is EntryKind.STEP for entry in entries):
                        await self._refresh_header()
            await self._refresh_header()
        except HiveError as error:
            self._has_failed = True
            if self.is_ready:
                advice = self.state.description.complete_commands(error.fix)
                text = f"Cannot show operation {self._number}: {safe(error.what)}\n{safe(advice)}"
                self.query_one("#head", Static).update(text)
            self.show_error(error)

    async def _refresh_header(self) -> None:
        self._operation = await self.hive.operation(self._number)
        if self.is_ready:
            self._show_header()
            self._operation_view.show_progress(progress_below_header(self._operation))
            self.refresh_bindings()

    def show(self, state: HiveState) -> None:
        """Show how far the build has come, or that the line is lost; follow it again when that is back."""
        is_back, self._was_lost = self._was_lost and state.lost_at is None, state.lost_at is not None
        if is_back and self._has_failed:
            self.run_loading(self._follow, "operation")
        self.show_time()
        self.show_progress()

    def show_progress(self) -> None:
        """Show how far the build has come; the end of the operation brings the last of it."""
        running = next((one for one in self.state.operations if one.id == self._number), None)
        if running is not None and not (self._operation is not None and self._operation.state.ended):
            self._operation_view.show_progress(running.progress)

    def _show_header(self) -> None:
        if self._operation is not None:
            now = self.clock()
            header = build_header(self._operation, self.state.lost_at or now, format_lost_at(self.state, now))
            self.query_one("#head", Static).update(header)

    def show_time(self) -> None:
        """Go on with the time in the header."""
        if self._operation is not None and not self._operation.state.ended:
            self._show_header()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Its own operation as the header shows it, which is newer than the state of the hive."""
        own = self._operation
        return tuple(own if own is not None and one.id == own.id else one for one in self.state.operations)

    def unavailable_reason(self, action: str) -> str | None:
        """Cancel what runs, try again what failed, and review what is about a proposal."""
        if action not in ("cancel", "retry", "review"):
            return None
        if self._operation is None:
            return "The operation is still loading."
        if action == "review":
            return "It is not about a proposal." if self._operation.proposal is None else None
        if action == "cancel":
            return cancel_obstacle(self._operation)
        return operation_retry_obstacle(self._operation, self.operations)

    def action_cancel(self) -> None:
        """Cancel it, if the operator confirms."""
        if self._operation is not None:
            ask_cancel(self, self._operation)

    def action_retry(self) -> None:
        """Try again what failed."""
        if self._operation is not None:
            retry_operation(self, self._operation)

    def action_next_error(self) -> None:
        """Go to the next line that reports an error."""
        self._operation_view.action_next_error()

    def action_commands(self) -> None:
        """Show or hide the commands."""
        self._operation_view.action_toggle_commands()

    def action_whole_log(self) -> None:
        """Give the output the whole screen, or show the header, the steps and the progress again."""
        self.toggle_class("-whole-log")

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.log_view.action_follow()

    def action_review(self) -> None:
        """Open the review of its proposal, at the line of the proposal that its error names."""
        if (operation := self._operation) is not None:
            place = find_place(operation.error)
            self.post_message(OpenRequested(self.hive, "review", (operation.agent,), operation.proposal, place))

    def action_log(self) -> None:
        """Open the log of its agent."""
        if self._operation is not None:
            self.post_message(OpenRequested(self.hive, "logs", (self._operation.agent,)))

    async def action_back(self) -> None:
        """End the prompt or the search, or close the screen; the operation goes on."""
        if self.end_innermost():
            return
        if self._operation is not None and not self._operation.state.ended:
            self.notify(f"{self._operation.kind.capitalize()} of {self._operation.agent} keeps running", markup=False)
        await self.app.run_action("app.back")
