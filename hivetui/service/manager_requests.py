"""What the manager may ask through its door: to propose a change or an agent, withdraw it, and see what became of it.

It decides nothing and starts nothing; whatever comes through its socket was asked by the manager.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from hivetui.engine.hive import LocalHive
from hivetui.engine.model import names
from hivetui.engine.model.errors import BadData, HiveError, NotAllowed, WrongUsage
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import Proposal
from hivetui.wire import frames
from hivetui.wire.frames import Json
from hivetui.wire.values import notes_to_json
from hivetui.wire.verbs import MAX_ID

MANAGER = Operator(name=names.MANAGER, uid=None, source="manager")
_MAX_TEXT = 16 << 10


async def answer_line(hive: LocalHive, line: bytes) -> Json:
    """The answer to one line of the manager; an expected failure is an answer too."""
    try:
        frame = frames.decode(line)
        command = frame.get("cmd")
        if not isinstance(command, str) or command not in COMMANDS:
            raise WrongUsage(f"{repr(command)[:60]} is not a request", f"Known: {', '.join(COMMANDS)}.", "")
        return {"ok": True, **await COMMANDS[command](hive, frame)}
    except HiveError as error:
        return {"ok": False, "error": "\n".join(filter(None, (error.what, error.why)))}


async def _request_apply_commit(hive: LocalHive, frame: Json) -> Json:
    agent, commit = _text(frame, "agent"), _text(frame, "commit_ref", "") or None
    proposal = await hive.submit(agent, commit, _text(frame, "description", ""))
    return {"id": proposal.id, "uncommitted": list(proposal.uncommitted or ())}


async def _request_spawn(hive: LocalHive, frame: Json) -> Json:
    return {"id": (await hive.request_spawn(_text(frame, "name"), _text(frame, "description", ""))).id}


async def _withdraw(hive: LocalHive, frame: Json) -> Json:
    number = frame.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_ID:
        raise BadData("id is not that of a proposal", f"It is {repr(number)[:60]}.", "")
    if (await hive.review(number)).proposal.submitted_by != names.MANAGER:
        raise NotAllowed(f"Proposal {number} is not the manager's", "An operator submitted it.", "")
    await hive.withdraw(number)
    return {"id": number}


async def _status(hive: LocalHive, frame: Json) -> Json:
    proposals = await hive.proposals(decided=True)
    return {
        "agents": [{"name": agent.name, "state": agent.state.value} for agent in await hive.agents()],
        "proposals": [_status_row(one) for one in proposals if one.submitted_by == names.MANAGER],
    }


def _status_row(proposal: Proposal) -> Json:
    return {
        "id": proposal.id,
        "kind": proposal.kind.value,
        "agent": proposal.agent,
        "state": proposal.state.value,
        "commit": proposal.commit,
        "title": proposal.title,
        "note": proposal.note or None,
        "error": proposal.error or None,
        "lines": notes_to_json(proposal.lines),
    }


def _text(frame: Json, key: str, default: str | None = None) -> str:
    value = frame.get(key, default)
    if not isinstance(value, str):
        raise BadData(f"{key!r} is missing or not a text", f"It is {repr(value)[:60]}.", "")
    if len(value) > _MAX_TEXT:
        raise BadData(f"{key!r} is too long", f"It has more than {_MAX_TEXT} characters.", "")
    return value


COMMANDS: dict[str, Callable[[LocalHive, Json], Coroutine[Any, Any, Json]]] = {
    "request_apply_commit": _request_apply_commit,
    "request_spawn": _request_spawn,
    "withdraw": _withdraw,
    "status": _status,
}
"""Every request of the manager, by name."""
