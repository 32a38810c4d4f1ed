"""What people ask about proposals: which wait, what was decided, what ran when. Reads tags and spawns no process."""

from __future__ import annotations

from hivetui.engine.git.applied import Applied, Tag
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import Deployment, Proposal, ProposalKind, ProposalState
from hivetui.engine.proposals.tag_messages import Approved, Deployed, read
from hivetui.engine.proposals.tags import Case, MetaShelf, case, cases, shelves

_PREFIX = "deployed/"


async def listing(host: Host, decided: bool = False, agent: str | None = None) -> tuple[Proposal, ...]:
    """What waits, oldest first; with `decided`, then what was decided, newest first."""
    found = [case for shelf in shelves(host, agent) for case in cases(shelf) if agent in (None, case.agent)]
    waiting = sorted((case for case in found if _waits(case)), key=lambda case: case.number)
    rest = sorted((case for case in found if not _waits(case)), key=lambda case: -case.number) if decided else []
    return tuple(case.proposal() for case in waiting + rest)


async def find(host: Host, number: int) -> Proposal:
    """One proposal; NotFound."""
    return case(host, number).proposal()


def history(host: Host, name: str | None = None) -> tuple[Deployment, ...]:
    """Every deploy, newest first, of one agent or all; the first system of an agent is its deploy 0."""
    found = (
        deployment
        for shelf in shelves(host, name)
        if not isinstance(shelf, MetaShelf)
        for deployment in _deployments(shelf)
    )
    return tuple(sorted(found, key=_when, reverse=True))


def running(host: Host, name: str) -> Deployment | None:
    """The deploy that the agent's `main` is at, None without one."""
    return next((deployment for deployment in history(host, name) if deployment.running), None)


def _waits(case: Case) -> bool:
    return case.state == ProposalState.PENDING


def _when(deployment: Deployment) -> tuple[object, ...]:
    return deployment.deployed_at, deployment.id, deployment.agent


def _deployments(applied: Applied) -> list[Deployment]:
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


def _deployment(applied: Applied, number: int, tags: dict[str, Tag]) -> Deployment:
    tag, claim = tags[f"{_PREFIX}{number}"], tags.get(f"approved/{number}")
    end, decision = read(tag.message, Deployed), read(claim.message if claim else None, Approved)
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
