"""How far an operation is, in few words: its step, and which of how many where that is known."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.operations import Operation
from hivetui.engine.model.steps import STEPS, label
from hivetui.engine.model.text import safe


def step_of(operation: Operation) -> str:
    """The step, with its number where it is one that is foreseen: `build 3/9`."""
    if operation.step is None:
        return ""
    steps = [str(step) for step in STEPS.get(operation.kind, ())]
    if operation.step not in steps:
        return label(operation.step)
    return f"{label(operation.step)} {steps.index(operation.step) + 1}/{len(steps)}"


def running_line(operations: Iterable[Operation]) -> str:
    """What runs, in a few words for the line of keys; "" when nothing does. Safe."""
    rows = sorted((one for one in operations if not one.state.ended), key=lambda one: one.id)
    if not rows:
        return ""
    more = f" +{len(rows) - 1}" if len(rows) > 1 else ""
    return safe(f"▶ {rows[0].kind} {rows[0].agent} {step_of(rows[0])}".rstrip() + f"{more} ")
