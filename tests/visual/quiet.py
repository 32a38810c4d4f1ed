"""When the console has nothing left to do, told by what it has begun and not by how long nothing changed.

On a busy machine an answer of the hive comes late, a timer too; a picture that is taken between them is another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Any
from unittest.mock import patch

from textual.app import App
from textual.message_pump import MessagePump
from textual.worker import Worker

from .still_hive import WAITING_FOR_EVER

PATIENCE = 30.0
"""Seconds for what comes at once on an idle machine."""
LOOK_SECONDS = 0.005
BETWEEN_KEYS = 0.01
"""Seconds between two keys, which do not come at once as those of a paste do."""


async def wait_until_quiet(app: App[Any]) -> None:
    """Wait until all answers of the hive have come and all that follows from them is painted."""
    deadline = monotonic() + PATIENCE
    while pending := [*_pending(app)]:
        assert monotonic() < deadline, f"the console does not come to rest: {pending}"
        await asyncio.sleep(0 if _has_turns_left() else LOOK_SECONDS)
        app.screen._on_timer_update()


async def press(app: App[Any], key: str) -> None:
    """Press a key and wait until nothing more follows from it."""
    await asyncio.sleep(BETWEEN_KEYS)
    with patch("textual.app.wait_for_idle", asyncio.sleep):  # it asks how busy the process is
        await app._press_keys([key])
    await asyncio.sleep(0)
    await wait_until_quiet(app)


def _pending(app: App[Any]) -> Iterator[object]:
    """What has been begun and not ended: workers, timers that fire once, messages, painting."""
    yield from (worker for worker in app.workers if _is_busy(app, worker))
    yield from _one_shot_timers()
    for pump in (app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))):
        if pump._next_callbacks or not _waits_for_message(pump):
            yield pump
    screen = app.screen
    if screen._layout_required or screen._repaint_required or screen._dirty_widgets or screen._callbacks:
        yield f"painting of {screen}"
    if _has_turns_left():
        yield "turns of the loop"


def _waits_for_message(pump: MessagePump) -> bool:
    """Whether it has handled every message; one that it is about is in its queue no more."""
    ready: Any = pump._message_queue.ready_event
    return not ready.is_set() and bool(ready._waiters)


def _is_busy(app: App[Any], worker: Worker[Any]) -> bool:
    """Not the one that keeps the state current as long as the console runs, nor one that follows a stream."""
    is_session = worker.node is app and worker.group == "default"
    return not is_session and worker not in WAITING_FOR_EVER


def _one_shot_timers() -> Iterator[asyncio.TimerHandle]:
    """What `widgets.lines.timers.call_after` has yet to call."""
    for handle in asyncio.get_running_loop()._scheduled:  # type: ignore[attr-defined]
        if not handle.cancelled() and getattr(handle._callback, "__func__", None) is MessagePump.call_later:
            yield handle


def _has_turns_left() -> bool:
    """Whether a task could go on at once."""
    return bool(asyncio.get_running_loop()._ready)  # type: ignore[attr-defined]
