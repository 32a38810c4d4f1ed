"""Ending a verb that follows something when nobody reads it any more.

A write to a pipe whose reader is gone fails, but a verb that waits for the next line of a quiet log writes nothing.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
_STDOUT = 1


async def while_read(work: Awaitable[T]) -> T:
    """The result of `work`; BrokenPipeError as soon as stdout is a pipe that its reader has closed."""
    if not stat.S_ISFIFO(os.fstat(_STDOUT).st_mode):
        return await work
    loop = asyncio.get_running_loop()
    closed, task = asyncio.Event(), asyncio.ensure_future(work)
    loop.add_reader(_STDOUT, closed.set)  # the end that writes is never readable: it only tells of POLLERR
    watching = asyncio.ensure_future(closed.wait())
    try:
        await asyncio.wait((task, watching), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise BrokenPipeError
        return task.result()
    finally:
        loop.remove_reader(_STDOUT)
        for one in (task, watching):
            one.cancel()
        await asyncio.gather(task, watching, return_exceptions=True)
