"""Signing a decision beside the operator's key, with an engine that has none: the client trusts it with no text.

The engine says what it would record. What the client knows of the decision is compared with that, and only then it is
signed; the engine compares what was signed, byte by byte, with what it records. The client does not know the tree of a
commit, the commit of a rollback, and notes on lines that the engine keeps: see docs/verify.md.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from hivetui.engine.model.dsse import signed_bytes
from hivetui.engine.model.errors import NotAllowed
from hivetui.engine.model.text import show_bytes
from hivetui.wire.frames import Json

Sign = Callable[[bytes], Awaitable[str]]
"""Makes the armoured signature of these bytes; HiveError when the key cannot sign."""
FindSigner = Callable[[], Awaitable[Sign | None]]
"""Finds what signs for the operator, None if nothing does."""

_IN_TOTO, _GITTUF = "application/vnd.in-toto+json", "application/vnd.gittuf+json"
_DECISION, _STATEMENT = "urn:hivetui:decision:v1", "https://in-toto.io/Statement/v1"
_AUTHORIZATION = "https://gittuf.dev/reference-authorization/v0.2"
_SUBJECTS = (("commit", "gitCommit"), ("tree", "gitTree"))
_CLOCKS_DIFFER = timedelta(hours=1)


async def sign_statements(answer: Json, decision: str, operator: str, members: Json, sign: Sign) -> Json:
    """The member `signed` of the request for a decision with these members, from the engine's answer to `statement`.

    NotAllowed when the engine wants anything else signed than this decision of this operator.
    """
    statements = list(_read(answer))
    predicate = _decision_in(statements)
    _check_kind(predicate, decision, members, authorizes=len(statements) > 1)
    if predicate.get("kind") == predicate.get("decision") == "rollback":
        decision = "rollback"  # the proposal was a rollback that failed, and is proposed again
    for name, (wanted, found) in _facts(predicate, decision, operator, members).items():
        if wanted != found:
            _refuse(f"Its {name} is {str(found)[:100]}, and {str(wanted)[:100]} was asked for.")
    if not _is_now(predicate.get("at")):
        _refuse(f"Its time is {str(predicate.get('at'))[:100]}.")
    for _, _, other in statements[:-1]:
        if other != _authorization(predicate):
            _refuse("It authorizes another move of main than the decision.")
    signatures = [await sign(signed_bytes(kind, payload)) for kind, payload, _ in statements]
    return {"at": predicate["at"], "signatures": signatures}


def _read(answer: Json) -> Iterator[tuple[str, bytes, Json]]:
    """The type, the bytes and the content of each statement."""
    try:
        for one in answer["statements"]:
            payload = base64.b64decode(one["payload"], validate=True)
            content = json.loads(payload)
            if not isinstance(content, dict) or _as_written(content) != payload:
                raise TypeError("a statement is no object, or is not written as others read it")
            yield str(one["type"]), payload, content
    except (LookupError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        _refuse(f"It cannot be read: {str(error)[:100]}.")


def _as_written(content: Json) -> bytes:
    """The only way to write it: no key twice, no blanks, for whoever reads it by other means than JSON."""
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def _check_kind(predicate: Mapping[str, Any], decision: str, members: Json, authorizes: bool) -> None:
    """NotAllowed unless the kind of the proposal fits what was asked for, and only a move of main authorizes one."""
    kinds = {"deploy", "rollback", "spawn"}
    if decision == "rollback":
        kinds = {"rollback"}
    elif decision == "approve":
        kinds = {"deploy", "rollback"} if members.get("commit") else {"spawn"}
    if (kind := predicate.get("kind")) not in kinds:
        _refuse(f"Its kind is {str(kind)[:100]}, and {' or '.join(sorted(kinds))} was asked for.")
    if authorizes != (decision in ("approve", "rollback") and kind != "spawn"):
        _refuse("It authorizes a move of main where none was decided, or not where one was.")


def _decision_in(statements: list[tuple[str, bytes, Json]]) -> Json:
    """The predicate of our statement, which is the last one; before it gittuf's may come, and no other."""
    kinds = [kind for kind, _, _ in statements]
    if kinds not in ([_IN_TOTO], [_GITTUF, _IN_TOTO]):
        _refuse(f"Its statements are of other types: {', '.join(kinds)[:200] or 'none'}.")
    content = statements[-1][2]
    predicate = content.get("predicate")
    if content.get("_type") != _STATEMENT or content.get("predicateType") != _DECISION:
        _refuse("It is no decision.")
    if not isinstance(predicate, dict):
        _refuse("It has no predicate.")
    subject = [{"name": name, "digest": {key: predicate.get(name)}} for name, key in _SUBJECTS]
    if content.get("subject") != subject:
        _refuse("Its subject is another commit than its predicate names.")
    return predicate


def _facts(
    predicate: Mapping[str, Any], decision: str, operator: str, members: Json
) -> dict[str, tuple[object, object]]:
    """What was asked for, and what the engine says, of each fact that the client knows."""
    found_operator = predicate.get("operator")
    facts: dict[str, tuple[object, object]] = {
        "decision": (decision, predicate.get("decision")),
        "operator": (operator, found_operator.get("name") if isinstance(found_operator, dict) else None),
        "note": (show_bytes(members.get("note") or "").strip(), predicate.get("note")),
        "seen": (members.get("seen"), predicate.get("seen")),
        "restart": (members.get("restart", False), predicate.get("restart", False)),
        "effect": (members.get("effect"), _derivation(predicate.get("effect"))),
    }
    for member, name in (("proposal", "proposal"), ("name", "agent")):
        if member in members:
            facts[name] = (members[member], predicate.get(name))
    for name in ("commit", "base"):
        if given := members.get(name):
            facts[name] = (given, str(predicate.get(name))[: len(given)])
    if "acknowledge" in members:
        facts["acknowledgements"] = (sorted(set(members["acknowledge"])), _acknowledged(predicate.get("findings")))
    return facts


def _derivation(effect: object) -> object:
    return effect.get("derivation") if isinstance(effect, dict) else effect


def _acknowledged(findings: object) -> list[str]:
    rows = findings if isinstance(findings, list) else []
    return sorted({str(one.get("id")) for one in rows if isinstance(one, dict) and one.get("acknowledged") is True})


def _is_now(at: object) -> bool:
    """Whether a time is near: a key that is allowed today must not sign for a time before that."""
    try:
        return abs(datetime.fromisoformat(str(at)) - datetime.now(UTC)) < _CLOCKS_DIFFER
    except (TypeError, ValueError):
        return False


def _authorization(predicate: Mapping[str, Any]) -> Json:
    tree = predicate.get("tree")
    return {
        "type": _STATEMENT,
        "subject": [{"digest": {"gitTree": tree}}],
        "predicate_type": _AUTHORIZATION,
        "predicate": {"fromID": predicate.get("base"), "targetID": tree, "targetRef": "refs/heads/main"},
    }


def _refuse(why: str) -> NoReturn:
    what = "The engine wants something else signed than was decided, so nothing was signed"
    raise NotAllowed(what, why, "If the clocks of both hosts are right, do not trust that engine.")
