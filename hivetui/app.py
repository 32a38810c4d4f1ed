"""The console: wiring only. Opens the hive after the first frame, keeps its state fresh, and puts screens in front.

Nothing heavy is imported here: the engine and the screens come in a thread once the first frame is on the screen.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

os.environ.setdefault("TEXTUAL_FPS", "240")  # a key that comes after a flush would else wait for up to two frames

from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from . import keys, themes

if TYPE_CHECKING:
    from textual.command import Provider

    from .engine.interface import Hive
    from .engine.models import Event
    from .engine.settings import ConsoleSection
    from .screens.base import HiveScreen, OpenRequested
    from .screens.state import HiveState

Opener = Callable[[], Awaitable["Hive"]]
"""Opens the hive; imports what it needs itself."""

LAST_WORD_SECONDS = 1.0
"""How long a console whose terminal is gone may take to end its readers before it is ended."""


class HiveConsole(App[int]):
    """The application; its return value is the exit status."""

    BINDINGS = keys.bindings("everywhere")
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {lambda: _actions_provider()}
    COMMAND_PALETTE_BINDING = ""
    CSS = "#opening { width: 100%; height: 100%; content-align: center middle; }"

    def __init__(self, opener: Opener, console: ConsoleSection | None = None) -> None:
        super().__init__()
        for theme in themes.ALL:
            self.register_theme(theme)
        self.theme = themes.DARK.name
        self.console_settings = console
        self.hive: Hive | None = None
        self.state: HiveState | None = None
        self.failure: Exception | None = None
        self._opener = opener
        self._changed = asyncio.Event()

    def compose(self) -> ComposeResult:
        """What is seen until the hive is open."""
        yield Static(Content.assemble(("hivetui", "$primary bold"), "\nopening the hive …"), id="opening", markup=False)

    def on_mount(self) -> None:
        """Signals end the console at once; the hive is opened when the first frame has been painted."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self._end_at_once, 128 + number)
        self.call_after_refresh(lambda: self.run_worker(self._open(), exit_on_error=True))

    async def _open(self) -> None:
        from .engine.errors import HiveError

        try:
            await asyncio.to_thread(_import_the_rest)
            self.hive = await self._opener()
        except HiveError as error:
            self.failure = error
            self.exit(error.code)
            return
        from .screens.state import HiveState

        self.state = HiveState(description=self.hive.description)
        self._settle_console()
        await self._look()
        await self.push_screen(self._make("agents"))
        self.run_worker(self._keep_looking(), group="state")
        self.run_worker(self._listen(), group="state")

    def _settle_console(self) -> None:
        if (console := self.console_settings) is None:
            return
        if console.theme in self.available_themes:
            self.theme = console.theme
        else:
            self.notify(f"no theme {console.theme[:40]!r}; using {self.theme}", severity="warning", markup=False)
        for problem in keys.unknown_ids(console.keys):
            self.notify(f"[console.keys]: {problem}", severity="warning", markup=False)
        self.set_keymap(dict(console.keys))

    # -- state ------------------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        seconds = self.console_settings.refresh_seconds if self.console_settings else 1.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
            self._changed.clear()
            await self._look()

    async def _look(self) -> None:
        from .screens.look import look

        assert self.hive is not None
        assert self.state is not None
        state = await look(self.hive, self.state)
        if state != self.state:
            self.state = state
            self._tell(state)

    def _tell(self, state: HiveState) -> None:
        from .screens.state import StateChanged

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
        return catalogue.make(place, self.hive, self.state, **arguments)

    def on_open_requested(self, message: OpenRequested) -> None:
        """A screen asks for another."""
        self._open_place(message.place, message.agents, message.number)

    def _open_place(self, place: str, agents: tuple[str, ...] = (), number: int | None = None) -> None:
        if self.state is None:
            return
        while len(self.screen_stack) > 2 and place in _TOP_PLACES:
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
            self.push_screen(self._make("help", groups=getattr(self.screen, "GROUPS", ())))

    async def action_back(self) -> None:
        """One screen back; home stays."""
        if len(self.screen_stack) > 2:
            self.pop_screen()

    def action_palette(self) -> None:
        """Every action by name."""
        self.action_command_palette()

    async def action_quit(self) -> None:
        """End the console; operations go on."""
        await self._close()
        self.exit(0)

    def copy_to_clipboard(self, text: str) -> None:
        """By OSC 52; inside tmux also wrapped, for a tmux that only passes through what is wrapped."""
        super().copy_to_clipboard(text)
        if self._driver is not None and os.environ.get("TMUX"):
            data = base64.b64encode(text.encode()).decode()
            self._driver.write(f"\x1bPtmux;\x1b\x1b]52;c;{data}\a\x1b\\")

    # -- ending -----------------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        if self.hive is not None:
            await self.hive.close()

    def _end_at_once(self, status: int) -> None:
        """The terminal is gone, or someone wants us gone: end, whatever hangs."""
        threading.Timer(LAST_WORD_SECONDS, os._exit, (status,)).start()
        self.run_worker(self._close_and_exit(status))

    async def _close_and_exit(self, status: int) -> None:
        await self._close()
        self.exit(status)


_TOP_PLACES = frozenset({"agents", "proposals", "operations", "logs", "history", "warnings"})


def _actions_provider() -> type[Provider]:
    from .screens.palette import ActionsProvider

    return ActionsProvider


def _import_the_rest() -> None:
    """The imports that the first frame does not need."""
    from .engine import hive  # noqa: F401
    from .screens import catalogue  # noqa: F401


def run(opener: Opener, console: ConsoleSection | None = None) -> int:
    """Run the console to its end; the exit status."""
    app = HiveConsole(opener, console)
    status = app.run()
    if app.failure is not None:
        raise app.failure
    return status if status is not None else app.return_code or 0
