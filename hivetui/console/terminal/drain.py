"""Whether the terminal has taken what was painted: a live view paints the newest frame, not a queue of old ones.

Textual passes frames to a thread over a queue of thirty and blocks its loop when that is full: on a slow line a key
would wait for all of them. The queue is private to Textual's driver; a test fails if it is renamed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver

_SECONDS = 0.02
"""Between two looks at the queue: Textual's writer thread has no event to wait for."""


def queued_frames(driver: Driver | None) -> int:
    """How many writes are queued for the terminal; 0 for a driver without a writer thread (headless, web)."""
    writer = getattr(driver, "_writer_thread", None)
    return 0 if writer is None else writer._queue.qsize()


def is_drained(app: App[Any]) -> bool:
    """Whether the terminal has taken everything that was written to it."""
    return queued_frames(app._driver) == 0


async def wait_until_drained(app: App[Any]) -> None:
    """Return once the terminal has taken everything that was written to it."""
    while not is_drained(app):  # noqa: ASYNC110  (see `_SECONDS`)
        await asyncio.sleep(_SECONDS)
