"""Records of decisions: what they say of the effect and the rules, and what `verify` answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from hivetui.engine.model.base import Model

MAX_SEEN = 10_000
"""How many hashes say what was seen of a difference; as many fit into one request."""
_Sha1OrSha256 = Annotated[str, Field(pattern="^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
_Armoured = Annotated[str, Field(pattern="^[ -~\\n]+$", max_length=16 << 10)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class EffectReference(Model):
    """The effect that a decision was bound to.

    `derivation` and `system` are whole store paths, `unknown` the namespaces that could not be evaluated, and `digest`
    the SHA-256 of the effect as it was shown.
    """

    derivation: str
    system: str
    unknown: tuple[str, ...] = ()
    digest: str


class RulesReference(Model):
    """The rules that a decision was based on: the digest of the whole set, and the ids of those that were silenced."""

    set: str
    silenced: tuple[str, ...] = ()


class Seen(Model):
    """What of a difference was on the operator's screen before the decision, in the order of the hashes, each once.

    `blobs` are git's ids of files that were shown whole, `hunks` the SHA-256 of each hunk's lines after its `@@` line,
    with three lines of context. Both together are at most MAX_SEEN.
    """

    blobs: tuple[_Sha1OrSha256, ...] = ()
    hunks: tuple[_Sha256, ...] = ()

    @classmethod
    def if_few(cls, blobs: Collection[str], hunks: Collection[str]) -> Self | None:
        """What was seen; None where that is too much for a record, which then says that it is not known."""
        return cls(blobs=tuple(blobs), hunks=tuple(hunks)) if len(blobs) + len(hunks) <= MAX_SEEN else None

    @field_validator("blobs", "hunks")
    @classmethod
    def _in_order(cls, hashes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(hashes)))

    @model_validator(mode="after")
    def _is_not_too_much(self) -> Self:
        if len(self.blobs) + len(self.hunks) > MAX_SEEN:
            raise ValueError(f"there are more than {MAX_SEEN} hashes")
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of its JSON, in the bytes that a record has of it."""
        content = json.dumps(self.model_dump(mode="json"), separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()


class GivenSignatures(Model):
    """What an operator has signed beside the key: the time in the statements, and the armoured signature of each."""

    at: AwareDatetime
    signatures: Annotated[tuple[_Armoured, ...], Field(min_length=1, max_length=2)]


class ProblemCode(StrEnum):
    """What can be wrong with a history."""

    MAIN = "main-without-record"
    MISSING = "record-missing"
    UNREADABLE = "record-unreadable"
    BASE = "base-differs"
    TREE = "tree-differs"
    UNSIGNED = "unsigned"
    SIGNER = "signer-not-allowed"
    SIGNATURE = "signature-wrong"
    TAG = "tag-rewritten"
    SYSTEM = "system-differs"


class Problem(Model):
    """One place where a history does not fit its records; `proposal` is None for a move of `main` without one."""

    proposal: int | None
    agent: str
    commit: str | None
    code: ProblemCode
    text: str


class RecordedRebuild(Model):
    """A rebuild that was recorded: it made `system` from the commit that was deployed."""

    agent: str
    operation: int
    commit: str
    system: str


class Verification(Model):
    """What `verify` found in the history of one agent, or of all.

    `checked` counts records, `before_records` the decisions that were made before any were kept.
    """

    checked: int
    problems: tuple[Problem, ...] = ()
    before_records: int = 0
    signed: int = 0
    rebuilds: tuple[RecordedRebuild, ...] = ()
