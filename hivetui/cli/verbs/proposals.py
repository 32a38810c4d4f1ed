"""Verbs about proposals and deploys: submit, retry, proposals, show, approve, deny, withdraw, history, rollback."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator
from contextlib import suppress

from hivetui.cli import follow, render
from hivetui.cli.invocation import Invocation, missing_options
from hivetui.cli.json_views import to_json
from hivetui.cli.line_text import line_style, show_diff_line
from hivetui.cli.output import Json
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe


async def submit(invocation: Invocation) -> int:
    """Pin a commit as a proposal."""
    request = invocation.request
    proposal = await invocation.hive.submit(request.name, request.commit, request.message)
    hint = f"Review it: hivetui show {proposal.id} --diff"
    if proposal.uncommitted:
        hint = f"Not committed, so not part of it: {', '.join(map(safe, proposal.uncommitted))}\n{hint}"
    return await _print_proposal(invocation, proposal, hint)


async def retry(invocation: Invocation) -> int:
    """Propose the commit of an ended proposal again, under a new id."""
    proposal = await invocation.hive.repropose(invocation.request.id)
    return await _print_proposal(invocation, proposal, f"Review it: hivetui show {proposal.id} --diff")


async def deny(invocation: Invocation) -> int:
    """Deny a proposal, with a note."""
    return await _print_proposal(invocation, await invocation.hive.deny(invocation.request.id, invocation.request.note))


async def withdraw(invocation: Invocation) -> int:
    """Close a pending proposal without a decision."""
    if invocation.is_interactive:
        proposal = (await invocation.hive.review(invocation.request.id)).proposal
        if proposal.state is ProposalState.PENDING:
            question = f"Withdraw proposal {proposal.id} of {safe(proposal.agent)} ({safe(proposal.title, 60)})?"
            await invocation.confirm("withdraw", question)
    return await _print_proposal(invocation, await invocation.hive.withdraw(invocation.request.id))


async def _print_proposal(invocation: Invocation, proposal: Proposal, hint: str = "") -> int:
    if invocation.out.as_json:
        with suppress(HiveError):  # it is done; without the files they are null
            review = await invocation.hive.review(proposal.id)
            proposal = proposal.model_copy(update={"files": review.files})
        invocation.out.print_json({"proposal": to_json(proposal)})
        return 0
    invocation.out.print_lines(render.proposal(proposal, invocation.now))
    if hint:
        invocation.out.print_message(invocation.out.complete_commands(hint))
    return 0


async def list_proposals(invocation: Invocation) -> int:
    """The pending proposals; with --all, the decided ones too."""
    rows = await invocation.hive.proposals(decided=invocation.request.all, files=invocation.out.as_json)
    if invocation.out.as_json:
        invocation.out.print_json({"proposals": [to_json(row) for row in rows]})
    else:
        invocation.out.print_lines(render.proposals(rows, invocation.now, invocation.out.width))
    return 0


async def history(invocation: Invocation) -> int:
    """Every deploy, newest first."""
    rows = await invocation.hive.history(invocation.request.name)
    if invocation.out.as_json:
        invocation.out.print_json({"history": [to_json(row) for row in rows]})
    else:
        invocation.out.print_lines(render.history(rows, invocation.now, invocation.out.width))
    return 0


async def show(invocation: Invocation) -> int:
    """One proposal and, with --diff, its diff."""
    review = await invocation.hive.review(invocation.request.id)
    if invocation.out.as_json:
        invocation.out.print_json(await _review_json(invocation, review))
        return 0
    invocation.out.print_lines(render.review(review, invocation.now))
    if invocation.request.diff:
        await _print_diff(invocation, review.proposal)
    if review.proposal.state is ProposalState.PENDING:
        decision = f"Decide: {_approval(review.proposal)}, or hivetui deny {review.proposal.id} --note TEXT"
        invocation.out.print_message(invocation.out.complete_commands(decision))
    return 0


def _approval(proposal: Proposal) -> str:
    """The command that approves the proposal that was just shown."""
    if proposal.kind is ProposalKind.SPAWN:
        return f"hivetui approve {proposal.id}"
    return f"hivetui approve {proposal.id} --commit {proposal.commit} --base {proposal.base}"


async def _review_json(invocation: Invocation, review: Review) -> Json:
    fields = to_json(review)
    content: Json = {"proposal": {**fields.pop("proposal"), "files": fields.pop("files")}, "review": fields}
    if invocation.request.diff:
        content["diff"] = "".join([line async for line in _diff_lines(invocation, review.proposal)])
    return content


async def _print_diff(invocation: Invocation, proposal: Proposal) -> None:
    style = line_style(invocation.out.stdout)
    invocation.out.print_line("")
    cut = 0
    async for line in _diff_lines(invocation, proposal):
        shown, hidden = show_diff_line(line.removesuffix("\n"), style)
        invocation.out.print_line(shown)
        cut += hidden > 0
    if cut:
        lines = "1 line is" if cut == 1 else f"{cut} lines are"
        whole = f"{lines} not shown whole. To read all of it: hivetui show {proposal.id} --diff | less"
        invocation.out.print_message(invocation.out.complete_commands(whole))


async def _diff_lines(invocation: Invocation, proposal: Proposal) -> AsyncIterator[str]:
    """The lines of the diff with their line ends; bytes that are not UTF-8 are lone surrogates."""
    if proposal.base is None or proposal.commit is None:
        return
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    partial_line = ""
    async for chunk in invocation.hive.difference(proposal.id, proposal.base):
        *lines, partial_line = (partial_line + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield line + "\n"
    partial_line += decoder.decode(b"", final=True)
    if partial_line:
        yield partial_line


async def approve(invocation: Invocation) -> int:
    """Deploy a proposal: the given commit and base or, on a terminal, those of a review that is shown first."""
    request = invocation.request
    commit, base = request.commit, request.base
    if commit is None or base is None:
        if not invocation.is_interactive:
            why = "They say what was reviewed, and no one can be asked here. hivetui show ID --json prints them."
            raise missing_options("approve", "--commit SHA and --base SHA", why)
        proposal = await _confirm_review(invocation)
        commit, base = proposal.commit, proposal.base
    return await follow.run_operation(invocation, invocation.hive.approve(request.id, commit, base, request.note))


async def _confirm_review(invocation: Invocation) -> Proposal:
    """Show the review with the diff and ask for "yes"; returns the proposal that was shown."""
    review = await invocation.hive.review(invocation.request.id)
    invocation.out.print_lines(render.review(review, invocation.now))
    await _print_diff(invocation, review.proposal)
    invocation.out.print_line("")
    await invocation.require_answer("yes", f"Deploy this to {safe(review.proposal.agent)}? Type yes: ")
    return review.proposal


async def rollback(invocation: Invocation) -> int:
    """Deploy the commit of an earlier deploy again."""
    request = invocation.request
    return await follow.run_operation(invocation, invocation.hive.rollback(request.name, request.to, request.note))
