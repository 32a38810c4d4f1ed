"""What all dialogs share: the box, and the guard against accidental answers.

A key answers nothing within 250 ms after the dialog opened, or in one burst with other keys, as a paste without
brackets arrives. What counts is when it was typed, not when it was handled. A bracketed paste is never a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import Any, ClassVar, TypeVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Static

from hivetui.console import keymap
from hivetui.console.stylesheets import read_stylesheet
from hivetui.console.terminal.drain import is_drained
from hivetui.console.terminal.terminal_app import TerminalApp
from hivetui.engine.model.text import safe
from hivetui.screens.among_hives import AmongHives
from hivetui.widgets.lines.timers import call_after

T = TypeVar("T")

OPENING_SECONDS = 0.25
BURST_SECONDS = 0.02
"""A person who answers a question does not type two keys within this time."""
_HINT_SECONDS = 4
AT_ONCE_SECONDS = 0.002
"""Keys within this time were read from the terminal together."""
QUESTION_CELLS = 180
"""A question is cut to this width, three lines, so that its answers stay on the screen."""


def question_label(text: str) -> Static:
    """The widget of a question, which may contain text of an agent."""
    return Static(safe(text, QUESTION_CELLS), classes="question", markup=False)


def _has_typed_more(app: App[Any]) -> bool:
    """Whether keys wait behind the one that is being handled."""
    return isinstance(app, TerminalApp) and app.type_ahead.has_waiting


class Details(VerticalScroll):
    """What explains a question; it scrolls, so that the answers below it stay on the screen."""

    def __init__(self, details: Iterable[str]) -> None:
        super().__init__(Static("\n".join(map(safe, details)), classes="detail", markup=False), can_focus=False)

    def on_resize(self) -> None:
        """Say which key scrolls, if there is more than fits."""
        self.border_subtitle = f"{keymap.display_current_key(self.app, 'dialog.details_down')}  more"
        self.set_class(self.max_scroll_y > 0, "scrollable")


class Dialog(ModalScreen[T]):
    """A box over the screen that returns a value, or None when it is closed without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings(
        "dialog", only=frozenset({"leave", "details_down", "details_up"})
    )
    DEFAULT_CSS = read_stylesheet(__file__)

    def __init__(self) -> None:
        super().__init__()
        self._opened_at = inf
        self._key_times: tuple[float, float] = (0.0, 0.0)
        """When the last two keys were typed."""
        self._last_key: events.Key | None = None
        self._burst_length = 0
        self.longest_burst = 0
        """The most keys that came at once."""

    def on_mount(self) -> None:
        """Name the hive that is decided about, among several; start the guard when the dialog has been painted."""
        below = next((screen for screen in reversed(self.app.screen_stack) if isinstance(screen, AmongHives)), None)
        if below is not None and not below.IS_ABOUT_ALL and (name := below.hive_name):
            self.query_one(".box").border_title = escape(safe(name))
        self.call_after_refresh(self._start_guard)

    def _start_guard(self) -> None:
        if is_drained(self.app):
            self._opened_at = monotonic()
        else:
            call_after(self, BURST_SECONDS, self._start_guard)

    async def on_event(self, event: events.Event) -> None:
        """Note each key before a binding handles it."""
        if isinstance(event, events.Key):
            self.note_key(event)
        await super().on_event(event)

    def note_key(self, key: events.Key) -> None:
        """Note when a key was typed; also called by an input, which does not let its keys bubble."""
        if key is self._last_key:  # the same key on its way up
            return
        self._last_key = key
        self._key_times = (self._key_times[1], key.time)
        is_at_once = self._key_times[1] - self._key_times[0] < AT_ONCE_SECONDS
        self._burst_length = self._burst_length + 1 if is_at_once else 1
        self.longest_burst = max(self.longest_burst, self._burst_length)

    def on_key(self, event: events.Key) -> None:
        """Say which keys there are, for one that does nothing here; not for every character of a paste."""
        if self.active_bindings.get(event.key) is None and event.is_printable and self._burst_length <= 1:
            title = f"{keymap.display_pressed(event.key, event.character)} does nothing here"
            self.notify(safe(self._describe_keys()), title=safe(title), timeout=_HINT_SECONDS, markup=False)

    def _describe_keys(self) -> str:
        """The keys of this dialog and what they do."""
        keys: dict[str, str] = {}
        for active in self.active_bindings.values():
            if active.node is self and active.enabled and active.binding.id is not None:
                keys.setdefault(active.binding.description, keymap.display_key(active.binding.key))
        return ", ".join(f"{key} {label}" for label, key in keys.items())

    def is_deliberate(self) -> bool:
        """Whether the last key was typed by a person who has seen the dialog."""
        previous, last = self._key_times
        return not self.is_too_early and last - previous >= BURST_SECONDS

    @property
    def is_too_early(self) -> bool:
        """Whether the last key was typed before the dialog could be seen."""
        return self._key_times[1] - self._opened_at < OPENING_SECONDS

    def answer(self, result: T) -> None:
        """Return `result` if the last key was deliberate and no other key follows it within the time of a burst."""
        if not self.is_deliberate():
            return
        answering_key = self._last_key

        def dismiss_if_alone() -> None:
            if self._last_key is answering_key and self.app.screen is self and not _has_typed_more(self.app):
                self.dismiss(result)

        # by way of the app: on a busy machine the next key of a burst may still be in its queue
        call_after(self, BURST_SECONDS, lambda: self.app.call_later(dismiss_if_alone))

    def hint(self, *entries: tuple[str, str]) -> str:
        """The line of keys; an entry is the ids of one or more actions, separated by spaces, and their label."""
        return "    ".join(f"{self._display_keys(names)}  {label}" for names, label in entries)

    def _display_keys(self, names: str) -> str:
        return " ".join(keymap.display_current_key(self.app, name) for name in names.split())

    def action_details_down(self) -> None:
        """Scroll the details down."""
        for details in self.query(Details):
            details.scroll_page_down(animate=False)

    def action_details_up(self) -> None:
        """Scroll the details up."""
        for details in self.query(Details):
            details.scroll_page_up(animate=False)

    def action_leave(self) -> None:
        """Close without an answer; one key of a burst is enough for that."""
        if not self.is_too_early:
            self.dismiss(None)

    def action_close(self) -> None:
        """As `leave`, on keys that would be text in other dialogs."""
        self.action_leave()
