"""The verb preview: what a proposal would do."""

from __future__ import annotations

from hivetui.cli import follow
from hivetui.cli.invocation import Invocation
from hivetui.engine.model.effect import EffectState
from hivetui.widgets.effect.lines import describe_effect
from hivetui.wire.values import to_json


async def preview(invocation: Invocation) -> int:
    """Evaluate and build a proposal without deploying it, and print the effect; 1 if that failed."""
    number = invocation.request.id
    ended = await follow.stream_output(invocation, await invocation.hive.preview(number), to_stderr=True)
    effect = await invocation.hive.effect(number)
    if invocation.out.as_json:
        invocation.out.print_json({"effect": to_json(effect)})
    else:
        invocation.out.print_lines(line.text for line in describe_effect(effect))
    if effect.state is EffectState.KNOWN and follow.exit_status(ended) == 0:
        next_step = f"Approve exactly this: hivetui approve {number} --effect {effect.derivation}"
        invocation.out.print_message(invocation.out.complete_commands(next_step))
        return 0
    return follow.exit_status(ended) or 1
