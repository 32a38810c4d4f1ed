"""Which screens are in front: home (the agents) at the bottom, one of the other tabs over it, the rest over that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from textual.app import App

from hivetui.console.actions import SCREEN_GROUPS
from hivetui.console.notifications import show_startup_notices
from hivetui.console.session import Session

from .base import HiveScreen, OpenRequested, ScreenName
from .catalogue import agent_columns, make_screen
from .listing import ListScreen

_TABS = frozenset({"agents", "proposals", "operations", "logs", "history", "warnings"})
_HOME = 2
"""The length of the screen stack at home: the screen of the first frame, then the agents."""


class Navigator:
    """Makes screens of a session and puts them on the app's stack. `clock` is the time that they show; None: now."""

    def __init__(self, app: App[Any], session: Session, clock: Callable[[], datetime] | None) -> None:
        self._app, self._session, self._clock = app, session, clock
        self._cursors: dict[str, str] = {}  # by tab; kept here, because screens come and go

    def make(self, name: ScreenName, **arguments: Any) -> HiveScreen:
        """Make a screen; the arguments are those of `make_screen`."""
        session = self._session
        screen = make_screen(name, session.hive, session.state, self._clock, settings=session.settings, **arguments)
        if isinstance(screen, ListScreen):
            screen.cursors = self._cursors
        return screen

    def show_startup_notices(self) -> None:
        """Notify about settings that cannot be used and about repairs."""
        show_startup_notices(self._app, self._session, agent_columns())

    def open(
        self, name: ScreenName, agents: tuple[str, ...] = (), number: int | None = None, keep_below: bool = False
    ) -> None:
        """Open a tab over home or, with `keep_below` or if it has no tab, a screen over the one in front.

        A review takes the place of another one, so that esc leads back to where the first was opened.
        """
        while len(self._app.screen_stack) > _HOME and name in _TABS and not keep_below:
            self._app.pop_screen()
        if name == "review" and getattr(self._app.screen, "TAB", "") == name:
            self._app.pop_screen()
        if name != "agents":
            self._app.push_screen(self.make(name, agents=agents, number=number))

    def open_requested(self, request: OpenRequested) -> None:
        """Open what a screen asks for; from the logs that it asks for, esc returns to it."""
        self.open(request.target, request.agents, request.number, keep_below=request.target == "logs")

    def open_help(self, keys: Mapping[str, str]) -> None:
        """Show every key, those of the screen in front first; `keys` is the user's key map."""
        screen = self._app.screen
        groups = SCREEN_GROUPS[screen.TAB] if isinstance(screen, HiveScreen) else ()
        self._app.push_screen(self.make("help", groups=groups, keys=keys))

    @property
    def is_home(self) -> bool:
        """Whether no screen is over the agents."""
        return len(self._app.screen_stack) <= _HOME

    def explain_tab(self) -> bool:
        """Say that tab does nothing, and return True, where there is nothing else to move to."""
        screen = self._app.screen
        if not isinstance(screen, HiveScreen) or len(screen.focus_chain) > 1:
            return False
        screen.explain_unbound("tab")
        return True

    def back(self) -> None:
        """Close the screen in front, unless it is home."""
        if not self.is_home:
            self._app.pop_screen()
