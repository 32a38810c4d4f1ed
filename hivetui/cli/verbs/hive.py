"""Verbs about the hive as a whole: warnings, repair, doctor."""

from __future__ import annotations

from hivetui.cli import render
from hivetui.cli.invocation import Invocation
from hivetui.engine.model.errors import Unavailable
from hivetui.engine.model.text import safe
from hivetui.engine.model.warnings import RULES_CHECK
from hivetui.wire.values import to_json


async def warnings(invocation: Invocation) -> int:
    """The current warnings."""
    rows = await invocation.hive.warnings()
    if invocation.out.as_json:
        invocation.out.print_json({"warnings": [to_json(row) for row in rows]})
    else:
        invocation.out.print_lines(render.warnings(rows, invocation.out.complete_commands))
    return 0


async def repair(invocation: Invocation) -> int:
    """Repair what earlier crashes left behind; with --dry-run, only print what would be done."""
    request = invocation.request
    rows = await invocation.hive.repair(request.name, request.dry_run)
    if invocation.out.as_json:
        invocation.out.print_json({"repairs": [to_json(row) for row in rows]})
    else:
        invocation.out.print_lines(render.repairs(rows, request.dry_run))
    return 0


async def doctor(invocation: Invocation) -> int:
    """Check whether this host can run a hive.

    The status is that of Unavailable when a check fails, and 1 when only that of the rules does.
    """
    rows = await invocation.hive.doctor()
    if invocation.out.as_json:
        invocation.out.print_json({"checks": [to_json(row) for row in rows]})
    else:
        invocation.out.print_lines(render.checks(rows, invocation.out.complete_commands))
    failed = {row.name for row in rows if not row.ok}
    return Unavailable.code if failed - {RULES_CHECK} else min(len(failed), 1)


async def update_base(invocation: Invocation) -> int:
    """Lock the base flake at its newest revision, or at --to; no agent is rebuilt."""
    update = await invocation.hive.update_base(invocation.request.to)
    if invocation.out.as_json:
        invocation.out.print_json({"base": to_json(update)})
        return 0
    lines = [f"base flake: {safe(update.old)} -> {safe(update.new)}"]
    if update.old == update.new:
        lines = [f"The base flake is at {safe(update.new)} already."]
    if update.outdated:
        lines.append(f"outdated: {', '.join(map(safe, update.outdated))}")
        lines.append(invocation.out.complete_commands("Build them on it: hivetui rebuild --all"))
    invocation.out.print_lines(lines)
    return 0
