"""What an operation does: its steps with their durations, the progress of its build, and its output as it arrives.

    view.feed(entries)                     # batches of `Entry`, in order
    view.show_progress(progress)           # a `BuildProgress`, whenever there is another one
    view.action_next_error()
    view.action_toggle_commands()          # the argv of what was run
    view.output.search("…")                # and all else that a LogView can

The view goes to the first error of an operation that fails, once, unless a person has moved it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

from textual.app import ComposeResult
from textual.containers import Vertical

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model import steps as step_names
from hivetui.engine.model.operations import Entry, EntryKind, OperationState
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.steps import StepName
from hivetui.widgets.log.store import Source
from hivetui.widgets.operation.output_view import BUILD, COMMAND, OutputView
from hivetui.widgets.operation.progress_view import ProgressView
from hivetui.widgets.operation.steps import Step, Steps
from hivetui.widgets.operation.steps_view import StepsView


class OperationView(Vertical):
    """Steps above, the progress of a build below them, and then the output."""

    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timezone: tzinfo = UTC,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.state: OperationState | None = None
        self.error: str | None = None
        self.steps_view = StepsView(clock)
        self.progress_view = ProgressView(clock)
        self.output = OutputView(timezone, clock)
        self._steps = Steps()

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.steps_view
        yield self.progress_view
        yield self.output

    def on_mount(self) -> None:
        """Hide the commands, and count the time of the running step."""
        self.output.show_commands(False)
        self.set_interval(1, self._tick)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps.all)

    def feed(self, entries: Sequence[Entry]) -> None:
        """Take the next entries of the operation's record."""
        had_ended = self.output.ended
        for entry in entries:
            self._take(entry)
        self.output.grown()
        self.steps_view.show(self.steps)
        if not had_ended and self.state is OperationState.FAILED and self.output.following:
            self.output.find_error(0)

    def show_progress(self, progress: BuildProgress | None) -> None:
        """Show how far its build has come, None without one."""
        self.progress_view.show(progress)

    def _take(self, entry: Entry) -> None:
        if entry.kind is EntryKind.STATE and entry.state is not None:
            self._take_state(entry, entry.state)
        elif entry.kind is EntryKind.STEP:
            self._steps.begin(entry.text, entry.time)
            self._write(entry, "step", step_names.label(entry.text))
        elif entry.kind is EntryKind.COMMAND:
            self._write(entry, COMMAND, shlex.join(entry.argv))
        else:
            self._write(entry, self._stream_of(entry), entry.text)

    def _take_state(self, entry: Entry, state: OperationState) -> None:
        self.state, self.output.ended = state, state.ended
        if state.ended:
            self._steps.end(entry.time, state, entry.rollback_failed)
            self.error = entry.text or None
        self._write(entry, "state", state.value)
        for line in entry.text.splitlines():
            self._write(entry, "engine", line)

    def _stream_of(self, entry: Entry) -> str:
        step = self._steps.running
        if entry.stream == "stderr" and step is not None and step.name == StepName.BUILD:
            return BUILD
        return entry.stream or "stdout"

    def _write(self, entry: Entry, stream: str, text: str) -> None:
        self.output.store.add(text, entry.time, Source("", stream), entry.cut)

    def _tick(self) -> None:
        if self._steps.running is not None:
            self.steps_view.changed()
            self.progress_view.tick()

    def action_toggle_commands(self) -> None:
        """Show or hide the argv of what was run."""
        self.output.show_commands(not self.output.commands_shown)

    def action_next_error(self) -> None:
        """Go to the next line that reports an error."""
        self.output.action_next_error()
