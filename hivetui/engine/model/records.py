"""Records of decisions: what they say of the effect and the rules, and what `verify` answers."""

from __future__ import annotations

from enum import StrEnum

from hivetui.engine.model.base import Model


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
