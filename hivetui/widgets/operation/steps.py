"""The steps of an operation as far as it has come, from the entries of its record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.steps import UNDO_STEPS


@dataclass
class Step:
    """One step: when it began and ended, and how; `ended` is None while it runs."""

    name: str
    began: datetime
    ended: datetime | None = None
    state: OperationState = OperationState.RUNNING


class Steps:
    """The steps in their order; each ends when the next begins, or when the operation ends."""

    def __init__(self) -> None:
        self.all: list[Step] = []

    @property
    def running(self) -> Step | None:
        """The step that runs."""
        return self.all[-1] if self.all and self.all[-1].ended is None else None

    def begin(self, name: str, time: datetime) -> None:
        """Begin a step. The one before has succeeded, or has failed if this one undoes it."""
        self._end_running(time, OperationState.FAILED if name in UNDO_STEPS else OperationState.SUCCEEDED)
        self.all.append(Step(name, time))

    def end(self, time: datetime, state: OperationState, rollback_failed: bool) -> None:
        """End the operation. Its last step ended like it; a rollback succeeded, unless it failed too."""
        rolled_back = bool(self.all) and self.all[-1].name in UNDO_STEPS and not rollback_failed
        self._end_running(time, OperationState.SUCCEEDED if rolled_back else state)

    def _end_running(self, time: datetime, state: OperationState) -> None:
        if (step := self.running) is not None:
            step.ended, step.state = time, state


def format_duration(seconds: float) -> str:
    """A duration that is read at a glance: 12.3 s, 1:05, 1:02:05."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, seconds_left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"
