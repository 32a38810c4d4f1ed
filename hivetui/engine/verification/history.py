"""Whether `main` moved only by recorded decisions, and whether what runs was built from them. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from hivetui.engine.containers import nixos_container
from hivetui.engine.host import locks
from hivetui.engine.model.records import Problem, ProblemCode, RecordedRebuild
from hivetui.engine.proposals.tag_messages import Deployed, parse_message
from hivetui.engine.records.statements import Decision, Verdict
from hivetui.engine.verification.decisions import is_before_records
from hivetui.engine.verification.loading import RecordedRepo

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Move:
    """One move of `main`, as `deployed/<id>` says; `system` is the store path of what was built."""

    number: int
    commit: str
    at: datetime
    system: str | None


def check_moves(repo: RecordedRepo) -> Iterator[Problem]:
    """Follow `main` from the first deploy: each base is the commit before, and the last commit is `main`."""
    if repo.is_meta:
        return
    current: str | None = None
    for move in _moves(repo):
        if move.number == 0 or is_before_records(repo, f"deployed/{move.number}"):
            current = move.commit
            continue
        if current is not None and _is_last_before(repo, move) and repo.inventory is not None:
            current = repo.inventory.main
        yield from _check_move(repo, move, current)
        current = move.commit
    yield from _check_main(repo, current)


def _is_last_before(repo: RecordedRepo, move: Move) -> bool:
    """Whether this is the first move after the inventory, which says where `main` was then."""
    later = (one for one in _moves(repo) if one.number and not is_before_records(repo, f"deployed/{one.number}"))
    return next(later, None) == move


def _check_move(repo: RecordedRepo, move: Move, before: str | None) -> Iterator[Problem]:
    decision, number = repo.decisions.get(move.number), move.number
    if decision is None or decision.decision not in (Verdict.APPROVE, Verdict.ROLLBACK):
        if str(number) not in repo.records and f"approved/{number}" in repo.tag_values:
            return  # its tag was reported already
        text = f"deployed/{number} has no recorded approval"
        yield repo.problem(ProblemCode.MISSING, text, number, move.commit)
        return
    if decision.commit != move.commit:
        text = f"deployed/{number} is on {move.commit[:12]}, approved was {decision.commit[:12]}"
        yield repo.problem(ProblemCode.TAG, text, number, move.commit)
    if before is not None and decision.base != before:
        text = f"It was approved against {decision.base[:12]}, but main was at {before[:12]}"
        yield repo.problem(ProblemCode.BASE, text, number, move.commit)
    if decision.effect is not None and move.system is not None and decision.effect.system != move.system:
        text = f"{move.system} was deployed, the effect that was approved is {decision.effect.system}"
        yield repo.problem(ProblemCode.SYSTEM, text, number, move.commit)


def _check_main(repo: RecordedRepo, expected: str | None) -> Iterator[Problem]:
    main = repo.store.main()
    has_moves_after = any(
        move.number and not is_before_records(repo, f"deployed/{move.number}") for move in _moves(repo)
    )
    if repo.inventory is not None and not has_moves_after:
        expected = repo.inventory.main
    if main == expected or (repo.inventory is None and not repo.records) or _is_deploying(repo, main):
        return
    text = f"main of {repo.agent} is at {(main or 'nothing')[:12]}, and no record says so"
    if expected:
        text += f"; the last recorded commit is {expected[:12]}"
    yield repo.problem(ProblemCode.MAIN, text, commit=main)


def _is_deploying(repo: RecordedRepo, main: str | None) -> bool:
    """Whether a deploy of this commit has moved `main` and is about to say so."""
    return any(
        decision.commit == main
        and decision.decision in (Verdict.APPROVE, Verdict.ROLLBACK)
        and f"building/{number}" in repo.tag_values
        for number, decision in repo.decisions.items()
    )


def check_system(repo: RecordedRepo) -> Iterator[Problem]:
    """Whether the system of the agent is that of the newest deploy, or of a recorded rebuild of its commit."""
    host, moves = repo.store.host, _moves(repo)
    if repo.is_meta or not moves or not locks.is_free(locks.agent_lock(host.paths, repo.agent)):
        return
    last, system = moves[-1], nixos_container.system_of(host, repo.agent)
    decision = repo.decisions.get(last.number)
    effect = decision.effect.system if decision and decision.effect else None
    if system is None or last.system is None:
        return
    known = {effect or last.system}
    known |= {rebuild.system for rebuild in rebuilds(repo) if rebuild.commit == last.commit}
    if str(system) not in known:
        text = f"{repo.agent} has the system {system}, which is neither that of deploy {last.number} nor of a rebuild"
        yield repo.problem(ProblemCode.SYSTEM, text, last.number, last.commit)


def rebuilds(repo: RecordedRepo) -> Iterator[RecordedRebuild]:
    """The rebuilds on record."""
    for record in repo.records.values():
        found = record.content
        if isinstance(found, Decision) and found.operation is not None and found.system is not None:
            yield RecordedRebuild(
                agent=found.agent, operation=found.operation, commit=found.commit, system=found.system
            )


def _moves(repo: RecordedRepo) -> list[Move]:
    """The moves of `main` in order of time."""
    found = (_move(repo, number) for number in repo.numbers)
    return sorted((move for move in found if move is not None), key=lambda move: (move.at, move.number))


def _move(repo: RecordedRepo, number: int) -> Move | None:
    tag = repo.tag(f"deployed/{number}")
    if tag is None:
        return None
    record = parse_message(tag.message, Deployed)
    at = record.at if record else (tag.tagged_at or _LONG_AGO)
    return Move(number, tag.commit, at if number else _LONG_AGO, record.system if record else None)
