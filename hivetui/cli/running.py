"""One run of one verb, from the opened hive to the exit status; and what signals do to it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from hivetui.engine.model.errors import HiveError

from . import acting, deciding, looking
from .opening import open_hive
from .output import Output
from .parsing import Request
from .render import repairs
from .session import Session

_VERBS: dict[str, Callable[[Session], Awaitable[int]]] = {
    "agents": looking.agents,
    "spawn": acting.spawn,
    "start": acting.change,
    "stop": acting.change,
    "restart": acting.change,
    "rebuild": acting.rebuild,
    "destroy": acting.destroy,
    "submit": deciding.submit,
    "proposals": deciding.proposals,
    "show": deciding.show,
    "approve": deciding.approve,
    "deny": deciding.deny,
    "withdraw": deciding.withdraw,
    "history": deciding.history,
    "rollback": acting.rollback,
    "logs": looking.logs,
    "operations": looking.operations,
    "operation": looking.operation,
    "cancel": acting.cancel,
    "warnings": looking.warnings,
    "repair": looking.repair,
    "doctor": looking.doctor,
}
_MENDS_NOTHING = ("repair", "doctor")  # they tell themselves what they find, and a dry run changes nothing


async def run(request: Request, out: Output) -> int:
    """Open the hive, run the verb, close the hive."""
    _cancel_on_signals()
    opened = await open_hive(request, os.environ, mend=request.command not in _MENDS_NOTHING)
    try:
        _tell_opening(out, opened.trouble, repairs(opened.repairs, dry_run=False) if opened.repairs else [])
        return await _VERBS[request.command](Session(opened, request, out, sys.stdin))
    finally:
        await opened.close()


def _tell_opening(out: Output, trouble: HiveError | None, repaired: list[str]) -> None:
    for line in repaired:
        out.talk(line)
    if trouble is not None:
        out.talk("While looking for what earlier crashes left:")
        out.error(trouble, beside=False)


def _cancel_on_signals() -> None:
    """A hang-up and SIGTERM end a verb as Ctrl-C does, so that what it started of its own is ended with it."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
