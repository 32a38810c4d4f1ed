"""Opening a dialog with what the engine has to be asked for first."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hivetui.console.terminal.terminal_app import TerminalApp
from hivetui.engine.model.errors import HiveError
from hivetui.screens.base import HiveScreen

T = TypeVar("T")
_LEAVING = ("escape", "q", "Q", "ctrl+z", "ctrl+l")
"""The default keys that are not for the dialog, as long as nothing else was typed: the engine may take long."""


def ask_when_known(screen: HiveScreen, work: Coroutine[Any, Any, T], ask: Callable[[T], None]) -> None:
    """Await a call of the engine, and pass its result to `ask`, which opens the dialog.

    What is typed meanwhile is for the dialog, and is forgotten if there will be none.
    """
    app = screen.app
    if not isinstance(app, TerminalApp):
        screen.run_engine_work(work, ask)
        return
    type_ahead = app.type_ahead
    type_ahead.hold(_LEAVING)

    async def run() -> None:
        try:
            found = await work
            if screen.is_attached:
                ask(found)
        except HiveError:
            type_ahead.drop_waiting()
            raise
        finally:
            await type_ahead.release()

    screen.run_engine_work(run())
