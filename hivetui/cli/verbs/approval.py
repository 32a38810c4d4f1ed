"""The verb approve: with the commit, the base and the findings that were reviewed, or on a terminal after a review."""

from __future__ import annotations

from typing import NamedTuple

from hivetui.cli import findings_text, follow, render
from hivetui.cli.invocation import Invocation, missing_options
from hivetui.cli.verbs.proposals import print_assessment, print_diff, print_effect
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.proposals import ProposalKind
from hivetui.engine.model.records import Seen
from hivetui.engine.model.review import Review
from hivetui.engine.model.text import safe
from hivetui.screens.review.seen import CONTEXT, find_seen
from hivetui.widgets.diff.index import DiffIndex


class Reviewed(NamedTuple):
    """What an approval is bound to: commit and base, the findings that were acknowledged, and what was seen."""

    commit: str | None
    base: str | None
    acknowledged: tuple[str, ...]
    seen: Seen | None = None


async def approve(invocation: Invocation) -> int:
    """Deploy a proposal: the given commit and base or, on a terminal, those of a review that is shown first."""
    request = invocation.request
    reviewed = Reviewed(request.commit, request.base, tuple(request.acknowledge))
    shown = request.effect
    if request.commit is None or request.base is None:
        if not invocation.is_interactive:
            why = "They say what was reviewed, and no one can be asked here. hivetui show ID --json prints them."
            raise missing_options("approve", "--commit SHA and --base SHA", why)
        effect = await invocation.hive.effect(request.id)
        if shown is None and effect.state is EffectState.KNOWN:
            shown = effect.derivation
        reviewed = await _confirm_review(invocation, effect)
    commit, base, acknowledged, seen = reviewed
    approval = invocation.hive.approve(
        request.id, commit, base, request.note, acknowledged, shown, seen, request.restart
    )
    return await follow.run_operation(invocation, approval)


async def _confirm_review(invocation: Invocation, effect: Effect) -> Reviewed:
    """Show the review, nothing of it cut, and ask: what was shown, and the findings that were acknowledged."""
    review = await invocation.hive.review(invocation.request.id)
    proposal = review.proposal
    invocation.out.print_lines([*render.review(review, invocation.now), *render.other_messages(review)])
    assessment = await invocation.hive.findings(proposal.id, proposal.base)
    seen = await _print_diff(invocation, review)
    print_effect(invocation, proposal, effect)
    print_assessment(invocation, assessment, is_whole=True)
    invocation.out.print_line("")
    critical = [finding for finding in assessment.findings if finding.severity is Severity.CRITICAL]
    acknowledged = list(invocation.request.acknowledge)
    if any(finding.severity is Severity.FORBID for finding in assessment.findings):
        return Reviewed(
            proposal.commit, proposal.base, tuple(acknowledged), seen
        )  # the engine refuses it, and says why
    for number, finding in enumerate(critical, 1):
        if finding.id not in acknowledged:
            invocation.out.print_lines(findings_text.show_finding(finding, is_whole=True))
            await invocation.require_answer("yes", f"Acknowledge {number} of {len(critical)}? Type yes: ")
            acknowledged.append(finding.id)
    if critical:
        question = f"Deploy this to {safe(proposal.agent)} in spite of them? Type the agent's name: "
        await invocation.require_answer(proposal.agent, question)
    else:
        await invocation.require_answer("yes", f"Deploy this to {safe(proposal.agent)}? Type yes: ")
    return Reviewed(proposal.commit, proposal.base, tuple(acknowledged), seen)


async def _print_diff(invocation: Invocation, review: Review) -> Seen | None:
    """Print the whole diff: what was seen then; None for a spawn request, which has none."""
    index = DiffIndex()
    await print_diff(invocation, review.proposal, index)
    if review.proposal.kind is ProposalKind.SPAWN:
        return None
    return find_seen(index, review.files, CONTEXT, lambda line: True)
