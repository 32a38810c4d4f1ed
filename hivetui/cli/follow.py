"""Start operations, stream their output, and exit by their outcome.

An operation is a process of its own and outlives this one, whatever ends it: Ctrl-C, a closed terminal, a closed pipe.
On the way out the command prints how to follow the operation again and how to cancel it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hivetui.cli import render
from hivetui.cli.invocation import Invocation
from hivetui.cli.line_text import line_style
from hivetui.engine.model import names
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.text import safe
from hivetui.widgets.log.binary import ENTRY_KIND, merge_binary_batches
from hivetui.wire.frames import Json
from hivetui.wire.values import to_json

Begin = Callable[[str], Awaitable[Operation]]
"""Starts the operation for an agent."""

_STATUSES = {OperationState.SUCCEEDED: 0, OperationState.CANCELLED: 130}


def exit_status(operation: Operation) -> int:
    """The exit status that stands for the outcome of an ended operation."""
    return _STATUSES.get(operation.state, 1)


async def run_operation(invocation: Invocation, begun: Awaitable[Operation]) -> int:
    """Start one operation, stream it to its end and print the outcome."""
    return await follow_to_end(invocation, await begun)


async def follow_to_end(invocation: Invocation, operation: Operation) -> int:
    """Stream an operation to its end and print the outcome."""
    ended = await stream_output(invocation, operation)
    if invocation.out.as_json:
        invocation.out.print_json({"operation": to_json(ended)})
    _print_failure(invocation, ended)
    return exit_status(ended)


async def run_operations(invocation: Invocation, agents: Sequence[str], begin: Begin, jobs: int) -> int:
    """Start one operation for each agent, at most `jobs` at once; a failure does not stop the others."""
    for name in agents:
        names.check(name)
    slots = asyncio.Semaphore(jobs)
    results = await asyncio.gather(*(_run_in_slot(invocation, slots, name, begin) for name in agents))
    if invocation.out.as_json:
        invocation.out.print_json(_summary_json(invocation, agents, results))
    else:
        rows = [_summary_row(name, result) for name, result in zip(agents, results, strict=True)]
        invocation.out.print_lines(["", "summary:", *rows])
    return 0 if all(isinstance(result, Operation) and exit_status(result) == 0 for result in results) else 1


async def _run_in_slot(
    invocation: Invocation, slots: asyncio.Semaphore, name: str, begin: Begin
) -> Operation | HiveError:
    async with slots:
        try:
            ended = await stream_output(invocation, await begin(name), f"{name} ")
        except HiveError as error:
            invocation.out.print_error(error, with_json=False)
            return error
        _print_failure(invocation, ended)
        return ended


def _summary_json(invocation: Invocation, agents: Sequence[str], results: Sequence[Operation | HiveError]) -> Json:
    ended = [to_json(result) for result in results if isinstance(result, Operation)]
    pairs = zip(agents, results, strict=True)
    refused = [(name, result) for name, result in pairs if isinstance(result, HiveError)]
    errors = [{"agent": name, **invocation.out.error_to_json(error)} for name, error in refused]
    return {"operations": ended, **({"errors": errors} if errors else {})}


def _summary_row(name: str, result: Operation | HiveError) -> str:
    if isinstance(result, HiveError):
        return f"  {safe(name)}: refused: {safe(result.what)}"
    return f"  {render.outcome(result)}"


async def stream_output(
    invocation: Invocation, operation: Operation, prefix: str = "", to_stderr: bool = False
) -> Operation:
    """Stream the record of an operation from its first entry; returns the operation as it ended.

    It goes to stderr where stdout has the result: in JSON, and with `to_stderr`.
    """
    to_stderr = to_stderr or invocation.out.as_json
    print_line = invocation.out.print_message if to_stderr else invocation.out.print_line
    style = line_style(invocation.out.stderr if to_stderr else invocation.out.stdout)
    print_line(f"{prefix}operation {operation.id}: {operation.kind.value} {safe(operation.agent)}")
    try:
        async for entries in merge_binary_batches(invocation.hive.follow(operation.id), ENTRY_KIND):
            for line in filter(None, (render.entry(entry, style) for entry in entries)):
                print_line(prefix + line)
            invocation.out.flush()
        ended = await invocation.hive.operation(operation.id)
    except asyncio.CancelledError:
        invocation.out.print_message(invocation.out.complete_commands(_still_running(operation)))
        raise
    print_line(prefix + render.outcome(ended))
    invocation.out.flush()
    return ended


def _still_running(operation: Operation) -> str:
    return (
        f"Operation {operation.id} ({operation.kind.value} {safe(operation.agent)}) keeps running.\n"
        f"Follow it:  hivetui operation {operation.id} -f\n"
        f"Cancel it:  hivetui cancel {operation.id}"
    )


def _print_failure(invocation: Invocation, ended: Operation) -> None:
    if exit_status(ended):
        lines = (*(ended.error or "").splitlines(), f"Try again: {render.retry_command(ended)}")
        for line in lines:
            invocation.out.print_message(safe(invocation.out.complete_commands(line)))
