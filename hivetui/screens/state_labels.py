"""How states and denials are named in sentences and cells.

The values of the enums are public names of JSON and never change.
"""

from __future__ import annotations

from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.times import format_date_time

DATA_KEPT = "destroyed, data kept"
"""An agent without a container whose repos, credentials and notes are still there."""
_PROPOSAL_PREDICATES = {
    ProposalState.PENDING: "is pending",
    ProposalState.APPROVED: "was approved",
    ProposalState.BUILDING: "is being built",
    ProposalState.DEPLOYED: "was deployed",
    ProposalState.FAILED: "has failed",
    ProposalState.DENIED: "was denied",
    ProposalState.WITHDRAWN: "was withdrawn",
}
_OPERATION_ENDS = {
    OperationState.SUCCEEDED: "has already succeeded",
    OperationState.FAILED: "has already failed",
    OperationState.CANCELLED: "was already cancelled",
    OperationState.INTERRUPTED: "was already interrupted",
}


def proposal_predicate(state: ProposalState) -> str:
    """What follows "#7" in a sentence: `was denied`."""
    return _PROPOSAL_PREDICATES[state]


def describe_denial(proposal: Proposal) -> str:
    """That the very commit of a proposal was denied before: when, by whom and why; "" if it was not."""
    if (denied := proposal.denied_before) is None:
        return ""
    at = f", {format_date_time(denied.decided_at)} UTC" if denied.decided_at is not None else ""
    return f"▲ THIS VERY COMMIT WAS DENIED as #{denied.id} by {denied.decided_by}{at}: {denied.note}"


def operation_end(state: OperationState) -> str:
    """What follows "Operation 7" in a sentence, for a state that is an end: `has already failed`."""
    return _OPERATION_ENDS[state]
