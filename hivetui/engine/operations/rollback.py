"""Taking back what a failed step did, to the end, whatever else is asked meanwhile.

An operation is cancelled like any task; what puts the host right again must not be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from hivetui.engine.host.host import Progress
from hivetui.engine.model.errors import HiveError, OperationFailed

T = TypeVar("T")


class RollbackFailed(OperationFailed):
    """It failed, and so did taking it back: the host is as neither of them leaves it, and repair has work."""


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end; a cancel meanwhile comes too late and is dropped."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return task.result()


@asynccontextmanager
async def rollback_on_error(
    progress: Progress, take_back: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Run `take_back` to its end when the body fails or is cancelled, then let that failure go on.

    When taking back fails too, NotTakenBack tells both reasons.
    """
    try:
        yield
    except BaseException as failure:
        progress.say(f"{summarize(failure)}. What was done is taken back.")
        try:
            await run_to_completion(take_back())
        except HiveError as second:
            raise combine_errors(failure, second) from failure
        except Exception as second:  # a file system that fails, or a bug: what is left is as unknown
            raise combine_errors(failure, OperationFailed(summarize(second), "", "Run: hivetui repair")) from second
        raise


def summarize(failure: BaseException) -> str:
    """What happened, in one line."""
    if isinstance(failure, HiveError):
        return failure.what
    return "It was cancelled" if isinstance(failure, asyncio.CancelledError) else f"{type(failure).__name__}: {failure}"


def combine_errors(first: BaseException, second: HiveError) -> RollbackFailed:
    """One error of a failure and of what failed while it was taken back."""
    reasons = (getattr(first, "why", ""), f"The rollback failed too: {second.what}", second.why)
    return RollbackFailed(summarize(first), "\n".join(filter(None, reasons)), second.fix or "Run: hivetui repair")
