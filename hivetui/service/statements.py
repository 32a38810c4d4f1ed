"""The verb `statement`: what an operator signs beside the key, before the decision is sent with the signatures."""

from __future__ import annotations

import base64
from typing import Any

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.errors import BadData, WrongUsage
from hivetui.engine.model.records import Seen
from hivetui.engine.proposals.recording import Prepared
from hivetui.engine.records.statements import Verdict
from hivetui.wire.frames import Json
from hivetui.wire.values import notes_from_json
from hivetui.wire.verbs import Request


async def state(hive: LocalHive, request: Request) -> Json:
    """The statements of a decision that would be made now."""
    prepared = await _prepare(hive, request)
    return {
        "statements": [
            {"type": one.payload_type, "payload": base64.b64encode(one.payload).decode("ascii")}
            for one in prepared.envelopes
        ]
    }


async def _prepare(hive: LocalHive, request: Request) -> Prepared:
    decision, note = request.members["decision"], request.get("note", "")
    if decision == Verdict.APPROVE:
        return await hive.prepare_approval(
            _required(request, "proposal"),
            request.get("commit"),
            request.get("base"),
            note,
            request.get("acknowledge", ()),
            request.get("effect"),
            seen_of(request),
            request.get("restart", False),
        )
    if decision in (Verdict.DENY, Verdict.WITHDRAW):
        lines = notes_from_json(request.get("lines", ()))
        return await hive.prepare_refusal(Verdict(decision), _required(request, "proposal"), note, lines)
    if decision == Verdict.ROLLBACK:
        return await hive.prepare_rollback(_required(request, "name"), _required(request, "to"), note)
    why = "Decisions that are signed: approve, deny, withdraw, rollback."
    raise BadData(f"{decision[:40]!r} is not a decision", why, "Give one of them as `decision`.")


def seen_of(request: Request) -> Seen | None:
    """What a request says was seen."""
    given = request.get("seen")
    return None if given is None else Seen.model_validate(given)


def _required(request: Request, name: str) -> Any:
    value = request.get(name)
    if value is None:
        raise WrongUsage(f"statement needs {name!r} for this decision", "It is a member of that verb.", "Give it.")
    return value
