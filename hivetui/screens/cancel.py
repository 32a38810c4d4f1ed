"""Cancelling an operation, from its own screen or from the list."""

from __future__ import annotations

from hivetui.engine.model.operations import Operation
from hivetui.screens.base import HiveScreen
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.operation_text import format_step


def cancel_obstacle(operation: Operation) -> str | None:
    """Why it cannot be cancelled, or None."""
    if operation.state.ended:
        return f"operation {operation.id} has {operation.state}; only what runs can be cancelled"
    return None


def ask_cancel(screen: HiveScreen, operation: Operation) -> None:
    """Cancel it, if the operator confirms."""

    def on_answer(yes: bool | None) -> None:
        if yes:
            screen.run_engine_work(screen.hive.cancel(operation.id))

    step = format_step(operation)
    details = (
        f"It is at: {step or 'its beginning'}.",
        "Its programs end. The host is left as a failure at this step leaves it.",
    )
    question = f"Cancel {operation.kind} of {operation.agent} (operation {operation.id})?"
    screen.app.push_screen(ConfirmDialog(question, details, "cancel it"), on_answer)
