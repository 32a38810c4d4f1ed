"""What a kill leaves of a decision: the proposal of a rollback that did not come to its approval.

A rollback is proposed and approved in one go, so nobody asked for one that is pending. One that failed and was proposed
again is different: it waits for a decision like any other proposal.
"""

from __future__ import annotations

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import ProposalKind, ProposalState
from hivetui.engine.proposals.submit import decision_lock
from hivetui.engine.proposals.tags import list_tags, load_tags


def abandoned_rollbacks(host: Host, agent: str) -> tuple[int, ...]:
    """The ids of an agent's rollbacks that were not approved, ascending."""
    applied = AppliedRepo(host, agent)
    numbers = (tags.number for tags in list_tags(applied)) if applied.exists() else ()
    return tuple(number for number in numbers if is_abandoned_rollback(applied, number))


def is_abandoned_rollback(applied: AppliedRepo, number: int) -> bool:
    """Whether a proposal is a rollback that was not approved; False where there is no such proposal."""
    tags = load_tags(applied, number)
    if tags is None or (tags.state, tags.kind) != (ProposalState.PENDING, ProposalKind.ROLLBACK):
        return False
    return tags.submitted is not None and tags.submitted.retry_of is None


async def remove_abandoned_rollback(host: Host, agent: str, number: int) -> None:
    """Remove the proposal, unless it has been decided by now. The caller holds the agent's lock."""
    applied = AppliedRepo(host, agent)
    with await decision_lock(host, agent, f"repair proposal {number}"):
        if is_abandoned_rollback(applied, number):
            await applied.delete_tag(f"proposal/{number}")
