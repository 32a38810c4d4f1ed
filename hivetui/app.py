"""The console's wiring: screens, key map, theme, opening and closing.

Everything imported here delays the first frame; the engine and the screens are imported in a thread after it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partialmethod
from typing import TYPE_CHECKING, ClassVar

# Textual reads it at import. With its default of 60, a key pressed after a flush waits up to two frames of 17 ms.
os.environ.setdefault("TEXTUAL_FPS", "240")

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from hivetui.console import keymap, themes
from hivetui.console.session import HiveOpener, Session, SettingsReader
from hivetui.console.terminal.terminal_app import TerminalApp, run_to_end
from hivetui.engine import slow_program, tool_messages
from hivetui.engine.model.text import safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from textual.command import Provider

    from hivetui.console.hives import Hives, HiveSource, ShellCommand
    from hivetui.engine.api import Hive
    from hivetui.engine.model.errors import HiveError
    from hivetui.engine.model.settings import Settings
    from hivetui.screens.agents.access import ShellRequested
    from hivetui.screens.base import OpenRequested, ScreenName
    from hivetui.screens.hives.requests import HiveRequested
    from hivetui.screens.navigation import Navigator

OtherHives = Callable[["Settings"], "Sequence[HiveSource]"]
"""The hives beside the first one that the console can open, by its settings; called in a thread."""
HERE = "here"
"""The name of the hive of this host among those elsewhere."""

_INTERRUPTED = 130
_KEYS_WHILE_OPENING = ("q", "Q", "ctrl+z", "ctrl+l")
"""The default keys that work before there is a screen; all others wait for it, or `/x` would lose its slash."""
_OPENING_CHECK_SECONDS = 0.5
"""How often it is looked at what the opening of a hive waits for."""
_ERROR_SECONDS = 12.0
_FAILURE_SECONDS = 1.0
"""How long a hive that could never be read is asked why when the console is closed."""


class HiveConsole(TerminalApp, inherit_bindings=False):
    """The application.

    `clock` is the time that the screens show; None: now. `shell_command` is the program that opens a shell in an
    agent's container; None where no shells are opened. `name` is that of this hive among `other_hives`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("everywhere"),
        Binding("ctrl+c", "help_quit", show=False, system=True),
        Binding("ctrl+l", "redraw", show=False, system=True),
    ]
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {lambda: _actions_provider()}
    COMMAND_PALETTE_BINDING = ""
    CSS_PATH = "app.tcss"

    def __init__(
        self,
        open_hive: HiveOpener,
        read_settings: SettingsReader | None = None,
        clock: Callable[[], datetime] | None = None,
        kill_children: Callable[[], None] = lambda: None,
        shell_command: ShellCommand | None = None,
        name: str = HERE,
        other_hives: OtherHives = lambda settings: (),
    ) -> None:
        super().__init__(kill_children)
        for theme in themes.TRUECOLOR:
            self.register_theme(theme)
        self.theme = themes.DARK.name
        self.hives: Hives | None = None
        self.navigator: Navigator | None = None
        self._opening_lines: list[str] = []
        self._open_hive, self._read_settings, self._clock = open_hive, read_settings, clock
        self._shell_command, self._hive_name, self._other_hives = shell_command, name, other_hives

    def compose(self) -> ComposeResult:
        """The first frame, which looks like the splash screen."""
        yield Static(Content.assemble(("hivetui", "$primary bold"), "\nopening the hive …"), id="opening", markup=False)

    def on_mount(self) -> None:
        """Open the hive when the first frame has been painted."""
        tool_messages.listen(self._show_tool_message)
        self.type_ahead.hold(_KEYS_WHILE_OPENING)
        if not self.shutdown_watchdog.is_running:
            self.call_after_refresh(lambda: self.run_worker(self._start(), exit_on_error=True))

    def use_colors(self, system: str | None) -> None:
        """Use the themes for the colours that the terminal has, named as by Rich."""
        self.set_class(system in ("standard", "256"), "few-colors")
        for theme in themes.for_colors(system):
            self.register_theme(theme)
        self.mutate_reactive(HiveConsole.theme)  # it may be the current one that has other colours now

    async def _start(self) -> None:
        from hivetui.engine.model.errors import HiveError

        tool_messages.listen(self._show_tool_message)  # Textual starts this in the task of a screen, not in the app's
        try:
            navigation = await asyncio.to_thread(importlib.import_module, "hivetui.screens.navigation")
            settings = await self._load_settings()
            self.take_mouse(settings.console.mouse)
            self.hives = await self._find_hives(settings)
            session = await self.hives.open_first()
        except HiveError as error:
            self.failure = error
            self.exit(error.code)
            return
        self.navigator = navigation.Navigator(self, self.hives, self._clock)
        if session.settings.theme in self.available_themes:
            self.theme = session.settings.theme
        self.set_keymap(keymap.usable_keys(session.settings.keys))
        await self._show_agents(session, self.navigator)

    async def _show_agents(self, session: Session, navigator: Navigator) -> None:
        """Show the agents as soon as they are known."""
        await session.wait_for_state()
        await self.push_screen(navigator.make("agents"))
        await self.type_ahead.release()
        navigator.show_startup_notices()
        gc.enable()  # the command line has put it off
        if self.bug is None:
            gc.freeze()  # a collection through all that has been loaded takes 20 ms, in the middle of a key

    @property
    def session(self) -> Session | None:
        """The session of the hive in front."""
        return None if self.hives is None else self.hives.front.session

    async def _load_settings(self) -> Settings:
        from hivetui.engine.model.settings import Settings

        return Settings() if self._read_settings is None else await asyncio.to_thread(self._read_settings)

    async def _find_hives(self, settings: Settings) -> Hives:
        from hivetui.console.hives import Hives, HiveSource

        first = HiveSource(self._hive_name, self._open_first, self._shell_command)
        others = await asyncio.to_thread(self._other_hives, settings)
        return Hives(self, [first, *map(self._heard, others)], settings)

    def _heard(self, source: HiveSource) -> HiveSource:
        """A hive whose host is heard while it is opened: what it says may be a link at which to log in."""

        async def open_and_listen() -> Hive:
            tool_messages.listen(self._show_tool_message)
            return await source.open()

        return replace(source, open=open_and_listen)

    async def _open_first(self) -> Hive:
        """The hive; while it is waited for, the screen says what has not answered."""
        tool_messages.listen(self._show_tool_message)
        telling = asyncio.ensure_future(self._tell_waits())
        try:
            return await self._open_hive()
        finally:
            telling.cancel()

    async def _tell_waits(self) -> None:
        while True:
            await asyncio.sleep(_OPENING_CHECK_SECONDS)
            if text := slow_program.describe_slow_program():
                self._show_opening(safe(f"waiting: {text}"))

    def _show_opening(self, *lines: str) -> None:
        self.query_one("#opening", Static).update("\n".join(("hivetui", *self._opening_lines, *lines)))

    def _show_tool_message(self, text: str) -> None:
        if self.navigator is None:  # perhaps a link at which to log in, which has to stay
            self._opening_lines.append(safe(text))
            self._show_opening()
        self.notify(safe(text), severity="warning", timeout=_ERROR_SECONDS, markup=False)

    def on_open_requested(self, message: OpenRequested) -> None:
        """A screen asks for another one."""
        if self.navigator is not None:
            self.navigator.open_requested(message)

    def on_hive_requested(self, message: HiveRequested) -> None:
        """A list of several hives asks for one of them, and for what is in it."""
        if self.navigator is not None:
            self.navigator.go_to_hive(message)

    def on_shell_requested(self, message: ShellRequested) -> None:
        """A screen asks for a shell in an agent's container, which is one of the hive that the screen shows.

        What was typed ahead was for the shell; it cannot be put back, and means something else here.
        """
        self.type_ahead.drop_waiting()
        link = None if self.hives is None else self.hives.link_of(message.hive)
        if link is None or link.source.shell_command is None:
            self.notify("This console opens no shells.", severity="warning", markup=False)
        elif message.hive.role != "decide":
            self.notify("A shell is not for those who only look.", severity="warning", markup=False)
        else:
            argv = link.source.shell_command(message.agent)
            self.run_worker(self._lend_to_shell(message.agent, argv), exit_on_error=True)

    async def _lend_to_shell(self, agent: str, argv: list[str]) -> None:
        if status := await self.lend_terminal(argv):
            self.notify(f"The shell of {agent} ended with status {status}.", severity="warning", markup=False)

    def _open_tab(self, name: ScreenName) -> None:
        if self.navigator is not None:
            self.navigator.open(name)

    action_agents = partialmethod(_open_tab, "agents")
    action_proposals = partialmethod(_open_tab, "proposals")
    action_operations = partialmethod(_open_tab, "operations")
    action_logs = partialmethod(_open_tab, "logs")
    action_history = partialmethod(_open_tab, "history")
    action_warnings = partialmethod(_open_tab, "warnings")
    action_hives = partialmethod(_open_tab, "hives")

    def action_help(self) -> None:
        """Show every key, those of the screen in front first."""
        if self.navigator is not None:
            self.navigator.open_help(self._keymap)

    async def action_back(self) -> None:
        """Close the notifications and the screen in front."""
        self.clear_notifications()
        if self.navigator is not None:
            self.navigator.back()

    def action_focus_next(self) -> None:
        """Textual's own on tab: a screen with one thing to move in says so."""
        if self.navigator is None or not self.navigator.explain_tab():
            super().action_focus_next()

    async def action_quit(self) -> None:
        """Close the screen in front or, at home, the console."""
        is_home = self.navigator is None or self.navigator.is_home
        await (self.action_exit() if is_home else self.action_back())

    async def action_exit(self) -> None:
        """Close the console; if its hive could never be read, with the message and the status that verbs give.

        So it is when nobody knows what became of something that was asked for.
        """
        self.failure = self.failure or self._find_open_act() or await self._find_failure()
        await super().action_exit()

    def _find_open_act(self) -> HiveError | None:
        """That an engine was asked to do something and has not answered; None if there is no such act."""
        for link in () if self.hives is None else self.hives.links:
            if link.session is not None and (waits_for := slow_program.describe_slow_act(link.session.hive)):
                from hivetui.engine.model.errors import Unavailable

                why = f"{waits_for[:1].upper()}{waits_for[1:]}."
                return Unavailable("What was asked for last may be done or not", why, "Look before you do it again.")
        return None

    async def _find_failure(self) -> HiveError | None:
        """Why the hive in front cannot be read; None if it has been, or if a program that hangs is waited for."""
        from hivetui.engine.model.errors import HiveError

        session = self.session
        if session is None or session.state.loaded or session.state.problem is None:
            return None
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(_FAILURE_SECONDS):
                    await session.hive.agents()
                    await session.hive.proposals()
            except HiveError as error:
                return error
        return None

    def action_palette(self) -> None:
        """Open the command palette."""
        self.action_command_palette()

    def action_theme(self) -> None:
        """Switch to the next theme."""
        position = themes.NAMES.index(self.theme) + 1 if self.theme in themes.NAMES else 0
        self.theme = themes.NAMES[position % len(themes.NAMES)]
        self.notify(f"theme {self.theme}", timeout=2, markup=False)

    def action_help_quit(self) -> None:
        """Say how to quit, and that Ctrl-C itself ends nothing; before there is anything to see, it does."""
        if self.navigator is None:
            self.shut_down(_INTERRUPTED)
            return
        key = keymap.display_key(self._keymap.get("everywhere.quit", keymap.action_of("everywhere.quit").keys))
        self.notify(f"{key} closes the console; operations keep running", timeout=4, markup=False)


def _actions_provider() -> type[Provider]:
    from hivetui.screens.palette import ActionsProvider

    return ActionsProvider


def run(
    open_hive: HiveOpener,
    read_settings: SettingsReader | None = None,
    kill_children: Callable[[], None] = lambda: None,
    shell_command: ShellCommand | None = None,
    name: str = HERE,
    other_hives: OtherHives = lambda settings: (),
) -> int:
    """Run the console to its end and return the exit status; raises the expected error that ended it."""
    console = HiveConsole(open_hive, read_settings, None, kill_children, shell_command, name, other_hives)
    if not console.no_color:
        console.use_colors(console.console.color_system)  # before the style sheets are read, or they are read twice
    return run_to_end(console)
