"""The verbs that have one answer, carried out on a hive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from hivetui.engine.api import Hive
from hivetui.engine.git.commands import is_hash
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import HiveError, WrongUsage
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.queue import with_place
from hivetui.engine.model.records import GivenSignatures, Seen
from hivetui.wire import errors
from hivetui.wire.frames import Json
from hivetui.wire.values import notes_from_json, notes_to_json, show_json, to_json
from hivetui.wire.verbs import Request

Answer = Callable[[Hive, Request], Awaitable[Json]]


async def answer(hive: Hive, request: Request) -> Json:
    """The members of the answer; the errors of `Hive`, and WrongUsage for members that do not go together."""
    return await ANSWERS[request.verb.name](hive, request)


async def _agents(hive: Hive, request: Request) -> Json:
    return {"agents": [to_json(row) for row in await hive.agents()]}


async def _agent(hive: Hive, request: Request) -> Json:
    detail = to_json(await hive.agent(request.members["name"]))
    return {"detail": detail}


async def _advice(hive: Hive, request: Request) -> Json:
    return {"advice": to_json(await hive.spawn_advice(request.members["name"]))}


async def _proposals(hive: Hive, request: Request) -> Json:
    found = await hive.proposals(
        decided=request.get("all", False),
        agent=request.get("agent"),
        files=request.get("files", False),
        findings=request.get("findings", False),
    )
    return {"proposals": [to_json(row) for row in found]}


async def _queue(hive: Hive, request: Request) -> Json:
    return {"queue": [to_json(row) for row in await hive.queue()]}


async def _show(hive: Hive, request: Request) -> Json:
    review = await hive.review(request.members["proposal"], request.get("base"))
    placed = with_place(review.proposal, await hive.queue())
    review = review.model_copy(update={"proposal": placed})
    effect = await hive.effect(review.proposal.id)
    try:
        return show_json(review, await hive.findings(review.proposal.id, request.get("base")), effect)
    except HiveError:
        return show_json(review, None, effect)


async def _review(hive: Hive, request: Request) -> Json:
    return {"review": to_json(await hive.review(request.members["proposal"], request.get("base")))}


async def _findings(hive: Hive, request: Request) -> Json:
    return {"assessment": to_json(await hive.findings(request.members["proposal"], request.get("base")))}


async def _effect(hive: Hive, request: Request) -> Json:
    return {"effect": to_json(await hive.effect(request.members["proposal"]))}


async def _preview(hive: Hive, request: Request) -> Json:
    return {"operation": to_json(await hive.preview(request.members["proposal"]))}


async def _viewed(hive: Hive, request: Request) -> Json:
    return {"viewed": sorted(await hive.viewed_marks(request.members["name"]))}


async def _mark(hive: Hive, request: Request) -> Json:
    await hive.mark_viewed(request.members["name"], request.members["mark"], request.members["viewed"])
    return {}


async def _history(hive: Hive, request: Request) -> Json:
    return {"history": [to_json(row) for row in await hive.history(request.get("name"))]}


async def _operations(hive: Hive, request: Request) -> Json:
    return {"operations": [to_json(row) for row in await hive.operations(ended=request.get("all", False))]}


async def _warnings(hive: Hive, request: Request) -> Json:
    return {"warnings": [to_json(row) for row in await hive.warnings()]}


async def _rules(hive: Hive, request: Request) -> Json:
    wanted = request.get("rule")
    return {"rules": [to_json(rule) for rule in await hive.rules() if wanted in (None, rule.id)]}


async def _verify(hive: Hive, request: Request) -> Json:
    return {"verify": to_json(await hive.verify(request.get("name"), request.get("signers")))}


async def _doctor(hive: Hive, request: Request) -> Json:
    return {"checks": [to_json(row) for row in await hive.doctor()]}


async def _submit(hive: Hive, request: Request) -> Json:
    proposal = await hive.submit(request.members["name"], request.get("commit"), request.get("message", ""))
    return {"proposal": to_json(proposal)}


async def _retry(hive: Hive, request: Request) -> Json:
    return {"proposal": to_json(await hive.repropose(request.members["proposal"]))}


async def _request_spawn(hive: Hive, request: Request) -> Json:
    proposal = await hive.request_spawn(request.members["name"], request.get("message", ""))
    return {"proposal": to_json(proposal)}


async def _approve(hive: Hive, request: Request) -> Json:
    seen = request.get("seen")
    operation = await hive.approve(
        request.members["proposal"],
        request.get("commit"),
        request.get("base"),
        request.get("note", ""),
        request.get("acknowledge", ()),
        request.get("effect"),
        None if seen is None else Seen.model_validate(seen),
        request.get("restart", False),
    )
    return {"operation": to_json(operation)}


async def _deny(hive: Hive, request: Request) -> Json:
    lines = notes_from_json(request.get("lines", ()))
    return {"proposal": to_json(await hive.deny(request.members["proposal"], request.members["note"], lines))}


async def _notes(hive: Hive, request: Request) -> Json:
    return {"lines": notes_to_json(await hive.notes(request.members["proposal"]))}


async def _keep_notes(hive: Hive, request: Request) -> Json:
    kept = await hive.keep_notes(request.members["proposal"], notes_from_json(request.members["lines"]))
    return {"lines": notes_to_json(kept)}


async def _withdraw(hive: Hive, request: Request) -> Json:
    return {"proposal": to_json(await hive.withdraw(request.members["proposal"]))}


async def _rollback(hive: Hive, request: Request) -> Json:
    members = request.members
    return {"operation": to_json(await hive.rollback(members["name"], members["to"], members["note"]))}


async def _spawn(hive: Hive, request: Request) -> Json:
    return {"operation": to_json(await hive.begin(OperationKind.SPAWN, request.members["name"]))}


async def _change(hive: Hive, request: Request) -> Json:
    """Start, stop, restart or rebuild one agent, several, or all."""
    kind, wait = OperationKind(request.verb.name), request.get("wait", False)
    given = [key for key in ("name", "names", "all") if request.get(key)]
    if len(given) != 1:
        keys = "name, names or all" if kind is OperationKind.REBUILD else "name or names"
        raise WrongUsage(f"{kind.value} needs {keys}", "One of them says which agents.", "Give exactly one.")
    if given == ["name"]:
        return {"operation": to_json(await hive.begin(kind, request.members["name"], wait))}
    return await _begin_each(hive, kind, request.get("names") or await _deployed_agents(hive), wait)


async def _begin_each(hive: Hive, kind: OperationKind, agents: tuple[str, ...], wait: bool) -> Json:
    """A refusal for one agent does not stop the others; a name that cannot be one stops all before anything begins."""
    begun, refused = [], []
    for name in dict.fromkeys(map(names.check, agents)):
        try:
            begun.append(to_json(await hive.begin(kind, name, wait)))
        except HiveError as error:
            refused.append({"agent": name, **errors.to_json(error)})
    return {"operations": begun, **({"errors": refused} if refused else {})}


async def _deployed_agents(hive: Hive) -> tuple[str, ...]:
    agents = await hive.agents()
    return tuple(one.name for one in agents if one.state is not AgentState.KEPT and one.deployed is not None)


async def _destroy(hive: Hive, request: Request) -> Json:
    name = request.members["name"]
    if not request.get("purge", False):
        return {"operation": to_json(await hive.begin(OperationKind.DESTROY, name))}
    if request.get("confirm") != name:
        why = "It cannot be undone, so `confirm` must be the name of the agent."
        raise WrongUsage("The purge is not confirmed", why, f"Give confirm: {name[:40]!r}.")
    return {"operation": to_json(await hive.begin(OperationKind.PURGE, name))}


async def _cancel(hive: Hive, request: Request) -> Json:
    await hive.cancel(request.members["operation"])
    return {"operation": to_json(await hive.operation(request.members["operation"]))}


async def _update_base(hive: Hive, request: Request) -> Json:
    return {"base": to_json(await hive.update_base(request.get("to")))}


async def _repair(hive: Hive, request: Request) -> Json:
    repairs = await hive.repair(request.get("name"), request.get("dry_run", False))
    return {"repairs": [to_json(row) for row in repairs]}


ANSWERS: dict[str, Answer] = {
    "agents": _agents,
    "agent": _agent,
    "advice": _advice,
    "proposals": _proposals,
    "show": _show,
    "queue": _queue,
    "review": _review,
    "findings": _findings,
    "effect": _effect,
    "preview": _preview,
    "viewed": _viewed,
    "mark": _mark,
    "history": _history,
    "operations": _operations,
    "warnings": _warnings,
    "rules": _rules,
    "verify": _verify,
    "doctor": _doctor,
    "submit": _submit,
    "retry": _retry,
    "request-spawn": _request_spawn,
    "approve": _approve,
    "deny": _deny,
    "notes": _notes,
    "keep-notes": _keep_notes,
    "withdraw": _withdraw,
    "rollback": _rollback,
    "spawn": _spawn,
    "start": _change,
    "stop": _change,
    "restart": _change,
    "rebuild": _change,
    "destroy": _destroy,
    "cancel": _cancel,
    "update-base": _update_base,
    "repair": _repair,
}
"""Every verb with one answer, except those that are about the connection itself."""

_REPEATABLE = ("mark", "keep-notes", "repair", "cancel", "update-base")
_SEVERAL = ("names", "all")
_DECIDED = {"deny": ProposalState.DENIED, "withdraw": ProposalState.WITHDRAWN}


@dataclass(frozen=True)
class DoneSearch:
    """Finds in the hive what a request of an operator led to, after an engine was killed while it carried it out."""

    hive: Hive
    request: Request
    operator: str

    @property
    def can_tell(self) -> bool:
        """Whether the hive shows if it was carried out.

        It does not for what may be done again, since that does no more than once, and for operations on several
        agents, of which each refuses a second one while it is at work.
        """
        is_repeatable = self.request.verb.name in _REPEATABLE
        return not is_repeatable and not any(self.request.get(key) for key in _SEVERAL)

    async def find(self, begun_at: datetime) -> Json | None:
        """The answer that it would have had; None if it was not carried out, or that is not known."""
        if not self.can_tell:
            return None
        verb, second = self.request.verb.name, begun_at.replace(microsecond=0)  # the times of tags are in seconds
        if verb in _DECIDED or verb == "approve":
            return await self._find_decision(begun_at, second)
        if verb in ("submit", "retry", "request-spawn"):
            return await self._find_proposal(second)
        return await self._find_operation(begun_at, self._is_of_kind)

    def _is_of_kind(self, operation: Operation) -> bool:
        return operation.kind.value == self._kind and self.request.get("proposal") in (None, operation.proposal)

    @property
    def _kind(self) -> str:
        is_purge = self.request.verb.name == "destroy" and self.request.get("purge", False)
        return "purge" if is_purge else self.request.verb.name

    async def _find_decision(self, begun_at: datetime, second: datetime) -> Json | None:
        number = self.request.members["proposal"]
        proposal = (await self.hive.review(number)).proposal
        signed = self.request.get("signed")  # what was signed has the time at which it was prepared
        since = second if signed is None else GivenSignatures.model_validate(signed).at.replace(microsecond=0)
        if proposal.decided_by != self.operator or proposal.decided_at is None or proposal.decided_at < since:
            return None
        if self.request.verb.name != "approve":
            is_ours = proposal.state is _DECIDED[self.request.verb.name]
            return {"proposal": to_json(proposal)} if is_ours else None
        return await self._find_operation(
            begun_at, lambda one: one.proposal == number and one.kind is not OperationKind.PREVIEW
        )

    async def _find_proposal(self, second: datetime) -> Json | None:
        found = await self.hive.proposals(decided=True, agent=self.request.get("name"))
        proposal = next((one for one in found if self._is_wanted(one, second)), None)
        return None if proposal is None else {"proposal": to_json(proposal)}

    def _is_wanted(self, proposal: Proposal, second: datetime) -> bool:
        is_ours = proposal.submitted_by == self.operator and proposal.submitted_at >= second
        is_other_commit = proposal.commit != (named := self.request.get("commit", "").lower()) and is_hash(named)
        return is_ours and not is_other_commit and proposal.retry_of == self.request.get("proposal")

    async def _find_operation(self, begun_at: datetime, is_wanted: Callable[[Operation], bool]) -> Json | None:
        agent = self.request.get("name")
        for one in await self.hive.operations(ended=True):
            is_ours = one.operator == self.operator and one.started_at >= begun_at and agent in (None, one.agent)
            if is_ours and is_wanted(one):
                return {"operation": to_json(one)}
        return None
