"""The steps of an operation with their durations, one a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual.strip import Strip

from hivetui.console.stylesheets import read_stylesheet
from hivetui.engine.model import steps as step_names
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.text import safe
from hivetui.widgets.lines.line_window import LineWindow
from hivetui.widgets.lines.strips import make_strip
from hivetui.widgets.operation.steps import Step, format_duration

STATE_GLYPHS = {
    OperationState.QUEUED: "◌",
    OperationState.RUNNING: "▶",
    OperationState.SUCCEEDED: "✔",
    OperationState.FAILED: "✖",
    OperationState.CANCELLED: "◼",
    OperationState.INTERRUPTED: "‼",
}
_MAX_HEIGHT = 9


class StepsView(LineWindow):
    """As high as there are steps, up to a limit; if they do not all fit, the last ones are shown."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"steps--{state.value}" for state in OperationState}
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._steps: Sequence[Step] = ()
        self._clock = clock

    def line_count(self) -> int:
        """How many steps there are."""
        return len(self._steps)

    def show(self, steps: Sequence[Step]) -> None:
        """Show these steps."""
        self._steps = steps
        height = max(1, min(len(steps), _MAX_HEIGHT))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.changed()

    def build_window(self, width: int, height: int) -> list[Strip]:
        """The last steps."""
        if not self._steps:
            return [make_strip([("◌ waiting for the first step", self.style_of("steps--queued"))])]
        self.top = self.last_top
        return [self._paint(step, width) for step in self._steps[self.top : self.top + height]]

    def _paint(self, step: Step, width: int) -> Strip:
        seconds = ((step.ended or self._clock()) - step.began).total_seconds()
        text = f"{STATE_GLYPHS[step.state]} {format_duration(seconds):>7}  {step_names.label(step.name)}"
        return make_strip([(safe(text, width), self.style_of(f"steps--{step.state.value}"))])
