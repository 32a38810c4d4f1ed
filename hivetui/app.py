"""The console: wiring only. Opens the hive after the first frame, keeps its state fresh, and puts screens in front.

Nothing heavy is imported here: the engine and the screens come in a thread once the first frame is on the screen.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

os.environ.setdefault("TEXTUAL_FPS", "240")  # a key that comes after a flush would else wait for up to two frames

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from hivetui.console import keymap, themes
from hivetui.console.terminal import splash, watchdog
from hivetui.console.terminal.drain import is_drained
from hivetui.console.terminal.driver import TerminalDriver

if TYPE_CHECKING:
    from datetime import datetime

    from textual.command import Provider
    from textual.widgets import Input

    from hivetui.console.state import HiveState
    from hivetui.engine.api import Hive
    from hivetui.engine.model.events import Event
    from hivetui.engine.model.settings import ConsoleSection

    from .screens.base import HiveScreen, OpenRequested

Opener = Callable[[], Awaitable["Hive"]]
"""Opens the hive; imports what it needs itself."""
SettingsReader = Callable[[], "ConsoleSection"]
"""Reads what is set for the console; called in a thread, after the first frame."""

DRAIN_SECONDS = 0.02
"""How often a slow terminal is looked at again while a new state waits to be painted."""


class HiveConsole(App[int], inherit_bindings=False):
    """The application; its return value is the exit status."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("everywhere"),
        Binding("ctrl+c", "help_quit", show=False, system=True),
    ]
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {lambda: _actions_provider()}
    COMMAND_PALETTE_BINDING = ""
    CSS = """
    #opening { width: 100%; height: 100%; content-align: center middle; }
    VerticalScroll {
        scrollbar-size-vertical: 1;
        scrollbar-background: $surface;
        scrollbar-background-hover: $surface;
        scrollbar-background-active: $surface;
    }
    """

    def __init__(
        self,
        opener: Opener,
        settings: SettingsReader | None = None,
        clock: Callable[[], datetime] | None = None,
        kill_children: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        for theme in themes.ALL:
            self.register_theme(theme)
        self.theme = themes.DARK.name
        self.console_settings: ConsoleSection | None = None
        self.hive: Hive | None = None
        self.state: HiveState | None = None
        self.failure: Exception | None = None
        self.bug: BaseException | None = None
        self.shutdown_watchdog = watchdog.ShutdownWatchdog(self._say_last_word, kill_children)
        self._opener, self._settings_reader, self._clock = opener, settings, clock
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._viewed: set[tuple[str, ...]] = set()  # what was marked as viewed in the reviews
        self._on_their_way: deque[events.Key] = deque(maxlen=256)  # keys given to the screen, not yet back from it

    def compose(self) -> ComposeResult:
        """What is seen until the hive is open."""
        yield Static(Content.assemble(("hivetui", "$primary bold"), "\nopening the hive …"), id="opening", markup=False)

    def on_mount(self) -> None:
        """The hive is opened when the first frame has been painted."""
        self._own_loop = asyncio.get_running_loop()
        if self.shutdown_watchdog.is_near:  # a signal came while Textual was starting
            self.exit(self.shutdown_watchdog.status)
            return
        self.call_after_refresh(lambda: self.run_worker(self._open(), exit_on_error=True))

    async def _open(self) -> None:
        from hivetui.engine.model.errors import HiveError

        try:
            await asyncio.to_thread(_import_the_rest)
            if self._settings_reader is not None:
                self.console_settings = await asyncio.to_thread(self._settings_reader)
            self.hive = await self._opener()
        except HiveError as error:
            self.failure = error
            self.exit(error.code)
            return
        from hivetui.console.state import HiveState

        self.state = HiveState(description=self.hive.description)
        self._settle_console()
        await self._look()
        await self.push_screen(self._make("agents"))
        self._tell_opening()
        if self.bug is not None:
            return
        gc.freeze()  # what is there now stays: going through all of it takes 20 ms in the middle of a key
        # no workers of their own: one that is cancelled before its first step never awaits what it was given
        await asyncio.gather(self._keep_looking(), self._listen())

    def _settle_console(self) -> None:
        if (console := self.console_settings) is None:
            return
        if console.theme in self.available_themes:
            self.theme = console.theme
        else:
            self._warn(f"no theme {console.theme[:40]!r}; there are {', '.join(themes.NAMES)}")
        for problem in keymap.find_problems(console.keys):
            self._warn(f"[console.keys]: {problem}")
        self.set_keymap(keymap.usable_keys(console.keys))
        self._check_columns(console)

    def _check_columns(self, console: ConsoleSection) -> None:
        from .screens.agents.screen import AgentsScreen

        known = [column.id for column in AgentsScreen.COLUMNS]
        if unknown := [name for name in console.columns if name not in known]:
            self._warn(f"[console] columns: no column {unknown[0][:40]!r}; there are {', '.join(known)}")

    def _warn(self, text: str) -> None:
        from hivetui.engine.model.text import safe

        self.notify(safe(text), severity="warning", timeout=12, markup=False)

    def _tell_opening(self) -> None:
        """Report what was repaired when the hive was opened, and why the rest could not be."""
        assert self.hive is not None
        for repair in self.hive.repairs:
            self._warn(f"{repair.agent or 'the hive'}: {repair.found}; {repair.done}")
        if (repair_error := self.hive.repair_error) is not None:
            self._warn(f"Repair after an earlier crash failed: {repair_error.what}. {repair_error.fix}")

    # -- state ------------------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        seconds = self.console_settings.refresh_seconds if self.console_settings else 1.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
            self._changed.clear()
            await self._look()

    async def _look(self) -> None:
        from hivetui.console.state import load_state

        assert self.hive is not None
        assert self.state is not None
        state = await load_state(self.hive, self.state)
        if state != self.state:
            while not is_drained(self):  # noqa: ASYNC110  the writer's queue tells nobody
                await asyncio.sleep(DRAIN_SECONDS)
            self.state = state
            self._tell(state)

    def _tell(self, state: HiveState) -> None:
        from hivetui.console.state import StateChanged

        for screen in self.screen_stack:
            screen.post_message(StateChanged(state))

    async def _listen(self) -> None:
        assert self.hive is not None
        event: Event
        async for event in self.hive.events():
            del event
            self._changed.set()

    # -- screens ----------------------------------------------------------------------------------------------------

    def _make(self, place: str, **arguments: Any) -> HiveScreen:
        from .screens import catalogue

        assert self.hive is not None
        assert self.state is not None
        return catalogue.make_screen(
            place, self.hive, self.state, self._clock, console=self.console_settings, viewed=self._viewed, **arguments
        )

    def on_open_requested(self, message: OpenRequested) -> None:
        """A screen asks for another."""
        self._open_place(message.place, message.agents, message.number, over=message.place == "logs")

    def _open_place(
        self, place: str, agents: tuple[str, ...] = (), number: int | None = None, over: bool = False
    ) -> None:
        """Go there: over the screen in front, to which esc goes back, or as one of the six over home."""
        if self.state is None:
            return
        while len(self.screen_stack) > 2 and place in _TOP_PLACES and not over:
            self.pop_screen()
        if place != "agents":
            self.push_screen(self._make(place, agents=agents, number=number))

    def action_agents(self) -> None:
        """Home."""
        self._open_place("agents")

    def action_proposals(self) -> None:
        """What waits."""
        self._open_place("proposals")

    def action_operations(self) -> None:
        """What runs."""
        self._open_place("operations")

    def action_logs(self) -> None:
        """Logs of every running agent, unless the screen knows better."""
        self._open_place("logs")

    def action_history(self) -> None:
        """Every deploy."""
        self._open_place("history")

    def action_warnings(self) -> None:
        """What is wrong."""
        self._open_place("warnings")

    def action_help(self) -> None:
        """Every key of the screen in front."""
        if self.state is not None:
            self.push_screen(self._make("help", groups=getattr(self.screen, "GROUPS", ()), keymap=self._keymap))

    async def action_back(self) -> None:
        """One screen back; home stays, and what was told has been read."""
        self.clear_notifications()
        if len(self.screen_stack) > 2:
            self.pop_screen()

    def action_palette(self) -> None:
        """Every action by name."""
        self.action_command_palette()

    def action_suspend(self) -> None:
        """To the shell that started us, if there is one to come back from."""
        if os.getsid(0) == os.getpid():
            self.notify("no shell waits behind this console", markup=False)
        else:
            self.app_suspend_signal.publish(self)
            os.killpg(os.getpgrp(), signal.SIGTSTP)  # with whoever runs us: a make that goes on would keep the shell

    def action_theme(self, name: str | None = None) -> None:
        """That theme, or the next of ours."""
        after = themes.NAMES.index(self.theme) + 1 if self.theme in themes.NAMES else 0
        self.theme = name or themes.NAMES[after % len(themes.NAMES)]
        self.notify(f"theme {self.theme}", timeout=2, markup=False)

    def action_help_quit(self) -> None:
        """Ctrl-C ends nothing by surprise; it says what does."""
        key = keymap.display_key(self._keymap.get("everywhere.quit", keymap.action_of("everywhere.quit").keys))
        self.notify(f"{key} closes the console; operations go on", timeout=4, markup=False)

    async def action_quit(self) -> None:
        """End the console; operations go on."""
        self.end_at_once(0)

    def copy_to_clipboard(self, text: str) -> None:
        """By OSC 52; inside tmux also wrapped, for a tmux that only passes through what is wrapped."""
        super().copy_to_clipboard(text)
        if self._driver is not None and os.environ.get("TMUX"):
            data = base64.b64encode(text.encode()).decode()
            self._driver.write(f"\x1bPtmux;\x1b\x1b]52;c;{data}\a\x1b\\")

    # -- keys -------------------------------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Keys are looked up when they come back from the screen; as long as one is on that way, the next follow it."""
        if isinstance(event, events.Key) and not event.is_forwarded and (self._on_their_way or self.focused is None):
            self._on_their_way.append(event)
            if self._line_in_front() is not None:
                self.screen._forward_event(event)
                return
        await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        """What was typed before its line was open is part of the line: Textual would lose it."""
        while self._on_their_way and event in self._on_their_way:
            first = self._on_their_way.popleft()
            if first is event and (line := self._line_in_front()) is not None:
                event.prevent_default()
                line._forward_event(events.Key(event.key, event.character))

    def _line_in_front(self) -> Input | None:
        """The line of a screen of ours that takes keys now; in a dialog nothing counts that came before it."""
        from textual.widgets import Input  # not needed for the first frame

        focused = self.focused
        return focused if isinstance(focused, Input) and not self.screen.is_modal else None

    # -- ending -----------------------------------------------------------------------------------------------------

    def end_at_once(self, status: int) -> None:
        """End in time, whatever hangs; from any thread, and in the handler of a signal."""
        if self.shutdown_watchdog.is_near:
            return
        self.shutdown_watchdog.begin(status)
        if self._own_loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._own_loop.call_soon_threadsafe(self.exit, status)

    def terminal_is_gone(self) -> None:
        """As a hang-up."""
        self.end_at_once(129)

    def input_failed(self, error: Exception) -> None:
        """A bug in the thread that reads keys."""
        if self._own_loop is not None:
            self._own_loop.call_soon_threadsafe(self._handle_exception, error)

    def _say_last_word(self) -> None:
        splash.remove()
        if isinstance(self._driver, TerminalDriver):
            self._driver.restore_at_any_cost()
        if self.bug is not None:
            _report(self.bug)

    def _handle_exception(self, error: Exception) -> None:
        """A bug: end, and keep it for the report; in place of Textual's traceback, which shows what variables hold."""
        if self.bug is None and not self.is_headless:  # what the bug stopped may keep the rest from ending
            self.shutdown_watchdog.begin(BUG)
        if self.bug is None:
            self.bug = getattr(error, "error", None) or error  # a failed worker has its error inside
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._return_code = BUG
        self._close_messages_no_wait()


BUG = 70
"""The exit status of a bug: EX_SOFTWARE of sysexits.h."""
_TOP_PLACES = frozenset({"agents", "proposals", "operations", "logs", "history", "warnings"})


def _actions_provider() -> type[Provider]:
    from .screens.palette import ActionsProvider

    return ActionsProvider


def _import_the_rest() -> None:
    """The imports that the first frame does not need."""
    from .screens import catalogue  # noqa: F401


def run(
    opener: Opener, settings: SettingsReader | None = None, kill_children: Callable[[], None] = lambda: None
) -> int:
    """Run the console to its end; the exit status. The expected failure that ended it is raised when all is over.

    `kill_children` is called before a forced exit, from another thread: it ends what the engine runs, without waiting.
    """
    app = HiveConsole(opener, settings, kill_children=kill_children)
    with watchdog.on_signals(app.end_at_once):
        try:
            status = app.run()
        except Exception as error:  # noqa: BLE001  the last place that can tell
            app.bug = app.bug or error
            status = None
        app.shutdown_watchdog.cancel()
    if app.bug is not None:
        return _report(app.bug)
    if app.failure is not None:
        raise app.failure
    return status if status is not None else app.return_code or 0


def _report(bug: BaseException) -> int:
    from hivetui.console.terminal import crash_report as bugs

    splash.remove()
    with contextlib.suppress(OSError):
        print("\n".join(bugs.report(bug, os.environ)), file=sys.__stderr__, flush=True)
    return BUG
