"""What the screens say about an operation: its step, its header, and what can be done next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from textual.content import Content

from hivetui.console.keymap import current_key
from hivetui.engine.model.error_place import find_place
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.model.steps import STEPS, StepName, label
from hivetui.engine.model.text import safe
from hivetui.widgets import wording

_STYLES = {"good": "$success", "bad": "$error", "warn": "$warning", "busy": "$accent"}
_HEADER_ERROR_LINES = 3
"""How many lines of an error the header shows; the output has all of it."""
_PLACE_CELLS = 40
_UNDONE: dict[str, str] = {
    StepName.RESTORE: "previous version restored",
    StepName.UNDO_SPAWN: "spawn undone",
}
_REMOVALS = {OperationKind.DESTROY: "destroyed", OperationKind.PURGE: "purged"}
_DEPLOYS = (OperationKind.DEPLOY, OperationKind.ROLLBACK)


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


def build_header(operation: Operation, now: datetime, as_of: str = "") -> Content:
    """What it is, its state, how long it has taken so far, what can be done next, and its error.

    `as_of` says when it was last heard of, if that is not now: whether it still runs is not known then.
    The error comes last, as its lines may need more rows than there are.
    """
    glyph, tone = wording.OPERATION_GLYPHS[operation.state]
    subject = f"  {_describe_subject(operation)}"
    duration = wording.format_span((operation.ended_at or now) - operation.started_at)
    verb = "took" if operation.state.ended else "for"
    duration += f" (as of {as_of})" if as_of and not operation.state.ended else ""
    origin = f", {verb} {duration}  operation {operation.id}, by {safe(operation.operator)}"
    parts: list[Content | str | tuple[str, str]] = [(f"{glyph} {operation.state}", f"bold {_STYLES[tone]}"), subject]
    parts += [_format_place(operation), origin, "\n", (suggest_next(operation), "$foreground 80%")]
    if operation.error and operation.state is not OperationState.SUCCEEDED:
        lines = [safe(line) for line in operation.error.splitlines() if line.strip()][:_HEADER_ERROR_LINES]
        parts += [("\n" + "\n".join(lines), "$error")]
    return Content.assemble(*parts)


def progress_below_header(operation: Operation) -> BuildProgress | None:
    """The progress of its build, without the errors once the header shows why it failed."""
    if operation.progress is None or not (operation.state.ended and operation.error):
        return operation.progress
    return operation.progress.model_copy(update={"errors": ()})


def _describe_subject(operation: Operation) -> str:
    """What it does to which agent. Safe text."""
    name = safe(operation.agent)
    if operation.proposal is None:
        return f"{operation.kind} {name}"
    if operation.kind is OperationKind.ROLLBACK:
        return f"roll back {name} (new deploy #{operation.proposal})"
    return f"{operation.kind} {name} #{operation.proposal}"


def _format_place(operation: Operation) -> str:
    """The step it is at or ended at; or what a failure has undone, if undoing it did not fail too."""
    if operation.step is None or operation.state is OperationState.SUCCEEDED:
        return ""
    if not operation.state.ended:
        return f", {safe(format_step(operation))}"
    undone = _UNDONE.get(operation.step) if not operation.rollback_failed else None
    return f", {undone}" if undone else f", at {safe(label(operation.step))}"


def suggest_next(operation: Operation) -> str:
    """What the operator may want to do now. Safe text."""
    match operation.state:
        case OperationState.QUEUED | OperationState.RUNNING:
            back, operations = current_key("everywhere.back"), current_key("everywhere.operations")
            return f"{back} leaves it running; press {operations} to return"
        case OperationState.SUCCEEDED if operation.kind in _REMOVALS:
            return f"{safe(operation.agent)} was {_REMOVALS[operation.kind]} · {current_key('everywhere.back')}: back"
        case OperationState.SUCCEEDED:
            return f"{current_key('operation.log')}: agent log · {current_key('everywhere.back')}: back"
        case OperationState.CANCELLED:
            return f"{current_key('operation.commands')}: commands · {_suggest_retry(operation)}"
        case OperationState.INTERRUPTED:
            warnings = current_key("everywhere.warnings")
            return f"its process is gone · {warnings}: warnings, with the fix · {_suggest_retry(operation)}"
        case _:
            named = (("next_error", "error"), ("commands", "commands"), ("log", "agent log"))
            keys = [f"{current_key(f'operation.{name}')}: {label}" for name, label in named]
            if place := find_place(operation.error):
                keys.insert(0, f"{current_key('operation.review')}: {safe(str(place), _PLACE_CELLS)}")
            return f"{' · '.join(keys)} · {_suggest_retry(operation)}"


def _suggest_retry(operation: Operation) -> str:
    key = current_key("operation.retry")
    if operation.proposal is None or operation.kind is OperationKind.PREVIEW:
        return f"{key}: {operation.kind} it again"
    return f"{'the previous version keeps running; ' if operation.kind in _DEPLOYS else ''}{key}: propose it again"
