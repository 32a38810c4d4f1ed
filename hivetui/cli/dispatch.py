"""Run one verb, from opening the hive to the exit status, and end on signals."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

from hivetui.cli.closed_pipe import while_read
from hivetui.cli.invocation import Invocation, can_ask, missing_options
from hivetui.cli.open_hive import open_hive
from hivetui.cli.output import Output
from hivetui.cli.parser import Request
from hivetui.cli.render import repairs
from hivetui.cli.verbs import agents, approval, effect, history, hive, operations, proposals, rules, verification
from hivetui.client.hive import RemoteHive
from hivetui.engine import slow_program, tool_messages
from hivetui.engine.api import Hive
from hivetui.engine.host.files import describe_unusable_file
from hivetui.engine.model.errors import HiveError, NotAllowed
from hivetui.engine.model.text import safe
from hivetui.wire.verbs import VERBS as VERBS_OF_WIRE
from hivetui.wire.verbs import Role

VERBS: dict[str, Callable[[Invocation], Awaitable[int]]] = {
    "agents": agents.list_agents,
    "spawn": agents.spawn,
    "start": agents.change,
    "stop": agents.change,
    "restart": agents.change,
    "rebuild": agents.rebuild,
    "destroy": agents.destroy,
    "submit": proposals.submit,
    "request-spawn": proposals.request_spawn,
    "retry": proposals.retry,
    "proposals": proposals.list_proposals,
    "show": proposals.show,
    "preview": effect.preview,
    "approve": approval.approve,
    "deny": proposals.deny,
    "withdraw": proposals.withdraw,
    "history": history.history,
    "rollback": proposals.rollback,
    "logs": agents.logs,
    "operations": operations.list_operations,
    "operation": operations.show_operation,
    "cancel": operations.cancel,
    "warnings": hive.warnings,
    "repair": hive.repair,
    "doctor": hive.doctor,
    "rules": rules.list_rules,
    "verify": verification.verify,
    "update-base": hive.update_base,
}
_WITHOUT_REPAIR = ("repair", "doctor")
"""Verbs that report what they find themselves; a dry run must not change anything."""

_WITH_REASON = ("deny", "rollback")

_LOOK_SECONDS, _REPEAT_SECONDS = 0.25, 10.0
"""How often what is waited for is looked at, and told again."""
_ENGINE_SECONDS = 0.5
"""How long that waits for the engine to say what it waits for itself; a later answer is told by itself."""


async def run(request: Request, out: Output) -> int:
    """Open the hive, run the verb, close the hive."""
    _cancel_on_signals()
    opened: list[Hive] = []
    async with _waits_reported(out, opened):
        with tool_messages.heard_by(lambda text: out.print_message(safe(text))):
            try:
                return await _run(request, out, opened)
            except OSError as error:
                if (described := describe_unusable_file(error)) is None:
                    raise
                raise described from error


async def _run(request: Request, out: Output, hives: list[Hive]) -> int:
    """`hives` gets the hive, when it is open."""
    _require_role(request)
    _require_reason(request, out)
    if len(request.hosts) > 1:
        several_hosts = importlib.import_module("hivetui.cli.several_hosts")  # it reads settings, as open_hive may not
        status: int = await several_hosts.run_on_hosts(request, out, VERBS[request.command])
        return status
    opened = await open_hive(request, repair=request.command not in _WITHOUT_REPAIR and not request.read_only)
    hives.append(opened)
    try:
        _print_repairs(out, opened.repair_error, repairs(opened.repairs, dry_run=False) if opened.repairs else [])
        work = VERBS[request.command](Invocation(opened, request, out, sys.stdin))
        return await (while_read(work) if getattr(request, "follow", False) else work)
    finally:
        await opened.close()


def _require_role(request: Request) -> None:
    """NotAllowed for a verb that decides or starts something, where only reading was asked for."""
    if request.read_only and VERBS_OF_WIRE[request.command].role is Role.DECIDE:
        why = "It decides or starts something, and --read-only was given."
        raise NotAllowed(f"{request.command} is not done", why, "Leave --read-only out.")


def _require_reason(request: Request, out: Output) -> None:
    """WrongUsage for an act whose reason is not given where no one can be asked for it."""
    if request.command in _WITH_REASON and request.note is None and not can_ask(sys.stdin, out):
        why = "The reason is recorded, and no one can be asked for it here."
        raise missing_options(request.command, "--note TEXT", why)


@asynccontextmanager
async def _waits_reported(out: Output, hives: Sequence[Hive]) -> AsyncIterator[None]:
    """Say on a terminal what is waited for, when it takes long: it may never come. `hives` are those that are open."""
    if not out.stderr.isatty():
        yield
        return
    reporting = asyncio.ensure_future(_report_waits(out, hives))
    try:
        yield
    finally:
        reporting.cancel()


async def _report_waits(out: Output, hives: Sequence[Hive]) -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    told, told_at = "", 0.0
    with slow_program.listening(lambda: loop.call_soon_threadsafe(begun.set)):
        while True:
            begun.clear()
            if not slow_program.is_waiting():  # as in a log that is followed for hours
                await begun.wait()
            await asyncio.sleep(_LOOK_SECONDS)
            text = slow_program.describe_slow_program() or ""
            what = text.rpartition(" for ")[0]
            if text and (what != told or loop.time() - told_at > _REPEAT_SECONDS):
                await _tell_wait(out, hives, text)
                told, told_at = what, loop.time()


async def _tell_wait(out: Output, hives: Sequence[Hive], text: str) -> None:
    """Say what is waited for here, and what the engines wait for, as far as they say it."""
    asking = [asyncio.ensure_future(_wait_of_engine(hive)) for hive in hives if isinstance(hive, RemoteHive)]
    answered = (await asyncio.wait(asking, timeout=_ENGINE_SECONDS))[0] if asking else set()
    _print_wait(out, safe(text), *(one.result() for one in asking if one in answered))
    late = [await one for one in asking if one not in answered]
    _print_wait(out, *late)


def _print_wait(out: Output, *texts: str) -> None:
    if said := ", ".join(filter(None, texts)):
        out.print_message(f"waiting: {said}; ctrl-c ends this")


async def _wait_of_engine(hive: RemoteHive) -> str:
    """Which program an engine in another process waits for, as its newest state says; "" for none."""
    with suppress(HiveError, TimeoutError):
        async with asyncio.timeout(2 * slow_program.SECONDS), aclosing(hive.watch()) as updates:
            first = await anext(updates)
            return safe(first.snapshot.waits_for) if first.snapshot is not None else ""
    return ""


def _print_repairs(out: Output, error: HiveError | None, repaired: list[str]) -> None:
    for line in repaired:
        out.print_message(line)
    if error is not None:
        out.print_message("Repair after an earlier crash failed:")
        out.print_error(error, with_json=False)


def _cancel_on_signals() -> None:
    """End the verb on SIGHUP and SIGTERM as on Ctrl-C, so that the processes it started are ended with it."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
