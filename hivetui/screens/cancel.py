"""Cancelling an operation, from its own screen or from the list."""

from __future__ import annotations

from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.screens.base import HiveScreen
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.operation_text import format_step
from hivetui.screens.state_labels import operation_end


def cancel_obstacle(operation: Operation) -> str | None:
    """Why it cannot be cancelled, or None."""
    if operation.state.ended:
        return f"Operation {operation.id} {operation_end(operation.state)}; only running operations can be cancelled."
    return None


def ask_cancel(screen: HiveScreen, operation: Operation) -> None:
    """Cancel it, if the operator confirms."""

    def on_answer(yes: bool | None) -> None:
        if yes:
            screen.run_engine_work(screen.hive.cancel(operation.id))

    step = format_step(operation)
    details = (
        f"Current step: {step or 'not started yet'}.",
        _describe_effect(operation.kind),
    )
    question = f"Cancel {operation.kind} of {operation.agent} (operation {operation.id})?"
    screen.app.push_screen(ConfirmDialog(question, details, "cancel it"), on_answer)


def _describe_effect(kind: OperationKind) -> str:
    if kind in (OperationKind.DEPLOY, OperationKind.ROLLBACK):
        return "Same result as a failed build: the previous version keeps running."
    return "Same result as a failure of this step."
