"""The bases that a proposal can be compared with instead of what the agent runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hivetui.engine.api import Hive
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalState
from hivetui.widgets import wording


async def list_bases(hive: Hive, proposal: Proposal) -> list[tuple[str, str]]:
    """Pairs of a tag and its label; first "", which stands for applied `main`."""
    proposals, deployments = await asyncio.gather(
        hive.proposals(decided=True, agent=proposal.agent), hive.history(proposal.agent)
    )
    return [("", "main: what runs now"), *_other_proposals(proposal, proposals), *_deployments(deployments)]


def _other_proposals(proposal: Proposal, proposals: Iterable[Proposal]) -> Iterable[tuple[str, str]]:
    """The proposal before this one, and the last one that was denied."""
    others = sorted((other for other in proposals if other.id != proposal.id and other.commit), key=lambda one: -one.id)
    previous = next((other for other in others if other.id < proposal.id), None)
    denied = next((other for other in others if other.state is ProposalState.DENIED), None)
    if previous is not None:
        yield f"proposal/{previous.id}", f"previous proposal: #{previous.id} {previous.state}, {previous.title}"
    if denied is not None and denied is not previous:
        yield f"proposal/{denied.id}", f"last denied: #{denied.id}, {denied.title}"


def _deployments(deployments: Iterable[Deployment]) -> Iterable[tuple[str, str]]:
    for deployment in deployments:
        runs = " (runs now)" if deployment.running else ""
        label = f"deployed as #{deployment.id}, {wording.short_hash(deployment.commit)}{runs}"
        yield f"deployed/{deployment.id}", label
