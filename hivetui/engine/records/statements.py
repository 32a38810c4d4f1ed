"""The statements of a record, with the keys in their public order. Pure; docs/verify.md describes each field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from hivetui.engine.model.records import EffectReference, RulesReference, Seen

IN_TOTO = "application/vnd.in-toto+json"
GITTUF = "application/vnd.gittuf+json"
DECISION = "urn:hivetui:decision:v1"
INVENTORY = "urn:hivetui:inventory:v1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_AUTHORIZATION = "https://gittuf.dev/reference-authorization/v0.2"
_ONLY_OF_REBUILDS = ("operation", "system")


class Verdict(StrEnum):
    """What was decided; a rollback is an approval of a commit that was deployed before."""

    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    ROLLBACK = "rollback"
    REBUILD = "rebuild"


class Proof(StrEnum):
    """Whose key signed: the operator's and the host's, only the host's, or none."""

    SIGNED = "signed"
    WITNESSED = "witnessed"
    UNSIGNED = "unsigned"


class _Part(BaseModel):
    """A part of a statement. Unknown fields are ignored: a later engine may have written them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DecidedBy(_Part):
    """The operator; `key` is the fingerprint of the key by which an SSH login was authenticated."""

    name: str
    uid: int | None
    role: str
    source: str
    key: str | None = None


class MetaState(_Part):
    """Meta at the time of the decision: its commit, and the blob of its lock file."""

    commit: str
    lock: str | None


class DecidedFinding(_Part):
    """A finding as it was decided on; `first` is the proposal in which the same evidence was acknowledged first."""

    id: str
    severity: str
    file: str | None
    line: int | None
    acknowledged: bool
    first: int | None


class Decision(_Part):
    """The predicate of our statement. `operation` and `system` are those of a rebuild, which has no proposal.

    `restart` says that the agent was to be restarted even if its system is the one that it has; a statement has it only
    where it was asked for.
    """

    proposal: int | None
    agent: str
    kind: str
    decision: Verdict
    at: datetime
    operator: DecidedBy
    commit: str
    base: str
    tree: str
    meta: MetaState | None
    effect: EffectReference | None
    findings: tuple[DecidedFinding, ...] | None
    rules: RulesReference | None
    seen: Seen | None = None
    note: str
    lines: tuple[Mapping[str, Any], ...] = ()
    signed: Proof
    restart: bool = False
    operation: int | None = None
    system: str | None = None


class Inventory(_Part):
    """The predicate of record 0: `main` and every tag object of the repo when its first record was written."""

    agent: str
    at: datetime
    main: str | None
    tags: Mapping[str, str]
    signed: Proof


def decision_statement(decision: Decision) -> bytes:
    """Our statement of a decision."""
    predicate = decision.model_dump(mode="json")
    left_out = () if decision.decision is Verdict.REBUILD else _ONLY_OF_REBUILDS
    left_out = left_out if decision.restart else (*left_out, "restart")
    predicate = {key: value for key, value in predicate.items() if key not in left_out}
    subject = [
        {"name": "commit", "digest": {"gitCommit": decision.commit}},
        {"name": "tree", "digest": {"gitTree": decision.tree}},
    ]
    return _statement(subject, DECISION, predicate)


def inventory_statement(inventory: Inventory) -> bytes:
    """The statement of record 0."""
    subject = [{"name": f"refs/tags/{name}", "digest": {"gitTag": value}} for name, value in inventory.tags.items()]
    if inventory.main:
        subject.insert(0, {"name": "refs/heads/main", "digest": {"gitCommit": inventory.main}})
    return _statement(subject, INVENTORY, inventory.model_dump(mode="json"))


def authorization_statement(decision: Decision) -> bytes:
    """gittuf's statement that authorizes the move of `main`, spelt as gittuf's reader wants it."""
    statement = {
        "type": _STATEMENT,
        "subject": [{"digest": {"gitTree": decision.tree}}],
        "predicate_type": _AUTHORIZATION,
        "predicate": {"fromID": decision.base, "targetID": decision.tree, "targetRef": "refs/heads/main"},
    }
    return compact_json(statement)


def is_authorization_of(statement: Mapping[str, Any], decision: Decision) -> bool:
    """Whether gittuf's statement authorizes exactly the move that our statement describes."""
    expected: dict[str, Any] = json.loads(authorization_statement(decision))
    return statement == expected


def compact_json(value: object) -> bytes:
    """JSON in ASCII without blanks, so that what is signed is the same bytes everywhere."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _statement(subject: list[dict[str, Any]], kind: str, predicate: Mapping[str, Any]) -> bytes:
    return compact_json({"_type": _STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate})
