"""Keys typed faster than the screen handles them, which Textual would lose when one of them opens a prompt."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events

if TYPE_CHECKING:
    from textual.app import App
    from textual.widgets import Input

_LIMIT = 256


class TypeAhead:
    """The keys that were passed to the screen and have not come back from it, oldest first.

    Textual passes a key to the screen and looks up its binding when the key bubbles back to the app. A key that opens
    a prompt takes that way, too. So while any key is on its way, later keys are sent after it; those that come back
    when the prompt is open belong to its text.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._keys: deque[events.Key] = deque(maxlen=_LIMIT)

    def enqueue(self, key: events.Key) -> bool:
        """Note a new key; returns whether it was sent to the screen here, so that Textual must not deliver it."""
        if key.is_forwarded or not (self._keys or self._app.focused is None):
            return False
        self._keys.append(key)
        if self._focused_prompt() is None:
            return False
        self._app.screen._forward_event(key)
        return True

    def complete(self, key: events.Key) -> None:
        """A key has come back from the screen: give it to the prompt, if one has opened meanwhile."""
        while self._keys and key in self._keys:
            oldest = self._keys.popleft()
            if oldest is key and (prompt := self._focused_prompt()) is not None:
                key.prevent_default()
                prompt._forward_event(events.Key(key.key, key.character))

    def _focused_prompt(self) -> Input | None:
        """The prompt that takes keys now; None in a dialog, which must ignore every key typed before it opened."""
        from textual.widgets import Input  # not needed for the first frame

        focused = self._app.focused
        return focused if isinstance(focused, Input) and not self._app.screen.is_modal else None
