"""Keys typed faster than the screen handles them: each waits until the one before it has taken effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import events

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump

Typed = events.Key | events.Paste

_INTERRUPT = "ctrl+c"
_LOST_SECONDS = 2.0
"""After this long a key does not wait for the one before it any more, so that no fault can lock the keyboard."""
_BURST_SECONDS = 0.05
"""Nobody types two keys so fast one after the other: they came in one go."""
_ROUNDS = 3
"""Round trips to the screen in front after a key: what its action posted (a row chosen, a screen asked for) arrives."""


class TypeAhead:
    """Delivers one key or paste at a time, oldest first.

    Textual passes a key to whatever has the focus, and looks up its binding when the key has bubbled up to the app. If
    that opens a prompt or a dialog, the next key is already on its way to the screen below, where it is lost or, worse,
    means something else. So the next one is passed on when callbacks have followed the last one through the same
    queues, and the screen in front has handled all that came before it was asked: then it is mounted and has its focus.
    """

    def __init__(self, app: App[Any], deliver: Callable[[Typed], Awaitable[None]]) -> None:
        self._app, self._deliver = app, deliver
        self._waiting: deque[Typed] = deque()
        self._delivered_at: float | None = None
        """When the key was delivered that has not taken effect yet."""
        self._typed_at = 0.0
        """When the last key came from the terminal, waiting ones included, in the time of `Message.time`."""
        self._is_dropping = False
        """Whether keys that come in one go with the last one are forgotten."""
        self._is_held = False
        self._passing: Collection[str] = ()

    def hold(self, passing: Collection[str]) -> None:
        """Keep what is typed until `release`, because the screen that it is meant for does not exist yet.

        The keys of `passing` are delivered all the same, if nothing that may be a text was typed before them; Ctrl-C
        always is.
        """
        self._is_held, self._passing = True, passing

    async def release(self) -> None:
        """Deliver what was kept."""
        self._is_held = False
        if self._delivered_at is None:
            await self._deliver_next()

    @property
    def has_waiting(self) -> bool:
        """Whether something was typed that has not been delivered."""
        return bool(self._waiting)

    def drop_waiting(self) -> None:
        """Forget what was typed behind a key that turned out to do nothing: it was meant for what that key opens.

        That includes what has not come yet: the thread that reads the terminal passes keys on one by one.
        """
        self._waiting.clear()
        self._is_dropping = True

    async def add(self, event: Typed) -> None:
        """Deliver it now, or when it is its turn."""
        is_in_one_go, self._typed_at = event.time - self._typed_at < _BURST_SECONDS, event.time
        self._is_dropping = self._is_dropping and is_in_one_go
        if self._is_dropping:
            return
        key = event.key if isinstance(event, events.Key) else ""
        if self._is_held and (key == _INTERRUPT or (key in self._passing and not self._waiting)):
            await self._deliver(event)
            return
        self._waiting.append(event)
        if self._is_held:
            return
        if self._delivered_at is None or monotonic() - self._delivered_at > _LOST_SECONDS:
            await self._deliver_next()

    async def _deliver_next(self) -> None:
        if not self._waiting or self._is_held:
            self._delivered_at = None
            return
        self._delivered_at = monotonic()
        target = self._app.focused or self._app.screen
        await self._deliver(self._waiting.popleft())
        await self._follow(target.ancestors_with_self)

    async def _follow(self, pumps: Iterable[MessagePump]) -> None:
        """Continue when each of these has handled what it was sent before, in turn; closed ones are left out."""
        first, *others = pumps
        if not others:  # the app
            await self._settle(self._app.screen, _ROUNDS)
        elif not first.call_later(self._follow, others):
            await self._follow(others)

    async def _settle(self, screen: MessagePump, rounds: int) -> None:
        """Deliver the next key when so many round trips have not brought another screen to the front."""
        if screen is not self._app.screen:
            screen, rounds = self._app.screen, _ROUNDS
        if rounds and screen.call_later(self._app.call_later, self._settle, screen, rounds - 1):
            return
        await self._deliver_next()
