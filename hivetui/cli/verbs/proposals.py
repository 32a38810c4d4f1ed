"""Verbs about proposals and deploys: submit, retry, proposals, show, deny, withdraw, rollback."""

from __future__ import annotations

import codecs
import json
import shlex
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from hivetui.cli import findings_text, follow, render
from hivetui.cli.invocation import Invocation
from hivetui.cli.line_text import PLAIN, LineStyle, line_style, show_diff_line
from hivetui.engine.model.effect import Effect
from hivetui.engine.model.errors import BadConfiguration, BadData, HiveError
from hivetui.engine.model.findings import Assessment, Severity
from hivetui.engine.model.notes import GivenNote, LineNote
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.queue import with_place
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe
from hivetui.widgets.diff.index import DiffIndex
from hivetui.widgets.effect.lines import describe_effect
from hivetui.wire.frames import Json
from hivetui.wire.values import show_json, to_json


async def submit(invocation: Invocation) -> int:
    """Pin a commit as a proposal."""
    request = invocation.request
    proposal = await invocation.hive.submit(request.name, request.commit, request.message)
    hint = f"Review it: hivetui show {proposal.id} --diff"
    if proposal.uncommitted:
        hint = f"Not committed on main, so not part of it: {', '.join(map(safe, proposal.uncommitted))}\n{hint}"
    return await _print_proposal(invocation, proposal, hint)


async def request_spawn(invocation: Invocation) -> int:
    """Propose to spawn an agent."""
    request = invocation.request
    proposal = await invocation.hive.request_spawn(request.name, request.message)
    return await _print_proposal(invocation, proposal, f"Decide: hivetui approve {proposal.id}")


async def retry(invocation: Invocation) -> int:
    """Propose the commit of an ended proposal again, under a new id."""
    proposal = await invocation.hive.repropose(invocation.request.id)
    return await _print_proposal(invocation, proposal, f"Review it: hivetui show {proposal.id} --diff")


async def deny(invocation: Invocation) -> int:
    """Deny a proposal, with a note, and with notes on lines."""
    request = invocation.request
    lines, note = tuple(map(_read_note, request.line)), request.note
    if note is None:
        proposal = (await invocation.hive.review(request.id)).proposal
        before = proposal.denied_before
        again = f", which was denied before as {before.id}: {safe(before.note, 60)}" if before is not None else ""
        question = f"Deny proposal {proposal.id} of {safe(proposal.agent)} ({safe(proposal.title, 60)}){again}?"
        note = await invocation.ask_reason(question)
    return await _print_proposal(invocation, await invocation.hive.deny(request.id, note, lines))


def _read_note(given: str) -> GivenNote:
    """A note on lines: a JSON object, or a text that the engine reads, which knows the files."""
    if not given.startswith("{"):
        return given
    try:
        return LineNote.model_validate(json.loads(given))
    except ValueError as error:
        why = "It has file, from and text, and may have side (new) and to (from)."
        raise BadData(
            f"{safe(given, 80)!r} is not a note on a line", why, "Or use: FILE:SIDE:FROM[-TO]:TEXT"
        ) from error


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
        with suppress(HiveError):  # it is done; without files and findings they are null
            review = await invocation.hive.review(proposal.id)
            proposal = proposal.model_copy(update={"files": review.files})
            proposal = with_place(proposal, await invocation.hive.queue())
            assessment = await invocation.hive.findings(proposal.id)
            effect = await invocation.hive.effect(proposal.id)
            proposal = proposal.model_copy(update={"findings": assessment.findings, "effect": effect})
        invocation.out.print_json({"proposal": to_json(proposal)})
        return 0
    invocation.out.print_lines(render.proposal(proposal, invocation.now))
    if hint:
        invocation.out.print_message(invocation.out.complete_commands(hint))
    return 0


async def list_proposals(invocation: Invocation) -> int:
    """The pending proposals; with --all, the decided ones too."""
    request, as_json = invocation.request, invocation.out.as_json
    rows = await invocation.hive.proposals(decided=request.all, files=as_json, findings=True)
    if invocation.out.as_json:
        invocation.out.print_json({"proposals": [to_json(row) for row in rows]})
    else:
        none = "No proposals yet." if request.all else "No pending proposals; --all lists those that were decided."
        invocation.out.print_lines(render.proposals(rows, invocation.now, invocation.out.width) or [none])
    return 0


