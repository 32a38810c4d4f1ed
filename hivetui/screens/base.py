"""What every screen shares: the title line and the line of keys around it, engine calls, and errors as notifications.

A screen is given the hive and the last state, receives later ones as `StateChanged`, and asks for other screens with
`OpenRequested`. It does not know the app's class.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, BindingType
from textual.css.query import NoMatches
from textual.message import Message
from textual.widget import Widget

from hivetui.console import keymap
from hivetui.console.actions import CHANGING
from hivetui.console.state import HiveState, StateChanged, differ_in_progress_only
from hivetui.console.stylesheets import read_stylesheet
from hivetui.console.terminal.terminal_app import TerminalApp
from hivetui.engine.api import Hive
from hivetui.engine.model.error_place import ErrorPlace
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.text import safe, safe_block
from hivetui.screens.among_hives import AmongHives
from hivetui.screens.operation_text import format_running
from hivetui.screens.reasons import Reasons
from hivetui.screens.trouble import format_trouble
from hivetui.widgets.frame.key_line import KeyLine
from hivetui.widgets.frame.title_line import Tab, TitleLine
from hivetui.widgets.log.log_view import LogView

T = TypeVar("T")

ScreenName = Literal[
    "agents",
    "proposals",
    "review",
    "operations",
    "operation",
    "logs",
    "history",
    "warnings",
    "help",
    "hives",
    "all-agents",
    "all-proposals",
]

_KEYS_BEFORE_HELP = 4
"""The position of `?` in the line of keys, which keeps it visible on narrow terminals."""
_TAB_OF = {"review": "proposals", "operation": "operations", "all-agents": "hives", "all-proposals": "hives"}
"""The tabs of the screens that have none of their own."""
_ERROR_SECONDS = 12
_HINT_SECONDS = 4
_TICK_SECONDS = 1.0


def utc_now() -> datetime:
    """The default clock of the screens."""
    return datetime.now(UTC)


class OpenRequested(Message):
    """Asks the app for a screen of some agents of a hive, () for all, or of its proposal or operation `number`.

    `place` is the line of its proposal to which a review goes.
    """

    def __init__(
        self,
        hive: Hive,
        target: ScreenName,
        agents: tuple[str, ...] = (),
        number: int | None = None,
        place: ErrorPlace | None = None,
    ) -> None:
        self.hive = hive
        self.target: ScreenName = target
        self.agents = agents
        self.number = number
        self.place = place
        super().__init__()


class HiveScreen(AmongHives):
    """A full screen between the title line and the line of keys."""

    TAB: ClassVar[str] = ""
    """Its name, which is also that of its tab in the title line."""

    DEFAULT_CSS = read_stylesheet(__file__)
    AUTO_FOCUS = ""
    # bound by screens and not only by the app, because a screen first leaves its search or filter
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("everywhere", only=frozenset({"back"}))

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__(hive)
        self.state = state
        self.clock: Callable[[], datetime] = utc_now
        self.reasons = Reasons()
        """Reasons that were typed and not recorded. The navigator shares it, so that it outlives the screens."""
        self._has_been_in_front = False
        self._trouble = ""  # as the line of keys shows it

    async def on_event(self, event: events.Event) -> None:
        """Skip the styles that Textual applies when a screen comes to the front: those of a new one were just made."""
        if isinstance(event, events.ScreenResume):
            event.refresh_styles = self._has_been_in_front
            self._has_been_in_front = True
        await super().on_event(event)

    def compose(self) -> ComposeResult:
        """The body between the two lines."""
        yield TitleLine()
        yield from self.body()
        yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """The widgets between the two lines."""
        raise NotImplementedError

    def show(self, state: HiveState) -> None:
        """Paint a state; called on mount and at each change."""

    def show_progress(self) -> None:
        """Paint how far builds have come, which changes twice a second while one runs."""

    def show_time(self) -> None:
        """Paint what depends on the time, such as ages; called each second while the screen is in front."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The running operations as this screen knows them, which all of it shows alike."""
        return self.state.operations

    def on_mount(self) -> None:
        """Show the last known state at once, and go on with the time."""
        self._show_all()
        self.set_interval(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self.is_current and self.is_ready:
            self.show_time()
            if self._trouble != format_trouble(self.state, self.hive, self.clock()):
                self._show_lines()

    def on_state_changed(self, message: StateChanged) -> None:
        """Show a new state."""
        before, self.state = self.state, message.state
        if not differ_in_progress_only(before, self.state):
            self._show_all()
        elif self.is_ready:
            self.show_progress()

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self._show_lines()

    def on_screen_resume(self) -> None:
        """Show what changed while another screen was in front."""
        self._show_all()

    @property
    def is_ready(self) -> bool:
        """Whether its widgets exist: they do not before it is mounted, nor while it is being removed."""
        return self.is_mounted and self.is_attached and bool(self.query(KeyLine))

    def _show_all(self) -> None:
        if self.is_ready:
            self.show(self.state)
            self._show_lines()

    def _show_lines(self) -> None:
        if not self.is_ready:
            return
        state = self.state
        active = self.active_bindings  # Textual asks every action anew
        keys = {row.binding.id: key for key, row in reversed(active.items())}
        urgent = any(warning.code == "port-collision" for warning in state.warnings)
        tabs = [
            _tab(keys, "agents", "agents"),
            _tab(keys, "proposals", "props", len(state.proposals), True),
            _tab(keys, "operations", "ops", len(state.operations)),
            _tab(keys, "logs", "logs"),
            _tab(keys, "history", "hist"),
            _tab(keys, "warnings", "warn", len(state.warnings), urgent),
        ]
        if self.hives is not None and self.hives.are_several:
            tabs.append(_tab(keys, "hives", "hives", len(self.hives.in_need), True))
        current = _TAB_OF.get(self.TAB, self.TAB)
        description = state.description
        marks = ("READ-ONLY" if self.hive.role == "look" else "", "EMBEDDED" if description.embedded else "")
        mark = " ".join(filter(None, marks))
        self.query_one(TitleLine).show(self.hive_name, description.title, mark, tabs, current)
        self._trouble = format_trouble(self.state, self.hive, self.clock())
        self.query_one(KeyLine).show(list(self._keys(active)), format_running(self.operations), self._trouble)

    def _keys(self, active: Mapping[str, ActiveBinding]) -> Iterable[tuple[str, str, str]]:
        """(key, label, action) of the actions available now that are shown in the line: the screen's own first.

        While a prompt is open, they are what accepts and what leaves it.
        """
        is_typing = any(row.binding.id == "prompt.submit" for row in active.values())
        rows = [row for row in active.values() if row.enabled and _is_in_line(row, is_typing)]
        rows.sort(key=lambda row: keymap.table_position(row.binding))
        rows.sort(key=lambda row: (row.binding.id or "").startswith(("everywhere.", "list.")))
        before_help = rows[:_KEYS_BEFORE_HELP]
        rows.sort(key=lambda row: row not in before_help and row.binding.id != "everywhere.help")
        seen: set[str] = set()
        for row in rows:
            if row.binding.action not in seen:
                seen.add(row.binding.action)
                is_close = row.binding.id == "everywhere.quit" and self.TAB != "agents"
                label = "close" if is_close else row.binding.description
                yield keymap.display_key(row.binding.key), label, row.binding.action

    def unavailable_reason(self, action: str) -> str | None:
        """Why an action is not available now, or None. Called for every key and frame: do not ask the engine."""
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable an action that is not available and leave it out of the line of keys."""
        try:
            return None if self.is_mounted and _reason_against(self, action) else True
        except NoMatches:  # its widgets are being removed; to look for them each time would take too long
            return True

    def on_key(self, event: events.Key) -> None:
        """Say why the action of a key is not available, or what a key that does nothing here does elsewhere.

        The keys that were typed in one go with it are dropped, as the note behind a `d` that is refused.
        """
        active = self.active_bindings.get(event.key)
        if active is None:
            if event.is_printable:
                _drop_keys_behind(self.app)
            self.explain_unbound(event.key, event.character if event.is_printable else None)
        elif active is not None and not active.enabled and (reason := _reason_against(self, active.binding.action)):
            _drop_keys_behind(self.app)
            title = f"{active.binding.description}: not available"
            self.notify(safe(reason), title=title, severity="warning", markup=False)

    def explain_unbound(self, key: str, character: str | None = None) -> None:
        """Say what to press in place of a key that does nothing here, and what it does elsewhere.

        A key that types no character and has no meaning anywhere, such as F5, is let pass.
        """
        here = {active.binding.id or "" for active in self.active_bindings.values() if active.enabled}
        text = keymap.describe_unbound(key, self.app._keymap, here)
        if text or character:
            help_key = keymap.display_current_key(self.app, "everywhere.help")
            title = f"{keymap.display_pressed(key, character)} does nothing here"
            text = f"{text} {help_key} shows the keys of this screen.".strip()
            self.notify(safe(text), title=safe(title), timeout=_HINT_SECONDS, markup=False)

    async def action_back(self) -> None:
        """End the innermost thing that is active on this screen or, if there is none, close the screen."""
        if not self.end_innermost():
            await self.app.run_action("app.back")

    def end_innermost(self) -> bool:
        """End what esc ends before it closes the screen, such as a search; returns whether there was anything."""
        return False

    async def on_key_line_clicked(self, message: KeyLine.Clicked) -> None:
        """Run the action of a key that was clicked."""
        for active in list(self.active_bindings.values()):
            if active.enabled and active.binding.action == message.action:
                await self.app.run_action(message.action, active.node)
                return

    async def on_title_line_clicked(self, message: TitleLine.Clicked) -> None:
        """Open the tab that was clicked."""
        await self.app.run_action(message.action)

    def refresh_bindings(self) -> None:
        """Update the line of keys when the available actions have changed."""
        super().refresh_bindings()
        if self.is_mounted:
            self.call_after_refresh(self._show_lines)

    def on_log_view_copy_requested(self, message: LogView.CopyRequested) -> None:
        """Copy to the operator's clipboard."""
        self.app.copy_to_clipboard(message.text)
        count = message.text.count("\n")
        lines = "1 line" if count == 1 else f"{count} lines"
        self.notify(f"{lines} copied, if the terminal supports OSC 52", markup=False)

    def show_error(self, error: HiveError) -> None:
        """Notify about an expected failure."""
        advice = self.state.description.complete_commands(error.fix)
        text = safe_block(f"{error.why}\n{advice}")
        what = error.what if self.is_attached else ": ".join(filter(None, (self.hive_name, error.what)))
        self.notify(text, title=safe(what), severity="error", timeout=_ERROR_SECONDS, markup=False)

    def run_engine_work(self, work: Coroutine[Any, Any, T], then: Callable[[T], None] | None = None) -> None:
        """Await a call of the engine, which goes on if this screen is closed, and pass its result to `then`.

        An expected failure is shown; a bug ends the console.
        """

        async def run() -> None:
            try:
                result = await work
            except HiveError as error:
                self.show_error(error)
                return
            if then is not None and self.is_attached:
                then(result)

        self.app.run_worker(run(), group="engine")

    def open_operation(self, operation: Operation) -> None:
        """Open the live output of an operation that was just started."""
        self.post_message(OpenRequested(self.hive, "operation", (operation.agent,), operation.id))


def _is_in_line(row: ActiveBinding, is_typing: bool) -> bool:
    """Whether an action is shown in the line of keys."""
    return row.binding.id in ("prompt.submit", "everywhere.back") if is_typing else row.binding.show


def _reason_against(screen: HiveScreen, action: str) -> str | None:
    """Why an action cannot be done: it would change a hive at which one may only look, or is not available."""
    if screen.hive.role == "look" and f"{screen.TAB}.{action}" in CHANGING:
        return "You may only look at this hive: the console is read-only, or your user may not decide."
    return screen.unavailable_reason(action)


def _tab(keys: Mapping[str | None, str], name: str, short_name: str, count: int = 0, urgent: bool = False) -> Tab:
    """`keys` are those of the bindings by id."""
    key = keys.get(f"everywhere.{name}", "")
    return Tab(keymap.display_key(key) if key else "", name, short_name, count, urgent, f"app.{name}")


def _drop_keys_behind(app: App[Any]) -> None:
    if isinstance(app, TerminalApp):
        app.type_ahead.drop_waiting()
