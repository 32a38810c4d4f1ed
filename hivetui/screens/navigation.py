"""Which screens are in front: home (the agents) at the bottom, one of the other tabs over it, the rest over that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from textual.app import App
from textual.screen import ModalScreen

from hivetui.console.actions import SCREEN_GROUPS
from hivetui.console.hives import Hives
from hivetui.console.notifications import show_startup_notices
from hivetui.console.session import Session
from hivetui.engine.model.error_place import ErrorPlace
from hivetui.engine.model.text import safe

from .base import HiveScreen, OpenRequested, ScreenName
from .catalogue import agent_columns, make_screen
from .hives.requests import HiveRequested
from .listing import ListScreen
from .reasons import Reasons

_TABS = frozenset({"agents", "proposals", "operations", "logs", "history", "warnings", "hives"})
_REPLACING = (frozenset({"review"}), frozenset({"all-agents", "all-proposals"}))
_HOME = 2
"""The length of the screen stack at home: the screen of the first frame, then the agents."""


class Navigator:
    """Makes screens of the hive in front and puts them on the app's stack.

    A screen belongs to one hive for as long as there is the screen; another hive in front has screens of its own.
    `clock` is the time that they show; None: now.
    """

    def __init__(self, app: App[Any], hives: Hives, clock: Callable[[], datetime] | None) -> None:
        self._app, self._hives, self._clock = app, hives, clock
        self._cursors: dict[str, dict[str, str]] = {}  # by hive and tab; kept here, because screens come and go
        self._reasons: dict[str, Reasons] = {}  # by hive

    @property
    def _session(self) -> Session:
        session = self._hives.front.session
        assert session is not None  # the one in front is not closed
        return session

    def make(self, name: ScreenName, **arguments: Any) -> HiveScreen:
        """Make a screen; the arguments are those of `make_screen`."""
        session = self._session
        arguments |= {"settings": session.settings, "hives": self._hives}
        screen = make_screen(name, session.hive, session.state, self._clock, **arguments)
        screen.reasons = self._reasons.setdefault(self._hives.front.name, Reasons())
        if isinstance(screen, ListScreen):
            about = "" if screen.IS_ABOUT_ALL else self._hives.front.name
            screen.cursors = self._cursors.setdefault(about, {})
        return screen

    def show_startup_notices(self) -> None:
        """Notify about settings that cannot be used and about repairs."""
        show_startup_notices(self._app, self._session, agent_columns())

    def open(
        self,
        name: ScreenName,
        agents: tuple[str, ...] = (),
        number: int | None = None,
        keep_below: bool = False,
        place: ErrorPlace | None = None,
    ) -> None:
        """Open a tab over home or, with `keep_below` or if it has no tab, a screen over the one in front.

        A review takes the place of another one, so that esc leads back to where the first was opened; and so does a
        list of all hives.
        """
        if name == "hives" and not self._hives.are_several:
            self._app.notify("This console has one hive. Others: --host, or [hosts.NAME] in the settings", markup=False)
            return
        while len(self._app.screen_stack) > _HOME and name in _TABS and not keep_below:
            self._app.pop_screen()
        if any(name in kind and getattr(self._app.screen, "TAB", "") in kind for kind in _REPLACING):
            self._app.pop_screen()
        if name != "agents":
            self._app.push_screen(self.make(name, agents=agents, number=number, place=place))

    def open_requested(self, request: OpenRequested) -> None:
        """Open what a screen asks for; from the logs that it asks for, esc returns to it.

        A screen of a hive that is no longer in front asks in vain: its numbers would be those of another hive here.
        """
        if request.hive is self._session.hive:
            is_log = request.target == "logs"
            self.open(request.target, request.agents, request.number, keep_below=is_log, place=request.place)

    def go_to_hive(self, request: HiveRequested) -> None:
        """Have another hive in front, with screens of its own, unless a dialog of this one waits for an answer."""
        link = self._hives.link(request.name)
        if link.session is None:
            return
        if any(isinstance(screen, ModalScreen) for screen in self._app.screen_stack):
            self._app.notify(safe(f"Answer the dialog first, then go to {link.name}."), markup=False)
            return
        with self._app.batch_update():
            while not self.is_home:
                self._app.pop_screen()
            if link is not self._hives.front:
                self._hives.bring_to_front(link)
                if request.agent is not None:
                    self._cursors.setdefault(link.name, {})["agents"] = request.agent
                self._app.switch_screen(self.make("agents"))
            elif request.agent is not None:
                self._show_agent(request.agent)
            if request.target != "agents":
                self.open(request.target, number=request.number)

    def _show_agent(self, name: str) -> None:
        """Put the cursor of the list of agents, which is in front, on an agent."""
        if isinstance(self._app.screen, ListScreen):
            self._app.screen.table.go_to_key(name)

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
