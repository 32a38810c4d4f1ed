"""Something to be done once, somewhat later, for sure.

Textual's own one-shot timer never fires where the loop is held up, between two of its own lines, for longer than
it was to wait (`Timer._run` of 8.2 takes the one tick for one to be skipped): on a busy machine a view that waits for
it is never painted again, and a dialog never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.message_pump import MessagePump


def later(pump: MessagePump, seconds: float, act: Callable[[], object]) -> asyncio.TimerHandle:
    """Do it in the turn of `pump`, after so many seconds or more; never, once the pump is closed."""
    return asyncio.get_running_loop().call_later(seconds, pump.call_later, act)
