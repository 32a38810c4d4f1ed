"""What needs a person: the values of which a console's bell and the hooks are made. Pure."""

from __future__ import annotations

from enum import StrEnum

from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.base import Model
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.text import safe, subject
from hivetui.engine.model.warnings import HiveWarning, WarningCode

_TITLE_CELLS, _REASON_CELLS = 80, 120
_COLLISIONS = (WarningCode.PORT_COLLISION, WarningCode.PORT_IN_USE)


class NoticeKind(StrEnum):
    """What has happened; also the keys of `[hooks]`."""

    PROPOSAL = "proposal"
    DEPLOYED = "deployed"
    FAILED = "failed"
    DIED = "died"
    COLLISION = "collision"

    @property
    def needs_person(self) -> bool:
        """Whether a console calls a person for it."""
        return self is not NoticeKind.DEPLOYED


class Notice(Model):
    """One event. `text` is one line for people, already safe to show; the rest is None where it does not apply."""

    kind: NoticeKind
    agent: str | None = None
    proposal: int | None = None
    operation: int | None = None
    text: str


def of_proposal(proposal: Proposal) -> Notice:
    """A new proposal, with its worst finding if findings are known."""
    what = "spawn requested" if proposal.kind is ProposalKind.SPAWN else "pending"
    about = proposal.title or proposal.description
    text = f"{_name(proposal.agent)} #{proposal.id} {what}"
    if about:
        text += f": {safe(subject(about), _TITLE_CELLS)}"
    if proposal.findings:
        worst = min(proposal.findings, key=lambda finding: finding.severity.rank)
        text += f" [{worst.severity.value}: {safe(worst.rule)}: {safe(worst.text, _TITLE_CELLS)}]"
    return Notice(kind=NoticeKind.PROPOSAL, agent=proposal.agent, proposal=proposal.id, text=text)


def of_ended_operation(operation: Operation) -> Notice | None:
    """The end of an operation that carried out a decision; None for others, and for one that was cancelled."""
    if operation.proposal is None or operation.state in (OperationState.CANCELLED, OperationState.QUEUED):
        return None
    if operation.state is OperationState.SUCCEEDED:
        return _of_end(operation.agent, operation.proposal, operation.id, None)
    if operation.state in (OperationState.FAILED, OperationState.INTERRUPTED):
        return _of_end(operation.agent, operation.proposal, operation.id, operation.error or operation.state.value)
    return None


def of_decided_proposal(proposal: Proposal) -> Notice | None:
    """The end of a deploy of which no operation was seen; None for a proposal that was not deployed, or not yet."""
    if proposal.state is ProposalState.DEPLOYED:
        return _of_end(proposal.agent, proposal.id, None, None)
    if proposal.state is ProposalState.FAILED:
        return _of_end(proposal.agent, proposal.id, None, proposal.error or "")
    return None


def of_dead_agent(agent: Agent) -> Notice:
    """An agent that died, did not come up, or restarts again and again."""
    found = next((one.text for one in agent.warnings if one.code is WarningCode.AGENT_FAILED), None)
    text = safe(found or f"{agent.name} failed", _REASON_CELLS)
    return Notice(kind=NoticeKind.DIED, agent=agent.name, text=text)


def of_collision(warning: HiveWarning) -> Notice:
    """Two agents, or an agent and another program, that want one port."""
    agent = warning.agents[0] if warning.agents else None
    return Notice(kind=NoticeKind.COLLISION, agent=agent, text=safe(warning.text, _REASON_CELLS))


def is_dead(agent: Agent) -> bool:
    """Whether an agent has failed by itself: no operation is at work on it."""
    has_failed = agent.state is AgentState.FAILED or any(one.code is WarningCode.AGENT_FAILED for one in agent.warnings)
    return has_failed and agent.operation is None


def is_collision(warning: HiveWarning) -> bool:
    """Whether a warning is about a port that two want."""
    return warning.code in _COLLISIONS


def _of_end(agent: str, proposal: int, operation: int | None, error: str | None) -> Notice:
    kind = NoticeKind.DEPLOYED if error is None else NoticeKind.FAILED
    reason = f": {safe(subject(error), _REASON_CELLS)}" if error else ""
    text = f"{_name(agent)} #{proposal} {kind.value}{reason}"
    return Notice(kind=kind, agent=agent, proposal=proposal, operation=operation, text=text)


def _name(agent: str) -> str:
    return safe(agent, _TITLE_CELLS)
