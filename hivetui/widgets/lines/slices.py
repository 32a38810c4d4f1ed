"""Runs long work on the event loop in slices so short that a key pressed meanwhile is answered without delay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any

from textual.widget import Widget

SLICE = 0.002  # seconds of work, followed by a pause of the same length
_STEPS_AT_ONCE = 4


async def run_sliced(steps: Iterator[object]) -> None:
    """Exhaust an iterator whose steps are short, with a pause after each slice."""
    until = perf_counter() + SLICE
    for _ in steps:
        if perf_counter() >= until:
            await asyncio.sleep(SLICE)
            until = perf_counter() + SLICE


class SlicedWork:
    """Work of a widget that is done as far as it goes now, and again when there is more: a few steps, then slices."""

    def __init__(self, widget: Widget, group: str) -> None:
        self._widget = widget
        self._group = group
        self._steps: Iterator[bool] | None = None

    @property
    def is_running(self) -> bool:
        """Whether steps are left."""
        return self._steps is not None

    def run(self, steps: Iterator[bool]) -> None:
        """Take steps until one gives True, which is the last one; in place of the steps that are left from before."""
        self.cancel()
        self._steps = steps
        rest = self._take(steps)
        if not any(next(rest, True) for _ in range(_STEPS_AT_ONCE)):
            # Not the coroutine itself: one whose worker is cancelled before it begins would never be awaited.
            work: Any = partial(run_sliced, rest)  # mypy does not match it with Textual's WorkType
            self._widget.run_worker(work, group=self._group, exclusive=True)

    def _take(self, steps: Iterator[bool]) -> Iterator[bool]:
        """The steps, as long as no others are to be taken in their place."""
        while self._steps is steps:
            if next(steps, True):
                self._steps = None
            yield self._steps is not steps

    def cancel(self) -> None:
        """Leave the rest undone."""
        if self._steps is not None:
            self._steps = None
            self._widget.workers.cancel_group(self._widget, self._group)
