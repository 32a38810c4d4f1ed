"""Rolling back what a failed step did.

An operation can be cancelled like any task; its rollback must not be, or the host stays in an undefined state.
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
    """A step failed, and so did its rollback: the host is in neither the old nor the new state until it is repaired."""


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end; a cancellation meanwhile is ignored."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return task.result()


@asynccontextmanager
async def rollback_on_error(
    progress: Progress, roll_back: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """When the block fails or is cancelled, run `roll_back` to its end, then raise that failure again.

    If the rollback fails too, RollbackFailed has both reasons.
    """
    try:
        yield
    except BaseException as failure:
        progress.say(f"{summarize(failure)}. Rolling back.")
        try:
            await run_to_completion(roll_back())
        except HiveError as second:
            raise combine_errors(failure, second) from failure
        except Exception as second:  # an I/O error or a bug leaves the host in an equally unknown state
            raise combine_errors(failure, OperationFailed(summarize(second), "", "Run: hivetui repair")) from second
        raise


def summarize(failure: BaseException) -> str:
    """What happened, in one line without a full stop."""
    if isinstance(failure, HiveError):
        return failure.what
    return "It was cancelled" if isinstance(failure, asyncio.CancelledError) else f"{type(failure).__name__}: {failure}"


def combine_errors(first: BaseException, second: HiveError) -> RollbackFailed:
    """One error for a failure and for the failure of its rollback."""
    reasons = (getattr(first, "why", ""), f"The rollback failed too: {second.what}", second.why)
    return RollbackFailed(summarize(first), "\n".join(filter(None, reasons)), second.fix or "Run: hivetui repair")
