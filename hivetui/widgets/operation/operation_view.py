"""What an operation does: its steps with their times, and its output as it comes, stdout and stderr told apart.

    view.feed(entries)                     # batches of models.Entry, in order
    view.output.action_next_error()        # errors by a key
    view.action_toggle_commands()          # the argv of what was run
    view.output.search("…")                # and all else that a LogView can

An operation that failed shows its first error by itself, once, unless the operator has moved on their own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip

from hivetui.engine.model.operations import Entry, EntryKind, OperationState
from hivetui.engine.model.steps import UNDO_STEPS
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_view import LineView, strip_of
from hivetui.widgets.log.line_text import level_of
from hivetui.widgets.log.log_view import LogView
from hivetui.widgets.log.store import Line, Source

STATE_GLYPHS = {
    OperationState.QUEUED: "◌",
    OperationState.RUNNING: "▶",
    OperationState.SUCCEEDED: "✔",
    OperationState.FAILED: "✖",
    OperationState.CANCELLED: "◼",
    OperationState.INTERRUPTED: "‼",
}
_STREAM_MARKS = {"stdout": "out", "stderr": "err", "engine": "•", "command": "$", "step": "▶", "state": "■"}
_MOST_STEPS_SHOWN = 9


@dataclass
class Step:
    """One step: when it began, when the next did or the operation ended, and how, once it has."""

    name: str
    began: datetime
    ended: datetime | None = None
    state: OperationState = OperationState.RUNNING


class StepsView(LineView):
    """The steps of an operation, one a row, the last ones where they do not all fit."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"steps--{state.value}" for state in OperationState}
    DEFAULT_CSS = """
    StepsView {
        height: 1;
        background: $panel;
        & > .steps--running { color: $text-accent; text-style: bold; }
        & > .steps--queued { color: $text-muted; }
        & > .steps--succeeded { color: $text-success; }
        & > .steps--failed { color: $text-error; text-style: bold; }
        & > .steps--cancelled { color: $text-warning; }
        & > .steps--interrupted { color: $text-error; }
    }
    """
    can_focus = False

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._clock = clock

    def line_count(self) -> int:
        """How many steps there are."""
        return len(self.steps)

    def show(self, steps: list[Step]) -> None:
        """Show these steps; the view is as high as they are many, up to a limit."""
        self.steps = steps
        height = max(1, min(len(steps), _MOST_STEPS_SHOWN))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.changed()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The last steps."""
        if not self.steps:
            return [strip_of([("◌ waiting for the first step", self.style_of("steps--queued"))])]
        self.top = self.last_top
        return [self._step_strip(step, width) for step in self.steps[self.top : self.top + height]]

    def _step_strip(self, step: Step, width: int) -> Strip:
        seconds = ((step.ended or self._clock()) - step.began).total_seconds()
        text = f"{STATE_GLYPHS[step.state]} {duration(seconds):>7}  {step.name}"
        return strip_of([(safe(text, width), self.style_of(f"steps--{step.state.value}"))])


class OutputView(LogView):
    """The output of an operation: a log in which the stream has the place of the source."""

    def source_label(self, source: Source) -> str:
        """The mark of a stream: a word for what programs wrote, a glyph for the engine's own."""
        return f"{_STREAM_MARKS.get(source.stream, '?'):<3}"

    def level(self, line: Line, text: str) -> str:
        """Commands and steps tell no errors of their own; stderr alone is none, as nix says all on it."""
        stream = line.source.stream if line.source else ""
        return "info" if stream in ("command", "step") else level_of(text)


class OperationView(Vertical):
    """Steps above, output below."""

    DEFAULT_CSS = """
    OperationView {
        OutputView { height: 1fr; }
    }
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timezone: tzinfo = UTC,
        id: str | None = None,  # noqa: A002 - Textual's word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.state: OperationState | None = None
        self.error: str | None = None
        self.commands_shown = False
        self._clock = clock
        self.steps_view = StepsView(clock)
        self.output = OutputView(empty="Nothing was written yet.", timezone=timezone)
        self._steps: list[Step] = []

    def compose(self) -> ComposeResult:
        """Steps above, output below."""
        yield self.steps_view
        yield self.output

    def on_mount(self) -> None:
        """Times of a running step go on."""
        self.output.hide_sources(_is_command)
        self.set_interval(1, self._tick)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps)

    def feed(self, entries: Sequence[Entry]) -> None:
        """Take the next entries of the operation's record."""
        ended = self.state is not None and self.state.ended
        for entry in entries:
            self._take(entry)
        self.output.grown()
        self.steps_view.show(self._steps)
        if not ended and self.state is OperationState.FAILED and self.output.following:
            self.output.find(_tells_error, 0)

    def _take(self, entry: Entry) -> None:
        if entry.kind is EntryKind.STATE and entry.state is not None:
            self._take_state(entry, entry.state)
        elif entry.kind is EntryKind.STEP:
            back = entry.text in UNDO_STEPS
            self._end_step(entry.time, OperationState.FAILED if back else OperationState.SUCCEEDED)
            self._steps.append(Step(entry.text, entry.time))
            self._write(entry, "step", entry.text)
        elif entry.kind is EntryKind.COMMAND:
            self._write(entry, "command", shlex.join(entry.argv))
        else:
            self._write(entry, entry.stream or "stdout", entry.text)

    def _take_state(self, entry: Entry, state: OperationState) -> None:
        self.state = state
        if state.ended:
            self._end_step(entry.time, self._end_of_last(state, entry.rollback_failed))
            self.error = entry.text or None
        self._write(entry, "state", state.value)
        for line in entry.text.splitlines():
            self._write(entry, "engine", line)

    def _end_of_last(self, state: OperationState, rollback_failed: bool) -> OperationState:
        """How the last step ended: one that undid a failed step succeeded, unless the rollback failed as well."""
        rolled_back = bool(self._steps) and self._steps[-1].name in UNDO_STEPS
        return OperationState.SUCCEEDED if rolled_back and not rollback_failed else state

    def _end_step(self, time: datetime, state: OperationState) -> None:
        if self._steps and self._steps[-1].ended is None:
            self._steps[-1].ended, self._steps[-1].state = time, state

    def _write(self, entry: Entry, stream: str, text: str) -> None:
        self.output.store.add(text, entry.time, Source("", stream), entry.cut)

    def _hides(self, source: Source) -> bool:
        return not self.commands_shown and _is_command(source)

    def _tick(self) -> None:
        if self._steps and self._steps[-1].ended is None:
            self.steps_view.changed()

    def action_toggle_commands(self) -> None:
        """Show or hide the argv of what was run."""
        self.commands_shown = not self.commands_shown
        self.output.hide_sources(self._hides)

    def action_next_error(self) -> None:
        """To the next error."""
        self.output.action_next_error()


def duration(seconds: float) -> str:
    """A time that a person reads at a glance."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_command(source: Source) -> bool:
    return source.stream == "command"


def _tells_error(text: str) -> bool:
    return level_of(text) == "error"
