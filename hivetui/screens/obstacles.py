"""Why something cannot be done to an agent or a proposal now, as the state of the hive says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import Proposal


def busy_obstacle(agent: str, operations: Iterable[Operation]) -> str | None:
    """The running operation that holds an agent, as a sentence, or None; a preview holds none."""
    holding = (one for one in operations if one.agent == agent and one.kind is not OperationKind.PREVIEW)
    running = next((one for one in holding if not one.state.ended), None)
    if running is None:
        return None
    return f"{running.kind.capitalize()} of {agent} is running (operation {running.id})."


def approval_blocker(proposal: Proposal, operations: Iterable[Operation]) -> str | None:
    """Why a pending proposal cannot be approved now, whatever is on the screen; or None."""
    if proposal.obstacle:
        return f"{proposal.obstacle[:1].upper()}{proposal.obstacle[1:]}."
    return busy_obstacle(proposal.agent, operations)
