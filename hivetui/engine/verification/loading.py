"""The records of one repo, parsed, and the tags that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import ValidationError

from hivetui.engine.git import objects
from hivetui.engine.git.applied import AppliedRepo, Tag
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import PROPOSAL_TAGS
from hivetui.engine.model.records import Problem, ProblemCode
from hivetui.engine.proposals.tags import MetaTagStore
from hivetui.engine.records import keeping
from hivetui.engine.records.envelope import Envelope
from hivetui.engine.records.statements import DECISION, INVENTORY, Decision, Inventory


@dataclass(frozen=True)
class Record:
    """One record: its envelopes, and what the last of them states."""

    name: str
    blob: str
    envelopes: tuple[Envelope, ...]
    content: Decision | Inventory

    @property
    def number(self) -> int | None:
        """The id of the proposal, None for an inventory and a rebuild."""
        return self.content.proposal if isinstance(self.content, Decision) else None

    @property
    def commit(self) -> str | None:
        """The commit that it is about."""
        return self.content.commit if isinstance(self.content, Decision) else self.content.main


@dataclass(frozen=True)
class RecordedRepo:
    """A repo with tags and records; `unreadable` are the problems of those that could not be parsed."""

    store: AppliedRepo
    records: Mapping[str, Record]
    unreadable: tuple[Problem, ...] = ()
    tag_values: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> str:
        """The agent whose repo it is; "" for meta."""
        return self.store.name

    @property
    def is_meta(self) -> bool:
        """Whether it is meta, which also has the records of purged agents, whose tags are gone."""
        return isinstance(self.store, MetaTagStore)

    @property
    def inventory(self) -> Inventory | None:
        """What was there before any record."""
        first = self.records.get(keeping.FIRST)
        return first.content if first and isinstance(first.content, Inventory) else None

    @cached_property
    def decisions(self) -> Mapping[int, Decision]:
        """The decisions about proposals, by their id."""
        return {
            record.number: record.content
            for record in self.records.values()
            if record.number is not None and isinstance(record.content, Decision) and str(record.number) == record.name
        }

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The ids of all proposals that have a tag of the engine, ascending."""
        ids = {name.partition("/")[2] for name in self.tag_values if name.partition("/")[0] in PROPOSAL_TAGS}
        return tuple(sorted(int(text) for text in ids if text.isascii() and text.isdigit()))

    def tag(self, name: str) -> Tag | None:
        """A tag of the engine, None without one that can be read."""
        try:
            return self.store.tag(name)
        except HiveError:
            return None

    def problem(self, code: ProblemCode, text: str, number: int | None = None, commit: str | None = None) -> Problem:
        """A problem of this repo."""
        return Problem(proposal=number, agent=self.agent, commit=commit, code=code, text=text)


def load_repo(store: AppliedRepo) -> RecordedRepo:
    """Read every record of a repo."""
    records, unreadable = {}, []
    for name, blob in keeping.record_refs(store.git_dir).items():
        try:
            records[name] = _parse(store, name, blob)
        except HiveError as error:
            number = int(name) if name.isascii() and name.isdigit() and name != keeping.FIRST else None
            text = f"Record {name} cannot be read: {error.reason or error.what}"
            code = ProblemCode.UNREADABLE
            unreadable.append(Problem(proposal=number, agent=store.name, commit=None, code=code, text=text))
    refs = objects.refs(store.git_dir, "refs/tags")
    values = {ref.removeprefix("refs/tags/"): value for ref, value in refs.items()}
    return RecordedRepo(store, records, tuple(unreadable), values)


def _parse(store: AppliedRepo, name: str, blob: str) -> Record:
    envelopes = keeping.read(store.git_dir, blob)
    statement = envelopes[-1].statement()
    kinds: dict[object, type[Decision | Inventory]] = {DECISION: Decision, INVENTORY: Inventory}
    kind = kinds.get(statement.get("predicateType"))
    if kind is None:
        raise keeping.unreadable(name, "its last statement is of an unknown type")
    try:
        return Record(name, blob, envelopes, kind.model_validate(statement.get("predicate")))
    except ValidationError as error:
        raise keeping.unreadable(name, str(error.errors()[0]["msg"])) from error
