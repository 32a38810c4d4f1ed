"""Which screen each place is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.settings import ConsoleSection

from .base import HiveScreen
from .help import HelpScreen


def make_screen(
    place: str, hive: Hive, state: HiveState, clock: Callable[[], datetime] | None = None, **arguments: Any
) -> HiveScreen:
    """The screen of `place`; arguments that are None or empty mean "all" or "the usual"."""
    screen = _screen(place, hive, state, **arguments)
    screen.clock = clock or screen.clock
    return screen


def _screen(place: str, hive: Hive, state: HiveState, **arguments: Any) -> HiveScreen:
    agents: tuple[str, ...] = arguments.get("agents") or ()
    console: ConsoleSection | None = arguments.get("console")
    number: int | None = arguments.get("number")
    match place:
        case "agents":
            from .agents.screen import AgentsScreen

            return AgentsScreen(hive, state, console.columns if console else ())
        case "proposals":
            from .proposals import ProposalsScreen

            return ProposalsScreen(hive, state, agents)
        case "review":
            from .review.screen import ReviewScreen

            assert number is not None
            return ReviewScreen(hive, state, number, arguments.get("viewed"))
        case "operations":
            from .operations import OperationsScreen

            return OperationsScreen(hive, state)
        case "operation":
            from .operation import OperationScreen

            assert number is not None
            return OperationScreen(hive, state, number)
        case "logs":
            from .logs.screen import LogsScreen
            from .logs.tail import MAX_LINES

            return LogsScreen(hive, state, agents, console.log_lines if console else MAX_LINES)
        case "history":
            from .history import HistoryScreen

            return HistoryScreen(hive, state, agents)
        case "warnings":
            from .warnings import WarningsScreen

            return WarningsScreen(hive, state)
        case "help":
            return HelpScreen(hive, state, arguments.get("groups") or (), arguments.get("keymap"))
        case _:
            raise ValueError(place)
