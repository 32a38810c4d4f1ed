"""Verifying the history of one agent, or of the whole hive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from hivetui.engine.host import files, programs
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import PROPOSAL_TAGS
from hivetui.engine.model.records import Problem, ProblemCode, Verification
from hivetui.engine.proposals.recording import DECISION_TAGS
from hivetui.engine.proposals.tags import tag_stores
from hivetui.engine.records import keeping
from hivetui.engine.records.statements import Proof
from hivetui.engine.verification.decisions import check_decision, check_record, is_before_records
from hivetui.engine.verification.history import check_moves, check_system, rebuilds
from hivetui.engine.verification.loading import Record, RecordedRepo, load_repo
from hivetui.engine.verification.signatures import AllowedSigners, SignatureCheck


async def verify(
    host: Host, agent: str | None = None, signers: str | None = None, remember: bool = True
) -> Verification:
    """Compare the history of an agent, or of all, with its records, by the host's list of signers or by this one.

    With `remember`, problems that are found are a warning from then on. Unavailable without ssh-keygen.
    """
    programs.require(host, [host.tools.ssh_keygen])
    result = await _verify(host, agent, _load_signers(host, signers))
    if remember and agent is None and signers is None:
        _remember(host, result)
    return result


async def _verify(host: Host, agent: str | None, allowed: AllowedSigners) -> Verification:
    check = SignatureCheck(host, allowed)
    repos = [_of_agent(load_repo(store), agent) for store in tag_stores(host, agent)]
    found = [problem for repo in repos for problem in await _check_repo(repo, check, agent)]
    records = [record for repo in repos for record in repo.records.values()]
    return Verification(
        checked=len(records),
        problems=tuple(found),
        before_records=sum(_count_before_records(repo, agent) for repo in repos),
        signed=sum(record.content.signed is Proof.SIGNED for record in records),
        rebuilds=tuple(rebuild for repo in repos for rebuild in rebuilds(repo)),
    )


def _load_signers(host: Host, signers: str | None) -> AllowedSigners:
    """The list to go by; an empty one for a host that never signed."""
    if signers is not None:
        return AllowedSigners(signers, "the given list")
    path = host.paths.allowed_signers
    return AllowedSigners(path.read_text("utf-8", "surrogateescape") if path.exists() else "", str(path))


def _of_agent(repo: RecordedRepo, agent: str | None) -> RecordedRepo:
    """Meta with the records of one agent only, if one is asked for."""
    if agent is None or not repo.is_meta:
        return repo
    kept = {name: record for name, record in repo.records.items() if _is_about(record, agent)}
    return RecordedRepo(repo.store, kept, (), repo.tag_values)


def _is_about(record: Record, agent: str) -> bool:
    return record.name == keeping.FIRST or record.content.agent == agent


async def _check_repo(repo: RecordedRepo, check: SignatureCheck, agent: str | None) -> list[Problem]:
    problems = [*repo.unreadable, *_check_inventory(repo)]
    is_complete = agent is None or not repo.is_meta
    for number in repo.numbers:
        if is_complete or number in repo.decisions:
            problems += check_decision(repo, number)
    records = list(repo.records.values())
    for record in records:
        problems += check_record(repo, record)
    for record, findings in zip(records, await asyncio.gather(*map(check.check, records)), strict=True):
        about = record.content.agent or repo.agent
        problems += [
            Problem(proposal=record.number, agent=about, commit=record.commit, code=code, text=_name(record, text))
            for code, text in findings
        ]
    problems += [*check_moves(repo), *check_system(repo)]
    return problems


def _name(record: Record, text: str) -> str:
    """A finding about signatures, with the record that it is about."""
    return f"Record {record.name}: {text[:1].lower()}{text[1:]}"


def _check_inventory(repo: RecordedRepo) -> Iterator[Problem]:
    """Whether every tag that was there before any record is as it was."""
    if repo.inventory is None:
        if repo.records and keeping.FIRST not in repo.records:
            yield repo.problem(ProblemCode.MISSING, "Record 0, which lists what was there before, was removed")
        return
    for name, value in repo.inventory.tags.items():
        kind, _, digits = name.partition("/")
        if kind in PROPOSAL_TAGS and digits.isdigit() and repo.tag_values.get(name) != value:
            done = "was rewritten" if name in repo.tag_values else "was removed"
            text = f"The tag {name}, which was there before any record, {done}"
            yield repo.problem(ProblemCode.TAG, text, int(digits))


def _count_before_records(repo: RecordedRepo, agent: str | None) -> int:
    """How many decisions were made before any record was kept."""
    if repo.is_meta and agent is not None:
        return 0
    decided = [name for name in repo.tag_values if name.partition("/")[0] in DECISION_TAGS]
    return sum(name.partition("/")[2] not in repo.records and is_before_records(repo, name) for name in decided)


def _remember(host: Host, result: Verification) -> None:
    """Leave for the warnings how many problems there are."""
    data = result.model_copy(update={"rebuilds": ()}).model_dump_json().encode()
    with suppress(HiveError):  # who may not write here may read all the same
        if result.problems or host.paths.verified.exists():
            files.replace(host.paths.verified, data)


def last_problems(host: Host) -> int:
    """How many problems the last verification of the whole hive found."""
    with suppress(OSError, ValueError):
        return len(Verification.model_validate_json(host.paths.verified.read_bytes()).problems)
    return 0
