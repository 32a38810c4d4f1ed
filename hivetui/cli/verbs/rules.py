"""The verb about the rules of findings."""

from __future__ import annotations

import difflib

from hivetui.cli import findings_text, render
from hivetui.cli.invocation import Invocation
from hivetui.engine.model.errors import NotFound
from hivetui.wire.values import to_json


async def list_rules(invocation: Invocation) -> int:
    """The rules in force, or one of them with its fixtures."""
    rules = await invocation.hive.rules()
    name = invocation.request.rule
    chosen = [rule for rule in rules if name in (None, rule.id, f"{rule.id}@{rule.version}")]
    if not chosen:
        near = difflib.get_close_matches(name, [rule.id for rule in rules], 1, 0.4)
        fix = f"Did you mean: hivetui rules {near[0]}" if near else "List them with: hivetui rules"
        raise NotFound(f"There is no rule {name[:60]!r}", "No rule in force has this id.", fix)
    if invocation.out.as_json:
        invocation.out.print_json({"rules": [to_json(rule) for rule in chosen]})
    elif name is not None:
        invocation.out.print_lines(findings_text.show_rule(chosen[0]))
    else:
        head = ("RULE", "SEVERITY", "MATCH", "WHY")
        table = render.table(head, map(findings_text.rule_row, chosen), invocation.out.width)
        invocation.out.print_lines(findings_text.show_rules(chosen, table))
    return 0
