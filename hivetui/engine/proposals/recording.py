"""What the record of a decision about a proposal says, from the proposal's tags and the review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import Stale
from hivetui.engine.model.findings import Finding
from hivetui.engine.model.notes import LineNote
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.records import EffectReference, GivenSignatures, RulesReference, Seen
from hivetui.engine.model.text import show_bytes
from hivetui.engine.model.times import format_date_time
from hivetui.engine.proposals.tag_messages import Approved, Refused, parse_message
from hivetui.engine.proposals.tags import ProposalTags
from hivetui.engine.records import keeping
from hivetui.engine.records.envelope import Envelope
from hivetui.engine.records.statements import DecidedBy, DecidedFinding, Decision, Proof, Verdict

DECISION_TAGS = ("approved", "denied", "withdrawn")
"""The tags that name the record of their decision."""
DECIDES = "decide"
"""The role of whoever may decide."""
_SIGNING_TIME, _CLOCK_MARGIN = timedelta(minutes=10), timedelta(seconds=5)
"""How old a decision may be that was signed: a key on a token has to be touched, and an effect evaluated."""


@dataclass(frozen=True)
class Basis:
    """What a decision was based on.

    `findings` is None for what is exempt from them (a spawn, a rollback) and where none could be computed; `rules` and
    `effect` are None where nothing was known of them. `acknowledged` are ids of findings. `effect_meta` is the commit
    of meta that the effect was evaluated with. `lines` are the notes on lines of a denial. `seen` is what was on the
    screen, None where that is not known. `restart` asks for a restart even where the system stays the same.
    """

    findings: Sequence[Finding] | None = None
    acknowledged: tuple[str, ...] = ()
    rules: RulesReference | None = None
    effect: EffectReference | None = None
    effect_meta: str | None = None
    lines: tuple[LineNote, ...] = ()
    seen: Seen | None = None
    restart: bool = False


class Subject(Protocol):
    """What is decided on: the tags of a proposal, or what they will be."""

    @property
    def number(self) -> int:
        """The id of the proposal."""
        ...

    @property
    def store(self) -> AppliedRepo:
        """The repo that has its tags."""
        ...

    @property
    def agent(self) -> str:
        """The agent that it concerns."""
        ...

    @property
    def kind(self) -> ProposalKind:
        """What is proposed."""
        ...

    @property
    def commit(self) -> str:
        """What is proposed, as a commit."""
        ...


class Prepared(NamedTuple):
    """A decision that its operator is to sign: the time that it has, and the statements."""

    at: datetime
    envelopes: tuple[Envelope, ...]


def time_of(host: Host, given: GivenSignatures | None) -> datetime:
    """The time of a decision: now, or the one that its operator has signed; Stale if that is not recent."""
    now = host.clock()
    if given is None:
        return now
    if not -_CLOCK_MARGIN <= now - given.at <= _SIGNING_TIME:
        what = "What was signed is too old, so nothing was decided"
        raise Stale(what, f"It is of {format_date_time(given.at)} UTC.", "Decide again, so that it is signed again.")
    return given.at


async def prepare(
    host: Host, subject: Subject, verdict: Verdict, base: str, operator: Operator, note: str, basis: Basis
) -> Prepared:
    """What the operator is to sign of a decision that is made now; nothing is written."""
    at = host.clock()
    decision = await _describe(host, subject, verdict, at, base, operator, note, basis)
    return Prepared(at, await keeping.prepare(host, decision))


async def write_record(
    host: Host,
    tags: ProposalTags,
    verdict: Verdict,
    at: datetime,
    base: str,
    operator: Operator,
    note: str,
    basis: Basis,
    given: GivenSignatures | None,
) -> keeping.Written:
    """Write the record of a decision, which its tag then names; errors as for `keeping.write`."""
    decision = await _describe(host, tags, verdict, at, base, operator, note, basis)
    return await keeping.write(host, tags.store.git, decision, given)


async def _describe(
    host: Host,
    subject: Subject,
    verdict: Verdict,
    at: datetime,
    base: str,
    operator: Operator,
    note: str,
    basis: Basis,
) -> Decision:
    return Decision(
        proposal=subject.number,
        agent=subject.agent,
        kind=subject.kind.value,
        decision=verdict,
        at=at,
        operator=describe_operator(operator),
        commit=subject.commit,
        base=base,
        tree=objects.tree_of(subject.store.git_dir, subject.commit),
        meta=await keeping.meta_state(host, basis.effect_meta),
        effect=basis.effect,
        findings=None if basis.findings is None else tuple(_findings(subject.number, basis)),
        rules=basis.rules,
        seen=basis.seen,
        note=note,
        lines=tuple(line.model_dump(mode="json") for line in basis.lines),
        signed=Proof.UNSIGNED,
        restart=basis.restart,
    )


def describe_operator(operator: Operator) -> DecidedBy:
    """The operator as a record has them."""
    name, source = show_bytes(operator.name), show_bytes(operator.source)
    return DecidedBy(name=name, uid=operator.uid, role=DECIDES, source=source, key=operator.key)


def unplanted_records(store: AppliedRepo) -> Iterator[tuple[int, str]]:
    """The decisions whose tag names a record that has no ref, and its blob: what a kill between the two leaves.

    Only the tags of decisions without a ref are read, and of those not the ones from before any record was kept.
    """
    recorded = keeping.record_refs(store.git_dir)
    if keeping.FIRST not in recorded:
        return
    decided = sorted({name for name in store.tag_names() if name.partition("/")[0] in DECISION_TAGS})
    missing = [name for name in decided if name.partition("/")[2] not in recorded]
    before = keeping.inventory(store.git_dir).tags if missing else {}
    for name in missing:
        tag = store.tag(name) if name not in before else None
        decision = tag and (parse_message(tag.message, Approved) or parse_message(tag.message, Refused))
        if decision and decision.record and objects.exists(store.git_dir, decision.record):
            yield int(name.partition("/")[2]), decision.record


def _findings(number: int, basis: Basis) -> Iterator[DecidedFinding]:
    for finding in basis.findings or ():
        is_acknowledged = finding.id in basis.acknowledged
        earlier = finding.acknowledged.proposal if finding.acknowledged else number
        yield DecidedFinding(
            id=show_bytes(finding.id),
            severity=finding.severity.value,
            file=show_bytes(finding.file) if finding.file is not None else None,
            line=finding.line,
            acknowledged=is_acknowledged,
            first=earlier if is_acknowledged else None,
        )
