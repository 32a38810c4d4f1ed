"""What every screen of the console shares: the frame of two lines, the engine's interface, errors shown in words.

A screen is given the hive and the last state, shows states as they come, and asks for other screens by
`OpenRequested`. It knows nothing of the app.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from hivetui.console import keymap
from hivetui.console.state import HiveState, StateChanged
from hivetui.engine.api import Hive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.text import safe
from hivetui.widgets.log.log_view import LogView

from ..widgets.frame_lines import KeyLine, Tab, TitleLine
from .operation_text import format_running

T = TypeVar("T")

_BEFORE_HELP = 4
"""So many keys come before `?` in the line of keys: it is seen on narrow terminals too."""

ScreenName = Literal["agents", "proposals", "review", "operations", "operation", "logs", "history", "warnings", "help"]


_TAB_OF = {"review": "proposals", "operation": "operations"}


def utc_now() -> datetime:
    """The clock of every screen that is given no other."""
    return datetime.now(UTC)


class OpenRequested(Message):
    """Another screen is wanted: which, for which agents, for which proposal or operation (`number`)."""

    def __init__(self, target: ScreenName, agents: tuple[str, ...] = (), number: int | None = None) -> None:
        self.target: ScreenName = target
        self.agents = agents
        self.number = number
        super().__init__()


class HiveScreen(Screen[None]):
    """A full screen between the title line and the line of keys."""

    TAB: ClassVar[str] = ""
    """Its word in the title line."""

    DEFAULT_CSS = "HiveScreen { layout: vertical; } HiveScreen > .body { height: 1fr; }"
    AUTO_FOCUS = ""
    # bound here and not by the app alone: a screen has something of its own to leave first
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("everywhere", only=frozenset({"back"}))

    def __init__(self, hive: Hive, state: HiveState) -> None:
        super().__init__()
        self.hive = hive
        self.state = state
        self.clock: Callable[[], datetime] = utc_now

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        yield TitleLine()
        yield from self.body()
        yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """What stands between the two lines."""
        raise NotImplementedError

    def show(self, state: HiveState) -> None:
        """Paint a new state; called on mount and at each change."""

    def on_mount(self) -> None:
        """Show what is known at once."""
        self._show_all()

    def on_state_changed(self, message: StateChanged) -> None:
        """A new look at the hive."""
        self.state = message.state
        self._show_all()

    def on_resize(self) -> None:
        """The lines fit the width."""
        self._show_lines()

    def on_screen_resume(self) -> None:
        """What changed while another screen was in front."""
        self._show_all()

    @property
    def is_ready(self) -> bool:
        """Whether its widgets are there: not before it is mounted, and no more once it is being taken away."""
        return self.is_mounted and self.is_attached and bool(self.query(KeyLine))

    def _show_all(self) -> None:
        if self.is_ready:
            self.show(self.state)
            self._show_lines()

    def _show_lines(self) -> None:
        if not self.is_ready:
            return
        state = self.state
        urgent = any(warning.code == "port-collision" for warning in state.warnings)
        tabs = (
            self._tab("agents", "agents"),
            self._tab("proposals", "props", len(state.proposals), True),
            self._tab("operations", "ops", len(state.operations)),
            self._tab("logs", "logs"),
            self._tab("history", "hist"),
            self._tab("warnings", "warn", len(state.warnings), urgent),
        )
        word = _TAB_OF.get(self.TAB, self.TAB)
        self.query_one(TitleLine).show(state.description.title, state.description.embedded, tabs, word)
        now = f"▲ old: {state.problem} " if state.problem else format_running(state.operations)
        self.query_one(KeyLine).show(list(self._keys()), now)

    def _tab(self, word: str, short: str, count: int = 0, urgent: bool = False) -> Tab:
        name = f"everywhere.{word}"
        key = next((key for key, one in self.active_bindings.items() if one.binding.id == name), "")
        return Tab(keymap.display_key(key) if key else "", word, short, count, urgent, f"app.{word}")

    def _keys(self) -> Iterable[tuple[str, str, str]]:
        """The keys that are legal now and have a place in the line: those of the screen first, then of everywhere."""
        rows = [one for one in self.active_bindings.values() if one.enabled and one.binding.show]
        rows.sort(key=lambda one: keymap.table_position(one.binding))
        rows.sort(key=lambda one: (one.binding.id or "").startswith(("everywhere.", "list.")))
        first = rows[:_BEFORE_HELP]
        rows.sort(key=lambda one: one not in first and one.binding.id != "everywhere.help")
        seen: set[str] = set()
        for one in rows:
            if one.binding.action not in seen:
                seen.add(one.binding.action)
                yield keymap.display_key(one.binding.key), one.binding.description, one.binding.action

    def unavailable_reason(self, action: str) -> str | None:
        """Why an action makes no sense now, in words; None when it does. Asked often: answer from what is known."""
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now is not in the line of keys, and does nothing."""
        return None if self.is_mounted and self.unavailable_reason(action) else True

    def on_key(self, event: events.Key) -> None:
        """A key that makes no sense now tells why."""
        found = self.active_bindings.get(event.key)
        if found is not None and not found.enabled and (why := self.unavailable_reason(found.binding.action)):
            self.notify(safe(why), title=f"{found.binding.description}: not now", severity="warning", markup=False)

    async def action_back(self) -> None:
        """One screen back."""
        await self.app.run_action("app.back")

    async def on_key_line_clicked(self, message: KeyLine.Clicked) -> None:
        """A key of the line, by mouse."""
        for one in list(self.active_bindings.values()):
            if one.enabled and one.binding.action == message.action:
                await self.app.run_action(message.action, one.node)
                return

    async def on_title_line_clicked(self, message: TitleLine.Clicked) -> None:
        """A tab, by mouse."""
        await self.app.run_action(message.action)

    def refresh_bindings(self) -> None:
        """Which keys are legal has changed: the line of keys too."""
        super().refresh_bindings()
        if self.is_mounted:
            self.call_after_refresh(self._show_lines)

    def on_log_view_copy_requested(self, message: LogView.CopyRequested) -> None:
        """Into the operator's clipboard."""
        self.app.copy_to_clipboard(message.text)
        lines = message.text.count("\n")
        self.notify(f"{lines} lines copied, if the terminal allows OSC 52", markup=False)

    def show_error(self, error: HiveError) -> None:
        """An expected failure, in words."""
        text = "\n".join(safe(part) for part in (error.why, error.fix) if part)
        self.notify(text, title=safe(error.what), severity="error", timeout=12, markup=False)

    def run_engine_work(self, work: Coroutine[Any, Any, T], then: Callable[[T], None] | None = None) -> None:
        """Do engine work that outlives this screen; an expected failure is reported, a bug ends the console."""

        async def run() -> None:
            try:
                result = await work
            except HiveError as error:
                self.show_error(error)
                return
            if then is not None and self.is_attached:
                then(result)

        self.app.run_worker(run(), group="acts")

    def open_operation(self, operation: Operation) -> None:
        """Show the live output of something that was just started."""
        self.post_message(OpenRequested("operation", (operation.agent,), operation.id))
