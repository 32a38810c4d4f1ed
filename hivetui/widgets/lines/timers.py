"""One-shot timers that always fire.

Textual's own one-shot timer never fires if the loop is blocked for longer than the timer's interval while the timer
task waits for its turn (`Timer._run` of Textual 8.2 then skips its only tick). On a busy machine, a view that relies on
it would never be repainted, and a dialog never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.message_pump import MessagePump


def call_after(pump: MessagePump, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
    """Call `callback` in the message loop of `pump`, `seconds` from now or later; not if `pump` is closed by then."""
    return asyncio.get_running_loop().call_later(seconds, pump.call_later, callback)
