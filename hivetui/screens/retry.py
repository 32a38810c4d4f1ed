"""Proposing again what has ended without a deploy: the way on from a failure, wherever it is seen."""

from __future__ import annotations

from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.screens.base import HiveScreen, OpenRequested
from hivetui.screens.state_labels import proposal_predicate


def retry_obstacle(number: int, state: ProposalState) -> str | None:
    """Why the proposal with that number and state cannot be proposed again, or None."""
    if state is ProposalState.DEPLOYED:
        return f"#{number} was deployed; the history (5) rolls back to it."
    return None if state.is_final else f"#{number} {proposal_predicate(state)}; only what has ended is proposed again."


def operation_retry_obstacle(operation: Operation) -> str | None:
    """Why the proposal of an operation cannot be proposed again, or None."""
    if not operation.state.ended:
        return f"Operation {operation.id} is still running."
    if operation.state is OperationState.SUCCEEDED:
        return f"Operation {operation.id} has succeeded; there is nothing to retry."
    if operation.proposal is None:
        kind = operation.kind
        return f"A {kind} without a proposal is not proposed again; {kind} {operation.agent} from the agents (1)."
    return None


def retry(screen: HiveScreen, number: int) -> None:
    """Propose it again, and open the review of the new proposal."""

    def on_proposed(proposal: Proposal) -> None:
        screen.notify(f"#{number} is proposed again as #{proposal.id}", markup=False)
        screen.post_message(OpenRequested("review", (proposal.agent,), proposal.id))

    screen.run_engine_work(screen.hive.repropose(number), on_proposed)
