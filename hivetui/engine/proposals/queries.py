"""What people ask about proposals: which wait, what was decided, what ran when. Reads tags and spawns no process."""

from __future__ import annotations

from hivetui.engine.git.applied import AppliedRepo, Tag
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.tag_messages import Approved, Deployed, parse_message
from hivetui.engine.proposals.tags import MetaTagStore, ProposalTags, find_tags, list_tags, tag_stores

_PREFIX = "deployed/"


async def list_proposals(host: Host, decided: bool = False, agent: str | None = None) -> tuple[Proposal, ...]:
    """Pending proposals, oldest first; with `decided`, then the decided ones, newest first."""
    found = [tags for store in tag_stores(host, agent) for tags in list_tags(store) if agent in (None, tags.agent)]
    pending = sorted((tags for tags in found if _is_pending(tags)), key=lambda tags: tags.number)
    rest = sorted((tags for tags in found if not _is_pending(tags)), key=lambda tags: -tags.number) if decided else []
    return tuple(tags.proposal() for tags in pending + rest)


async def find_proposal(host: Host, number: int) -> Proposal:
    """One proposal; NotFound."""
    return find_tags(host, number).proposal()


def list_deployments(host: Host, name: str | None = None) -> tuple[Deployment, ...]:
    """Every deploy, newest first, of one agent or all; the first system of an agent is its deploy 0."""
    found = (
        deployment
        for store in tag_stores(host, name)
        if not isinstance(store, MetaTagStore)
        for deployment in _deployments(store)
    )
    return tuple(sorted(found, key=_when, reverse=True))


def running_deployment(host: Host, name: str) -> Deployment | None:
    """The deploy that the agent's `main` is at, None without one."""
    return next((deployment for deployment in list_deployments(host, name) if deployment.running), None)


def _is_pending(tags: ProposalTags) -> bool:
    return tags.state == ProposalState.PENDING


def _when(deployment: Deployment) -> tuple[object, ...]:
    return deployment.deployed_at, deployment.id, deployment.agent


def _deployments(applied: AppliedRepo) -> list[Deployment]:
    """Those of one agent, oldest first; the newest at `main` is the one that runs."""
    tags, main = applied.tags(), applied.main()
    found = sorted(
        (_deployment(applied, int(name[len(_PREFIX) :]), tags) for name in tags if _is_deployed(name)), key=_when
    )
    for index in range(len(found) - 1, -1, -1):
        if found[index].commit == main:
            found[index] = found[index].model_copy(update={"running": True})
            break
    return found


def _is_deployed(name: str) -> bool:
    number = name.removeprefix(_PREFIX)
    return name.startswith(_PREFIX) and number.isascii() and number.isdigit() and str(int(number)) == number


def _deployment(applied: AppliedRepo, number: int, tags: dict[str, Tag]) -> Deployment:
    tag, claim = tags[f"{_PREFIX}{number}"], tags.get(f"approved/{number}")
    end, decision = parse_message(tag.message, Deployed), parse_message(claim.message if claim else None, Approved)
    first = ProposalKind.SPAWN if number == 0 else ProposalKind.DEPLOY
    return Deployment(
        id=number,
        agent=applied.name,
        commit=tag.commit,
        kind=decision.kind if decision else first,
        deployed_at=end.at if end else (tag.tagged_at or applied.commit_summary(tag.commit).authored_at),
        operator=decision.operator if decision else (tag.tagger or ""),
        note=decision.note if decision else "",
        running=False,
    )
