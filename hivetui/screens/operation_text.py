"""What the screens say about an operation: its step, its header, and what can be done next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from textual.content import Content

from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.steps import STEPS, StepName, label
from hivetui.engine.model.text import safe
from hivetui.widgets import wording

_STYLES = {"good": "$success", "bad": "$error", "warn": "$warning", "busy": "$accent"}
_HEADER_ERROR_LINES = 3
"""How many lines of an error the header shows; the output has all of it."""
_UNDONE: dict[str, str] = {
    StepName.RESTORE: "what ran before is back",
    StepName.UNDO_SPAWN: "what it made is taken back",
}
_RETRIES = {
    OperationKind.DEPLOY: "what ran before runs on; propose it again to try again",
    OperationKind.ROLLBACK: "what ran before runs on; roll back again from the history (5)",
}


def format_step(operation: Operation) -> str:
    """The current step, with its number if it is one of the planned ones: `build 3/9`."""
    if operation.step is None:
        return ""
    steps = [str(step) for step in STEPS.get(operation.kind, ())]
    if operation.step not in steps:
        return label(operation.step)
    return f"{label(operation.step)} {steps.index(operation.step) + 1}/{len(steps)}"


def format_running(operations: Iterable[Operation]) -> str:
    """The oldest running operation and how many more there are, for the line of keys; "" if none runs. Safe text."""
    running = sorted((operation for operation in operations if not operation.state.ended), key=lambda one: one.id)
    if not running:
        return ""
    first = running[0]
    more = f" +{len(running) - 1}" if len(running) > 1 else ""
    return safe(f"▶ {first.kind} {first.agent} {format_step(first)}".rstrip() + f"{more} ")


def build_header(operation: Operation, now: datetime) -> Content:
    """What it is, its state, how long it has taken so far, its error, and what can be done next."""
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    proposal = f" of proposal #{operation.proposal}" if operation.proposal is not None else ""
    subject = f"  {operation.kind} {safe(operation.agent)}{proposal}"
    duration = wording.span((operation.ended_at or now) - operation.started_at)
    origin = (
        f", {'took' if operation.state.ended else 'for'} {duration}  ({operation.id} by {safe(operation.operator)})"
    )
    parts: list[Content | str | tuple[str, str]] = [(f"{glyph} {operation.state}", f"bold {_STYLES[tone]}"), subject]
    parts += [_format_place(operation), origin, "\n"]
    if operation.error and operation.state is not OperationState.SUCCEEDED:
        lines = [safe(line) for line in operation.error.splitlines() if line.strip()][:_HEADER_ERROR_LINES]
        parts += [("\n".join(lines), "$error"), "\n"]
    return Content.assemble(*parts, (suggest_next(operation), "$foreground 80%"))


def _format_place(operation: Operation) -> str:
    """The step it is at or ended at; or what a failure has undone, if undoing it did not fail too."""
    if operation.step is None or operation.state is OperationState.SUCCEEDED:
        return ""
    if not operation.state.ended:
        return f", {safe(format_step(operation))}"
    undone = _UNDONE.get(operation.step) if not operation.rollback_failed else None
    return f", {undone}" if undone else f", at {safe(operation.step)}"


def suggest_next(operation: Operation) -> str:
    """What the operator may want to do now. Safe text."""
    name = safe(operation.agent)
    match operation.state:
        case OperationState.QUEUED | OperationState.RUNNING:
            return "esc leaves it running; 3 or the line below brings it back"
        case OperationState.SUCCEEDED if operation.kind in (OperationKind.DESTROY, OperationKind.PURGE):
            return f"{name} is gone; esc goes back"
        case OperationState.SUCCEEDED:
            return f"o shows the log of {name}; esc goes back"
        case OperationState.CANCELLED:
            return f"i shows what was run; {_suggest_retry(operation)}"
        case OperationState.INTERRUPTED:
            retry = _suggest_retry(operation)
            return f"the process that did it is gone; 6 shows what it left, with the fix; {retry}"
        case _:
            retry = _suggest_retry(operation)
            return f"e goes to the error, i shows what was run, o the log of {name}; {retry}"


def _suggest_retry(operation: Operation) -> str:
    return _RETRIES.get(operation.kind, f"then {operation.kind} it again from the agents (1)")
