"""Verbs about operations: operations, operation, cancel."""

from __future__ import annotations

from hivetui.cli import follow, render
from hivetui.cli.invocation import Invocation
from hivetui.cli.line_text import line_style
from hivetui.engine.model.operations import Operation
from hivetui.engine.model.text import safe
from hivetui.widgets.log.binary import ENTRY_KIND, merge_binary_batches
from hivetui.wire.values import to_json


async def list_operations(invocation: Invocation) -> int:
    """The running operations; with --all, the ended ones too."""
    rows = await invocation.hive.operations(ended=invocation.request.all)
    if invocation.out.as_json:
        invocation.out.print_json({"operations": [to_json(row) for row in rows]})
    else:
        none = (
            "No operations yet."
            if invocation.request.all
            else "No operations are running; --all lists those that ended."
        )
        invocation.out.print_lines(render.operations(rows, invocation.now, invocation.out.width) or [none])
    return 0


async def show_operation(invocation: Invocation) -> int:
    """One operation with its output so far; with -f, its output until its end, and then its exit status."""
    operation = await invocation.hive.operation(invocation.request.id)
    if invocation.request.follow:
        return await _follow(invocation, operation)
    output = invocation.hive.follow(operation.id, wait=False)
    if invocation.out.as_json:
        entries = [to_json(entry) async for batch in output for entry in batch]
        invocation.out.print_json({"operation": to_json(operation), "output": entries})
        return 0
    invocation.out.print_lines(render.operation(operation, invocation.now, invocation.out.complete_commands))
    style = line_style(invocation.out.stdout)
    async for batch in merge_binary_batches(output, ENTRY_KIND):
        invocation.out.print_lines(filter(None, (render.entry(entry, style) for entry in batch)))
    return 0


async def _follow(invocation: Invocation, operation: Operation) -> int:
    if not invocation.out.as_json:
        return await follow.follow_to_end(invocation, operation)
    async for entries in invocation.hive.follow(operation.id):
        for entry in entries:
            invocation.out.print_json({"entry": to_json(entry)})
        invocation.out.flush()
    ended = await invocation.hive.operation(operation.id)
    invocation.out.print_json({"operation": to_json(ended)})
    return follow.exit_status(ended)


async def cancel(invocation: Invocation) -> int:
    """Cancel a running operation, wait for its end and print the outcome."""
    operation = await invocation.hive.operation(invocation.request.id)
    if not operation.state.ended:
        subject = f"{operation.kind.value} of {safe(operation.agent)} (operation {operation.id})"
        await invocation.confirm("cancel", f"Cancel {subject}?")
    await invocation.hive.cancel(invocation.request.id)
    async for _ in invocation.hive.follow(invocation.request.id):
        pass
    ended = await invocation.hive.operation(invocation.request.id)
    if invocation.out.as_json:
        invocation.out.print_json({"operation": to_json(ended)})
    else:
        invocation.out.print_line(render.outcome(ended))
    return 0
