"""The history of a hive: every deploy, and every deploy that failed, with title, outcome, time and operator. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.base import Model
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState


class Outcome(StrEnum):
    """What became of a deploy; `active` is the one that the agent runs, `inactive` the one that it would run if it ran.

    An agent that was destroyed has neither.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEPLOYED = "deployed"
    FAILED = "failed"


_CURRENT = {
    AgentState.RUNNING: Outcome.ACTIVE,
    AgentState.STOPPING: Outcome.ACTIVE,
    AgentState.KEPT: Outcome.DEPLOYED,
}
"""What the current deploy of an agent is in these states of its container; in any other it is inactive."""
_FIRST_TITLE = "first system"


class HistoryEntry(Model):
    """One deploy. `at` is when it became the version that runs, or when one that failed was approved.

    `deployed_at` and `running` are those of `Deployment`; `error` says why it failed, None if it did not.
    """

    id: int
    agent: str
    outcome: Outcome
    kind: ProposalKind
    commit: str | None
    at: datetime
    deployed_at: datetime | None
    operator: str
    title: str
    note: str
    error: str | None = None
    running: bool = False
    unchanged: bool = False

    @property
    def key(self) -> str:
        """The key of its row; ids are unique only for proposals, and every agent has a deploy 0."""
        return f"{self.agent} {self.id}"

    @property
    def text(self) -> str:
        """The note of the decision, and why the deploy failed."""
        return "\n".join(part for part in (self.note, self.error) if part)


def combine(deployments: Iterable[Deployment], proposals: Iterable[Proposal]) -> tuple[HistoryEntry, ...]:
    """The deploys, with the titles of their proposals, and the deploys that failed; newest first."""
    by_id = {(proposal.agent, proposal.id): proposal for proposal in proposals}
    entries = [_deployed(one, by_id.get((one.agent, one.id))) for one in deployments]
    entries += [_failed(proposal) for proposal in by_id.values() if proposal.state is ProposalState.FAILED]
    return tuple(sorted(entries, key=lambda entry: (entry.at, entry.id, entry.agent), reverse=True))


def with_agent_states(entries: Iterable[HistoryEntry], states: Mapping[str, AgentState]) -> tuple[HistoryEntry, ...]:
    """The entries, of which one is active only if its agent runs; `states` are those of the agents by name."""
    return tuple(
        entry.model_copy(
            update={"outcome": _CURRENT.get(states.get(entry.agent, AgentState.RUNNING), Outcome.INACTIVE)}
        )
        if entry.outcome is Outcome.ACTIVE
        else entry
        for entry in entries
    )


def _deployed(deployment: Deployment, proposal: Proposal | None) -> HistoryEntry:
    return HistoryEntry(
        id=deployment.id,
        agent=deployment.agent,
        outcome=Outcome.ACTIVE if deployment.running else Outcome.DEPLOYED,
        kind=deployment.kind,
        commit=deployment.commit,
        at=deployment.deployed_at,
        deployed_at=deployment.deployed_at,
        operator=deployment.operator,
        title=proposal.title if proposal is not None else (_FIRST_TITLE if deployment.id == 0 else ""),
        note=deployment.note,
        running=deployment.running,
        unchanged=deployment.unchanged,
    )


def _failed(proposal: Proposal) -> HistoryEntry:
    return HistoryEntry(
        id=proposal.id,
        agent=proposal.agent,
        outcome=Outcome.FAILED,
        kind=proposal.kind,
        commit=proposal.commit,
        at=proposal.decided_at or proposal.submitted_at,
        deployed_at=None,
        operator=proposal.decided_by or "",
        title=proposal.title,
        note=proposal.note or "",
        error=proposal.error,
    )
