"""What people ask about proposals: which are pending, what was decided, what ran when. No process is started."""

from __future__ import annotations

from hivetui.engine.git.applied import AppliedRepo, Tag
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals import denials
from hivetui.engine.proposals.tag_messages import Approved, Deployed, parse_message
from hivetui.engine.proposals.tags import MetaTagStore, ProposalTags, find_tags, list_tags, tag_stores

_DEPLOYED = "deployed/"


async def list_proposals(host: Host, decided: bool = False, agent: str | None = None) -> tuple[Proposal, ...]:
    """Pending proposals, oldest first; with `decided`, then the decided ones, newest first."""
    found = [tags for store in tag_stores(host, agent) for tags in list_tags(store) if agent in (None, tags.agent)]
    pending = sorted((tags for tags in found if _is_pending(tags)), key=lambda tags: tags.number)
    others = sorted((tags for tags in found if not _is_pending(tags)), key=lambda tags: -tags.number) if decided else []
    return denials.build_proposals(pending + others, found)


async def list_spawn_requests(host: Host) -> tuple[Proposal, ...]:
    """The pending proposals to spawn an agent, oldest first."""
    found = sorted((tags for tags in list_tags(MetaTagStore(host)) if _is_pending(tags)), key=lambda tags: tags.number)
    return tuple(tags.proposal() for tags in found)


async def find_proposal(host: Host, number: int) -> Proposal:
    """One proposal; NotFound."""
    return denials.build_proposal(find_tags(host, number))


def list_deployments(host: Host, agent: str | None = None) -> tuple[Deployment, ...]:
    """Every deploy, newest first, of one agent or of all; the first system of an agent is its deploy 0."""
    deployments = (
        deployment
        for store in tag_stores(host, agent)
        if not isinstance(store, MetaTagStore)
        for deployment in _deployments(store)
    )
    return tuple(sorted(deployments, key=_deploy_order, reverse=True))


def running_deployment(host: Host, agent: str) -> Deployment | None:
    """The deploy whose commit is the agent's `main`, None without one."""
    return next((deployment for deployment in list_deployments(host, agent) if deployment.running), None)


def _is_pending(tags: ProposalTags) -> bool:
    return tags.state == ProposalState.PENDING


def _deploy_order(deployment: Deployment) -> tuple[object, ...]:
    return deployment.deployed_at, deployment.id, deployment.agent


def _deployments(applied: AppliedRepo) -> list[Deployment]:
    """The deploys of one agent, oldest first. The newest one at `main` is the one that runs."""
    tags, main = applied.tags(), applied.main()
    numbers = [number for name in tags if (number := _deployed_number(name)) is not None]
    deployments = sorted((_deployment(applied, number, tags) for number in numbers), key=_deploy_order)
    for index in range(len(deployments) - 1, -1, -1):
        if deployments[index].commit == main:
            deployments[index] = deployments[index].model_copy(update={"running": True})
            break
    return deployments


def _deployed_number(tag: str) -> int | None:
    """The id in `deployed/<id>`; None for any other tag, also for one like `deployed/007` that was made by hand."""
    digits = tag.removeprefix(_DEPLOYED)
    is_number = tag.startswith(_DEPLOYED) and digits.isascii() and digits.isdigit() and str(int(digits)) == digits
    return int(digits) if is_number else None


def _deployment(applied: AppliedRepo, number: int, tags: dict[str, Tag]) -> Deployment:
    tag, approved = tags[f"{_DEPLOYED}{number}"], tags.get(f"approved/{number}")
    end = parse_message(tag.message, Deployed)
    decision = parse_message(approved.message if approved else None, Approved)
    default_kind = ProposalKind.SPAWN if number == 0 else ProposalKind.DEPLOY
    return Deployment(
        id=number,
        agent=applied.name,
        commit=tag.commit,
        kind=decision.kind if decision else default_kind,
        deployed_at=end.at if end else (tag.tagged_at or applied.commit_summary(tag.commit).authored_at),
        operator=decision.operator if decision else tag.tagger_name,
        note=decision.note if decision else "",
        running=False,
        unchanged=end.unchanged if end else False,
    )
