"""The way on from a failure, wherever it is seen: propose the same commit again, or do the same to the agent again."""

from __future__ import annotations

from collections.abc import Iterable

from hivetui.console.keymap import current_key
from hivetui.engine.model.acts import Tier, describe_consequence, tier_of
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.screens.base import HiveScreen, OpenRequested
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NameDialog
from hivetui.screens.obstacles import busy_obstacle
from hivetui.screens.state_labels import proposal_predicate


def retry_obstacle(number: int, state: ProposalState) -> str | None:
    """Why the proposal with that number and state cannot be proposed again, or None."""
    if state is ProposalState.DEPLOYED:
        return f"#{number} was deployed; the history ({current_key('everywhere.history')}) rolls back to it."
    return None if state.is_final else f"#{number} {proposal_predicate(state)}; only what has ended is proposed again."


def operation_retry_obstacle(operation: Operation, operations: Iterable[Operation]) -> str | None:
    """Why an operation cannot be tried again while `operations` run, or None."""
    if not operation.state.ended:
        return f"Operation {operation.id} is still running."
    if operation.state is OperationState.SUCCEEDED:
        return f"Operation {operation.id} has succeeded; there is nothing to retry."
    return busy_obstacle(operation.agent, operations) if operation.proposal is None else None


def retry_operation(screen: HiveScreen, operation: Operation) -> None:
    """Propose its commit again or, for a preview or one without a proposal, do the same again, with its question."""
    if operation.kind is OperationKind.PREVIEW and operation.proposal is not None:
        screen.run_engine_work(screen.hive.preview(operation.proposal), screen.open_operation)
        return
    if operation.proposal is not None:
        retry(screen, operation.proposal)
        return
    kind, name = operation.kind, operation.agent

    def start(answer: object = True) -> None:
        if answer:
            screen.run_engine_work(screen.hive.begin(kind, name), screen.open_operation)

    tier = tier_of(kind)
    if tier is Tier.IMMEDIATE:
        start()
        return
    question, details = f"{kind.capitalize()} {name} again?", (describe_consequence(kind),)
    if tier is Tier.TYPED:
        screen.app.push_screen(NameDialog(name, question, details), start)
    else:
        screen.app.push_screen(ConfirmDialog(question, details, str(kind)), start)


def retry(screen: HiveScreen, number: int) -> None:
    """Propose it again, and open the review of the new proposal."""

    def on_proposed(proposal: Proposal) -> None:
        screen.notify(f"#{number} is proposed again as #{proposal.id}", markup=False)
        screen.post_message(OpenRequested(screen.hive, "review", (proposal.agent,), proposal.id))

    screen.run_engine_work(screen.hive.repropose(number), on_proposed)