async def show(invocation: Invocation) -> int:
    """One proposal and, with --diff, its diff; with --against, compared with another base."""
    against = invocation.request.against
    review = await invocation.hive.review(invocation.request.id, against)
    placed = with_place(review.proposal, await invocation.hive.queue())
    review = review.model_copy(update={"proposal": placed})
    assessment = await assess(invocation)
    effect = await invocation.hive.effect(invocation.request.id)
    if invocation.out.as_json:
        invocation.out.print_json(await _review_json(invocation, review, assessment, effect))
        return 0
    cut = _print_cut(invocation, render.review(review, invocation.now))
    print_assessment(invocation, assessment)
    print_effect(invocation, review.proposal, effect)
    if invocation.request.diff:
        cut += await print_diff(invocation, review.proposal)
    if cut:
        _print_way_to_whole(invocation, cut)
    if review.previous is not None and against is None:
        command = f"hivetui show {review.proposal.id} --diff --against denied/{review.previous.id}"
        invocation.out.print_message(invocation.out.complete_commands(f"What changed since the denial: {command}"))
    if review.proposal.state is ProposalState.PENDING and against is None:  # an approval is of what would change now
        decision = f"Decide: {_approval(review.proposal, assessment)}, or hivetui deny {review.proposal.id} --note TEXT"
        invocation.out.print_message(invocation.out.complete_commands(decision))
    return 0


async def assess(invocation: Invocation) -> Assessment | HiveError:
    """The findings of the proposal, or why they could not be computed: the rest of a review is shown all the same."""
    try:
        return await invocation.hive.findings(invocation.request.id, invocation.request.against)
    except BadConfiguration:
        raise
    except HiveError as error:
        return error


def print_assessment(invocation: Invocation, assessment: Assessment | HiveError, is_whole: bool = False) -> None:
    """Print the findings, or why there are none; their evidence is cut if it is long, unless `is_whole`."""
    if isinstance(assessment, HiveError):
        why = safe(f"{assessment.what}: {assessment.reason}")
        invocation.out.print_lines(["", f"!! FINDINGS ARE NOT KNOWN: {why}"])
    else:
        invocation.out.print_lines(findings_text.show_assessment(assessment, is_whole))


def print_effect(invocation: Invocation, proposal: Proposal, effect: Effect) -> None:
    """Print what is known of the effect."""
    if proposal.kind is not ProposalKind.SPAWN:
        advice = f"find out with: hivetui preview {proposal.id}" if proposal.state is ProposalState.PENDING else ""
        lines = ["", *(line.text for line in describe_effect(effect, advice))]
        invocation.out.print_lines(map(invocation.out.complete_commands, lines))


def _approval(proposal: Proposal, assessment: Assessment | HiveError) -> str:
    """The command that approves the proposal that was just shown; what was read of its findings is for a person."""
    if proposal.kind is ProposalKind.SPAWN:
        return f"hivetui approve {proposal.id}"
    command = f"hivetui approve {proposal.id} --commit {proposal.commit} --base {proposal.base}"
    findings = assessment.findings if isinstance(assessment, Assessment) else ()
    is_critical = any(finding.severity is Severity.CRITICAL for finding in findings)
    return f"{command} --acknowledge ID for each critical finding" if is_critical else command


async def _review_json(
    invocation: Invocation, review: Review, assessment: Assessment | HiveError, effect: Effect
) -> Json:
    content = show_json(review, assessment if isinstance(assessment, Assessment) else None, effect)
    if invocation.request.diff:
        content["diff"] = "".join([line async for line in _diff_lines(invocation, review.proposal)])
    return content


def _print_cut(invocation: Invocation, lines: Iterable[str]) -> int:
    """Print lines, on a terminal not all of very long ones; how many are cut."""
    style = line_style(invocation.out.stdout)
    return sum(_print_line(invocation, line, style) for line in lines)


def _print_line(invocation: Invocation, line: str, style: LineStyle) -> bool:
    """Print a line; whether it is cut."""
    shown, hidden = show_diff_line(line, style)
    invocation.out.print_line(shown)
    return hidden > 0


def _print_way_to_whole(invocation: Invocation, cut: int) -> None:
    """Say how many lines are cut, and how to read all of them."""
    lines = "1 line is" if cut == 1 else f"{cut} lines are"
    request = invocation.request
    against = f" --against {shlex.quote(request.against)}" if getattr(request, "against", None) else ""
    command = f"hivetui show {request.id}{' --diff' if request.diff else ''}{against} | less"
    whole = f"{lines} not shown whole. To read all of it: {command}"
    invocation.out.print_message(invocation.out.complete_commands(whole))


async def print_diff(invocation: Invocation, proposal: Proposal, printed: DiffIndex | None = None) -> int:
    """Print the diff; on a terminal long lines are cut. How many are.

    With `printed` none is cut, and it takes the diff.
    """
    style = line_style(invocation.out.stdout) if printed is None else PLAIN
    invocation.out.print_line("")
    cut = 0
    async for line in _diff_lines(invocation, proposal):
        cut += _print_line(invocation, line.removesuffix("\n"), style)
        if printed is not None:
            printed.feed(line.encode("utf-8", "surrogateescape"))
    return cut


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


async def rollback(invocation: Invocation) -> int:
    """Deploy the commit of an earlier deploy again."""
    request = invocation.request
    name, note = request.name, request.note
    if note is None:
        await invocation.hive.agent(name)  # an unknown name is reported before anything has to be typed
        note = await invocation.ask_reason(f"Roll back {name} to #{request.to}?")
    return await follow.run_operation(invocation, invocation.hive.rollback(name, request.to, note))
