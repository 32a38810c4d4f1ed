"""The host socket of hyperhive, wire version 1: its requests, answered in order, one at a time.

Unknown members of a request are ignored, as hyperhive does; an empty scope is refused, because hyperhive takes it for
every agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any, cast

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.errors import BadData, HiveError, NotAllowed, OperationFailed, WrongUsage
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.state import StateUpdate
from hivetui.service.clients import Client
from hivetui.service.hive_service import HiveService
from hivetui.wire.frames import Json
from hivetui.wire.verbs import MAX_ID, VERBS, Verb

VERSION = 1
NO_NOTE = "(no note)"
"""The note of a denial that came without one."""
_MAX_WAITING = 32
_STATUSES = {
    ProposalState.PENDING: "pending",
    ProposalState.APPROVED: "approved",
    ProposalState.BUILDING: "approved",
    ProposalState.DEPLOYED: "approved",
    ProposalState.FAILED: "failed",
    ProposalState.DENIED: "denied",
    ProposalState.WITHDRAWN: "cancelled",
}
Send = Callable[[Json], Awaitable[None]]


class Conversation:
    """The requests of hyperhive on one connection; a subscribed one goes on answering."""

    def __init__(self, service: HiveService, find_client: Callable[[], Client], send: Send) -> None:
        self._service, self._find_client, self._send = service, find_client, send
        self._waiting: asyncio.Queue[Json] = asyncio.Queue(_MAX_WAITING)
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def _hive(self) -> LocalHive:
        return self._service.hive.acting_for(self._find_client().operator)

    async def take(self, frame: Json) -> None:
        """Answer a request after those before it; with many of them waiting, no more is read."""
        if not self.tasks:
            self.tasks.append(asyncio.create_task(self._answer_all()))
        await self._waiting.put(frame)

    async def _answer_all(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            while True:
                await self._answer(await self._waiting.get())

    async def _answer(self, frame: Json) -> None:
        try:
            command = frame["cmd"]
            if not isinstance(command, str) or command not in COMMANDS:
                raise WrongUsage(f"unknown cmd {repr(command)[:60]}", f"Known: {', '.join(COMMANDS)}.", "")
            verb, carry_out = COMMANDS[command]
            self._find_client().require(verb)
            answer = await self._carry_out(verb, carry_out(self._hive, frame))
        except HiveError as error:
            await self._refuse(error)
        except Exception as bug:  # noqa: BLE001  (one request must not end the engine)
            await self._refuse(self._service.log_bug(bug))
        else:
            await self._send({"version": VERSION, "ok": True, **answer})
            if command == "subscribe_agent_status" and len(self.tasks) == 1:
                self.tasks.append(asyncio.create_task(self._report_changes()))

    async def _carry_out(self, verb: Verb, act: Coroutine[Any, Any, Json]) -> Json:
        return await (self._service.finish(act) if verb.acts else act)

    async def _refuse(self, error: HiveError) -> None:
        text = ": ".join(filter(None, (error.what, error.why)))
        await self._send({"version": VERSION, "ok": False, "error": text})

    async def _report_changes(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            async with aclosing(self._hive.watch()) as updates:
                async for update in updates:
                    for row in _changed_rows(update):
                        await self._send({"version": VERSION, "ok": True, "agent_statuses": [row]})


def _changed_rows(update: StateUpdate) -> list[Json]:
    return [] if update.change is None else [_status_row(agent) for agent in update.change.agents]


async def _list(hive: LocalHive, frame: Json) -> Json:
    return {"agents": [agent.name for agent in await hive.agents()]}


async def _agent_status(hive: LocalHive, frame: Json) -> Json:
    return {"agent_statuses": [_status_row(agent) for agent in await hive.agents()]}


async def _subscribe(hive: LocalHive, frame: Json) -> Json:
    return {}


def _status_row(agent: Agent) -> Json:
    return {
        "name": agent.name,
        "running": agent.state is AgentState.RUNNING,
        "failed": agent.state is AgentState.FAILED,
        "needs_update": agent.needs_update,
        "needs_login": False,
        "paused": False,
        "parent": None,
        "deployed_sha": agent.deployed_commit[:12] if agent.deployed_commit else None,
        "active_model": None,
        "status_text": None,
        "status_set_at": None,
        "url": None,
    }


async def _pending(hive: LocalHive, frame: Json) -> Json:
    return {"approvals": [_approval_row(proposal) for proposal in await hive.proposals()]}


def _approval_row(proposal: Proposal) -> Json:
    return {
        "id": proposal.id,
        "agent": proposal.agent,
        "kind": "spawn" if proposal.kind is ProposalKind.SPAWN else "merge_config_pr",
        "commit_ref": proposal.commit or "",
        "fetched_sha": proposal.commit,
        "requested_at": _stamp(proposal.submitted_at),
        "status": _STATUSES[proposal.state],
        "resolved_at": _stamp(proposal.decided_at),
        "note": proposal.note,
        "description": proposal.description or proposal.title,
    }


def _stamp(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")


async def _approve(hive: LocalHive, frame: Json) -> Json:
    """Answered when the proposal is claimed."""
    number, commit, base = _id(frame), _optional_text(frame, "commit"), _optional_text(frame, "base")
    if commit is None or base is None:
        commit, base = await _unbound(hive, number)
    await hive.approve(number, commit, base, _optional_text(frame, "note") or "")
    return {}


async def _unbound(hive: LocalHive, number: int) -> tuple[str | None, str | None]:
    """Commit and base of an approval that names neither, where a setting or the kind of the proposal allows it."""
    proposal = (await hive.review(number)).proposal
    if proposal.kind is ProposalKind.DEPLOY and not hive.host.settings.socket.unbound_approve:
        why = "An approval binds what was read."
        raise NotAllowed("approve needs commit and base", why, "Send both, or set socket.unbound_approve.")
    return proposal.commit, proposal.base


async def _deny(hive: LocalHive, frame: Json) -> Json:
    await hive.deny(_id(frame), (_optional_text(frame, "note") or "").strip() or NO_NOTE)
    return {}


async def _start(hive: LocalHive, frame: Json) -> Json:
    return await _run_each(hive, OperationKind.START, _scope(frame))


async def _stop(hive: LocalHive, frame: Json) -> Json:
    return await _run_each(hive, OperationKind.STOP, _scope(frame))


async def _restart(hive: LocalHive, frame: Json) -> Json:
    name = _optional_text(frame, "name")
    if not name:
        raise BadData("restart needs a name", "It names one agent.", "")
    return await _run_each(hive, OperationKind.RESTART, [name])


async def _run_each(hive: LocalHive, kind: OperationKind, agents: list[str]) -> Json:
    """Answered when it is done for all of them."""
    ended = [await _run_to_end(hive, kind, name) for name in agents]
    failed = [one for one in ended if one.state is not OperationState.SUCCEEDED]
    if failed:
        raise OperationFailed(f"{kind.value} of {failed[0].agent} {failed[0].state.value}", failed[0].error or "", "")
    return {}


async def _run_to_end(hive: LocalHive, kind: OperationKind, name: str) -> Operation:
    operation = await hive.begin(kind, name, wait=True)
    async with aclosing(hive.follow(operation.id)) as entries:
        async for _ in entries:
            pass
    return await hive.operation(operation.id)


async def _urls(hive: LocalHive, frame: Json) -> Json:
    return {"urls": {"domain": None, "home": None, "forge": None}}


def _id(frame: Json) -> int:
    number = frame.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_ID:
        raise BadData("id is not that of a proposal", f"It is {repr(number)[:60]}.", "")
    return number


def _optional_text(frame: Json, key: str) -> str | None:
    value = frame.get(key)
    if value is not None and not isinstance(value, str):
        raise BadData(f"{key} is not a text", f"It is {repr(value)[:60]}.", "")
    return value


def _scope(frame: Json) -> list[str]:
    scope: Any = frame.get("scope")
    agents = scope.get("agent_names") if isinstance(scope, dict) else None
    if not isinstance(agents, list) or not agents or not all(isinstance(name, str) for name in agents):
        raise BadData("The scope names no agent", "An empty one would mean every agent.", "")
    return cast("list[str]", agents)


COMMANDS: dict[str, tuple[Verb, Callable[[LocalHive, Json], Coroutine[Any, Any, Json]]]] = {
    "list": (VERBS["agents"], _list),
    "agent_status": (VERBS["agents"], _agent_status),
    "subscribe_agent_status": (VERBS["watch"], _subscribe),
    "pending": (VERBS["proposals"], _pending),
    "approve": (VERBS["approve"], _approve),
    "deny": (VERBS["deny"], _deny),
    "start": (VERBS["start"], _start),
    "stop": (VERBS["stop"], _stop),
    "restart": (VERBS["restart"], _restart),
    "urls": (VERBS["agents"], _urls),
}
"""Each request of hyperhive, with the verb of ours that a client must be allowed to use for it."""
