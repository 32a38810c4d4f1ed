"""Proposing again what an earlier proposal asked for: the way on from a deploy that failed or was cancelled."""

from __future__ import annotations

from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import BadData
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import STATE_PHRASES, Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.submit import check_pending, decision_lock, pin_proposal, request_spawn
from hivetui.engine.proposals.tags import ProposalTags, find_tags


async def repropose(host: Host, number: int, operator: Operator) -> Proposal:
    """Make a new pending proposal of the same kind at the very commit of proposal `number`, which has ended.

    Nothing is fetched: the commit is in applied, kept by its tag. It is compared with `main` as it is now. BadData
    when the proposal has not ended, when its commit is `main`, and when the same is pending already; TryAgain when too
    many are pending; NotFound when there is no such proposal.
    """
    tags = find_tags(host, number)
    if not tags.state.is_final:
        raise _not_ended(tags)
    if tags.kind is ProposalKind.SPAWN:
        description = tags.submitted.description if tags.submitted else ""
        return await request_spawn(host, tags.agent, description, operator, retry_of=number)
    with await decision_lock(host, tags.agent, f"retry {number}"):
        return await _pin_again(host, tags, operator)


async def _pin_again(host: Host, tags: ProposalTags, operator: Operator) -> Proposal:
    if tags.commit == tags.store.main():
        raise BadData(
            f"{tags.agent} already runs the commit of proposal {tags.number}",
            f"It is {tags.commit[:12]}.",
            f"See: hivetui history {tags.agent}",
        )
    check_pending(host, tags.store, tags.agent, tags.commit)
    earlier = tags.proposal()
    return await pin_proposal(
        host,
        tags.store,
        tags.agent,
        tags.kind,
        tags.commit,
        earlier.title,
        earlier.description,
        operator,
        retry_of=tags.number,
    )


def _not_ended(tags: ProposalTags) -> BadData:
    if tags.state is ProposalState.PENDING:
        why, fix = "It is still pending.", f"Decide it: hivetui show {tags.number}"
    else:
        why, fix = f"It {STATE_PHRASES[tags.state]}.", "Watch it: hivetui operations"
    return BadData(f"Proposal {tags.number} cannot be proposed again", why, fix)
