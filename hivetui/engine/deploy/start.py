"""Starts the operation that deploys a proposal, together with the claim that allows it.

The order matters: a claim (`approved/<id>`) is final, so everything that could keep the operation from starting is
taken first (the agent's lock, an operation id, disk space for the record), and only then is the proposal claimed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from hivetui.engine.host import locks
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, Operator
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.operations import launch
from hivetui.engine.proposals import claims
from hivetui.engine.proposals.claims import Claim


async def claim_and_start(
    host: Host, operator: Operator, agent: str, purpose: str, claim: Callable[[], Awaitable[Claim]]
) -> Operation:
    """Run `claim` under the agent's lock and start the operation that deploys what it claimed.

    `purpose` ("approve 12") is shown to whoever finds the lock held. Busy when the agent's lock is held;
    whatever `claim` and `launch.start` raise. A proposal that was claimed and whose operation did not start is marked
    as failed, here or, if that fails too, by the repair when the hive is next opened.
    """
    holder = f"{purpose} by {operator.name}"
    lock = locks.acquire(locks.agent_lock(host.paths, agent), holder)
    claimed: Claim | None = None
    try:
        with launch.reserve(host.paths, holder) as reservation:
            claimed = await claim()
            return launch.start(host, _request(claimed, operator), lock, reservation)
    except HiveError as error:
        if claimed is not None:
            with suppress(HiveError):
                await claims.mark_failed(host, agent, claimed.proposal, str(error))
        raise
    finally:
        lock.release()


def _request(claim: Claim, operator: Operator) -> OperationRequest:
    is_rollback = claim.kind is ProposalKind.ROLLBACK
    return OperationRequest(
        kind=OperationKind.ROLLBACK if is_rollback else OperationKind.DEPLOY,
        agent=claim.agent,
        operator=operator,
        proposal=claim.proposal,
        note=claim.note,
    )
