"""The verbs about proposals: submit, proposals, show, approve, deny, withdraw, history."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator

from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState, Severity
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe

from . import following, render
from .output import Json
from .session import Session, required
from .shapes import as_json


async def submit(session: Session) -> int:
    """Pin a commit as a proposal."""
    request = session.request
    proposal = await session.hive.submit(request.name, request.commit, request.message)
    return _tell(session, proposal, f"Read it with: hivetui show {proposal.id} --diff")


async def deny(session: Session) -> int:
    """Refuse a proposal, with a note."""
    return _tell(session, await session.hive.deny(session.request.id, session.request.note))


async def withdraw(session: Session) -> int:
    """Take a pending proposal back."""
    return _tell(session, await session.hive.withdraw(session.request.id))


def _tell(session: Session, proposal: Proposal, hint: str = "") -> int:
    if session.out.as_json:
        session.out.put_json({"proposal": as_json(proposal)})
        return 0
    session.out.put_all(render.proposal(proposal, session.now))
    if hint:
        session.out.talk(session.out.hint(hint))
    return 0


async def proposals(session: Session) -> int:
    """What waits; with --all, the decided ones too."""
    found = await session.hive.proposals(decided=session.request.all)
    if session.out.as_json:
        session.out.put_json({"proposals": [as_json(row) for row in found]})
    else:
        session.out.put_all(render.proposals(found, session.now, session.out.width))
    return 0


async def history(session: Session) -> int:
    """Every deploy, newest first."""
    found = await session.hive.history(session.request.name)
    if session.out.as_json:
        session.out.put_json({"history": [as_json(row) for row in found]})
    else:
        session.out.put_all(render.history(found, session.now, session.out.width))
    return 0


async def show(session: Session) -> int:
    """One proposal and, with --diff, its difference."""
    seen = await session.hive.review(session.request.id)
    if session.out.as_json:
        session.out.put_json(await _review_json(session, seen))
        return 0
    session.out.put_all(render.review(seen, session.now))
    if session.request.diff:
        await _put_difference(session, seen.proposal)
    if seen.proposal.state is ProposalState.PENDING:
        denial = f"hivetui deny {seen.proposal.id} --note TEXT"
        session.out.talk(session.out.hint(f"Decide: {_approval(seen.proposal)}, or {denial}"))
    return 0


def _approval(proposal: Proposal) -> str:
    """The command that approves what was just read."""
    if proposal.kind is ProposalKind.SPAWN:
        return f"hivetui approve {proposal.id}"
    return f"hivetui approve {proposal.id} --commit {proposal.commit} --base {proposal.base}"


async def _review_json(session: Session, seen: Review) -> Json:
    whole = as_json(seen)
    content: Json = {"proposal": {**whole.pop("proposal"), "files": whole.pop("files")}, "review": whole}
    if session.request.diff:
        content["diff"] = "".join([line async for line in _difference(session, seen.proposal)])
    return content


async def _put_difference(session: Session, proposal: Proposal) -> None:
    session.out.put("")
    async for line in _difference(session, proposal):
        session.out.put(safe(line.removesuffix("\n"), tab="    "))


async def _difference(session: Session, proposal: Proposal) -> AsyncIterator[str]:
    """The lines of the difference with their ends; bytes that are no UTF-8 escaped."""
    if proposal.base is None or proposal.commit is None:
        return
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    rest = ""
    async for chunk in session.hive.difference(proposal.id, proposal.base):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield line + "\n"
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


async def approve(session: Session) -> int:
    """Deploy a proposal: the commit and the base that were read, or, on a terminal, a review and a question first."""
    request = session.request
    commit, base, acknowledged = request.commit, request.base, tuple(request.acknowledge)
    if commit is None or base is None:
        seen = await _read_or_refuse(session)
        acknowledged += await _ask(session, seen) if session.can_ask else ()
        commit, base = seen.proposal.commit, seen.proposal.base
    begun = session.hive.approve(request.id, commit, base, request.note, tuple(dict.fromkeys(acknowledged)))
    return await following.one(session, begun)


async def _read_or_refuse(session: Session) -> Review:
    if not session.can_ask:
        raise required(
            "approve",
            "--commit SHA and --base SHA",
            "They say what was read, and nobody can be asked here; hivetui show ID --json has them.",
        )
    seen = await session.hive.review(session.request.id)
    session.out.put_all(render.review(seen, session.now))
    await _put_difference(session, seen.proposal)
    return seen


async def _ask(session: Session, seen: Review) -> tuple[str, ...]:
    """Ask for "yes", or for the agent's name where a finding is critical; the rules of those findings."""
    critical = tuple(row.rule for row in seen.proposal.findings if row.severity is Severity.CRITICAL)
    session.out.put("")
    if not critical:
        await session.ask_for("yes", f"Deploy this to {safe(seen.proposal.agent)}? Type yes: ")
        return ()
    question = f"Critical findings: {', '.join(critical)}. To deploy all the same, type the agent's name: "
    await session.ask_for(seen.proposal.agent, question)
    return critical
