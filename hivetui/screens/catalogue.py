"""Which class each screen name stands for.

A screen is imported when it is first opened, so that the imports of the others do not delay the list of agents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from hivetui.console.hives import Hives
from hivetui.console.state import HiveState
from hivetui.engine.api import Hive
from hivetui.engine.model.error_place import ErrorPlace
from hivetui.engine.model.settings import ConsoleSection

from .base import HiveScreen, ScreenName


def make_screen(
    name: ScreenName,
    hive: Hive,
    state: HiveState,
    clock: Callable[[], datetime] | None = None,
    *,
    settings: ConsoleSection | None = None,
    agents: tuple[str, ...] = (),
    number: int | None = None,
    place: ErrorPlace | None = None,
    groups: tuple[str, ...] = (),
    keys: Mapping[str, str] | None = None,
    hives: Hives | None = None,
) -> HiveScreen:
    """Make the screen of that name.

    `agents` limits it to those agents, () means all; `number` is the proposal of a review or the operation of an
    operation screen, and `place` the line to which a review goes; `groups` and `keys`, the actions of the
    screen in front and the user's key map, are for the help screen; `hives` are all that the console has.
    """
    settings = settings or ConsoleSection()
    screen: HiveScreen
    match name:
        case "review" | "operation":
            assert number is not None
            screen = _numbered_screen(name, hive, state, number, place)
        case "agents":
            from .agents.screen import AgentsScreen

            screen = AgentsScreen(hive, state, settings.columns)
        case "logs":
            from .logs.screen import LogsScreen

            screen = LogsScreen(hive, state, agents, settings.log_lines)
        case "help":
            from .help import HelpScreen

            screen = HelpScreen(hive, state, groups, keys)
        case _:
            screen = _list_screen(name, hive, state, agents)
    screen.clock = clock or screen.clock
    screen.hives = hives
    return screen


def _numbered_screen(name: str, hive: Hive, state: HiveState, number: int, place: ErrorPlace | None) -> HiveScreen:
    if name == "review":
        from .review.screen import ReviewScreen

        return ReviewScreen(hive, state, number, place)
    from .operation import OperationScreen

    return OperationScreen(hive, state, number)


def _list_screen(name: str, hive: Hive, state: HiveState, agents: tuple[str, ...]) -> HiveScreen:
    match name:
        case "proposals":
            from .proposals import ProposalsScreen

            return ProposalsScreen(hive, state, agents)
        case "operations":
            from .operations import OperationsScreen

            return OperationsScreen(hive, state)
        case "history":
            from .history import HistoryScreen

            return HistoryScreen(hive, state, agents)
        case "warnings":
            from .warnings import WarningsScreen

            return WarningsScreen(hive, state)
        case "hives":
            from .hives.screen import HivesScreen

            return HivesScreen(hive, state)
        case "all-agents":
            from .hives.all_agents import AllAgentsScreen

            return AllAgentsScreen(hive, state)
        case "all-proposals":
            from .hives.all_proposals import AllProposalsScreen

            return AllProposalsScreen(hive, state)
    raise ValueError(name)


def agent_columns() -> tuple[str, ...]:
    """The ids of the columns that the list of agents can show."""
    from .agents.screen import AgentsScreen

    return tuple(column.id for column in AgentsScreen.COLUMNS)
