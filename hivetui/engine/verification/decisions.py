"""Whether the record of a decision fits the tags and objects that it describes. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from hivetui.engine.git import objects
from hivetui.engine.git.applied import Tag
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.records import Problem, ProblemCode
from hivetui.engine.proposals.recording import DECISION_TAGS
from hivetui.engine.proposals.tag_messages import Approved, FindingRecord, Refused, parse_message
from hivetui.engine.records.statements import GITTUF, Decision, Verdict, is_authorization_of
from hivetui.engine.verification.loading import Record, RecordedRepo

_TAG_OF = {
    Verdict.APPROVE: "approved",
    Verdict.ROLLBACK: "approved",
    Verdict.DENY: "denied",
    Verdict.WITHDRAW: "withdrawn",
}
_MOVES_MAIN = (Verdict.APPROVE, Verdict.ROLLBACK)


def check_decision(repo: RecordedRepo, number: int) -> Iterator[Problem]:
    """What is wrong with a decided proposal: its tags, its record, and whether they agree."""
    for name in DECISION_TAGS:
        if f"{name}/{number}" in repo.tag_values:
            yield from _check_tag(repo, number, name)


def _check_tag(repo: RecordedRepo, number: int, name: str) -> Iterator[Problem]:
    full_name = f"{name}/{number}"
    tag, record = repo.tag(full_name), repo.records.get(str(number))
    stated = _parse(tag, name) if tag else None
    is_before = is_before_records(repo, full_name)
    if tag is None or stated is None:
        if not is_before:
            yield repo.problem(ProblemCode.TAG, f"The tag {full_name} was not made by the engine", number)
    elif record is None:
        if stated.record is not None or not is_before:
            yield repo.problem(ProblemCode.MISSING, f"The record of {full_name} is missing", number, tag.commit)
    elif isinstance(record.content, Decision):
        differing = list(_differences(repo, tag, name, stated, record, record.content))
        if differing:
            text = f"{full_name} is not what was recorded: {', '.join(differing)}"
            yield repo.problem(ProblemCode.TAG, text, number, record.commit)


def is_before_records(repo: RecordedRepo, tag: str) -> bool:
    """Whether the inventory lists a tag as it is now, or nothing was ever recorded in this repo."""
    if repo.inventory is None:
        return not repo.records and not repo.unreadable
    return repo.inventory.tags.get(tag) == repo.tag_values.get(tag)


def _parse(tag: Tag, name: str) -> Approved | Refused | None:
    return parse_message(tag.message, Approved) if name == "approved" else parse_message(tag.message, Refused)


def _differences(
    repo: RecordedRepo, tag: Tag, name: str, stated: Approved | Refused, record: Record, decision: Decision
) -> Iterator[str]:
    """The fields in which a tag and its record differ."""
    pairs: dict[str, tuple[object, object]] = {
        "record": (stated.record, record.blob),
        "decision": (name, _TAG_OF.get(decision.decision)),
        "commit": (tag.commit, decision.commit),
        "proposal": (repo.tag(f"proposal/{record.name}"), None),
        "at": (stated.at, decision.at),
        "operator": (stated.operator, decision.operator.name),
        "source": (stated.source, decision.operator.source),
        "base": (stated.base, decision.base),
        "note": (stated.note, decision.note),
        "findings": (_compared(stated.findings), _compared_recorded(decision, stated.findings)),
    }
    proposal = repo.tag(f"proposal/{record.name}")
    pairs["proposal"] = (proposal and proposal.commit, decision.commit)
    if isinstance(stated, Approved):
        meta = decision.meta and decision.meta.commit
        acknowledged = {finding.id for finding in decision.findings or () if finding.acknowledged}
        pairs |= {
            "commit of the record": (stated.commit, decision.commit),
            "kind": (stated.kind.value, decision.kind),
            "agent": (stated.agent, decision.agent),
            "effect": (stated.effect, decision.effect),
            "effect_meta": (stated.effect_meta or meta, meta),
            "seen": (stated.seen, decision.seen and decision.seen.digest),
            "restart": (stated.restart, decision.restart),
            "acknowledged": (set(stated.acknowledged) if stated.findings is not None else set(), acknowledged),
        }
    else:
        pairs["lines"] = ([note.model_dump(mode="json") for note in stated.lines], list(map(dict, decision.lines)))
    return (field for field, (one, other) in pairs.items() if one != other)


def _compared(findings: tuple[FindingRecord, ...] | None) -> object:
    if findings is None:
        return None
    return [(one.id, one.severity.value, one.file, one.line, one.acknowledged) for one in findings]


def _compared_recorded(decision: Decision, findings: tuple[FindingRecord, ...] | None) -> object:
    """The findings of the record as far as a tag, which keeps only so many, has them."""
    if decision.findings is None:
        return None
    kept = decision.findings[: len(findings)] if findings else decision.findings
    return [(one.id, one.severity, one.file, one.line, one.acknowledged) for one in kept]


def check_record(repo: RecordedRepo, record: Record) -> Iterator[Problem]:
    """What is wrong with a record by itself, and with the objects that it names."""
    decision = record.content
    if not isinstance(decision, Decision) or is_purged(repo, decision):
        return
    number = decision.proposal
    if (not repo.is_meta and decision.agent != repo.agent) or record.name not in _names_of(decision):
        text = f"Record {record.name} is one of {decision.agent}, of another decision"
        yield repo.problem(ProblemCode.UNREADABLE, text, number, decision.commit)
    if number is not None and not any(f"{name}/{number}" in repo.tag_values for name in DECISION_TAGS):
        text = f"The tag of the recorded decision ({decision.decision.value}) was removed"
        yield repo.problem(ProblemCode.TAG, text, number, decision.commit)
    if (why := _tree_problem(repo, record, decision)) is not None:
        yield repo.problem(ProblemCode.TREE, why, number, decision.commit)
    yield from _check_authorization(repo, record, decision)


def _names_of(decision: Decision) -> tuple[str, ...]:
    return str(decision.proposal), f"rebuild-{decision.operation}"


def is_purged(repo: RecordedRepo, decision: Decision) -> bool:
    """Whether the record is one of a purged agent, which meta keeps without its tags and commits."""
    return repo.is_meta and decision.kind != "spawn"


def _tree_problem(repo: RecordedRepo, record: Record, decision: Decision) -> str | None:
    try:
        tree = objects.tree_of(repo.store.git_dir, decision.commit)
    except HiveError as error:
        return f"The recorded commit {decision.commit[:12]} cannot be read: {error.reason}"
    if tree != decision.tree:
        return f"The tree of {decision.commit[:12]} is {tree[:12]}, recorded is {decision.tree[:12]}"
    subject = record.envelopes[-1].statement().get("subject")
    digests = [{"gitCommit": decision.commit}, {"gitTree": decision.tree}]
    if [one.get("digest") for one in subject or () if isinstance(one, dict)] != digests:
        return "The subject of the statement is another commit or tree than its predicate names"
    return None


def _check_authorization(repo: RecordedRepo, record: Record, decision: Decision) -> Iterator[Problem]:
    """gittuf's statement is there exactly where `main` is allowed to move, and authorizes that move."""
    authorizations = [envelope for envelope in record.envelopes[:-1] if envelope.payload_type == GITTUF]
    is_expected = decision.decision in _MOVES_MAIN and decision.kind != "spawn"
    if len(authorizations) != is_expected or len(record.envelopes) != 1 + is_expected:
        text = "It has an authorization too many or too few"
        yield repo.problem(ProblemCode.UNREADABLE, text, decision.proposal, decision.commit)
        return
    for envelope in authorizations:
        statement = envelope.statement()
        if not is_authorization_of(statement, decision):
            predicate = statement.get("predicate")
            other_base = isinstance(predicate, dict) and predicate.get("fromID") != decision.base
            code = ProblemCode.BASE if other_base else ProblemCode.TREE
            text = "gittuf's statement authorizes another move than the decision"
            yield repo.problem(code, text, decision.proposal, decision.commit)
