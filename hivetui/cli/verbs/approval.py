"""The verb approve: with the commit, the base and the findings that were reviewed, or on a terminal after a review."""

from __future__ import annotations

from hivetui.cli import findings_text, follow, render
from hivetui.cli.invocation import Invocation, missing_options
from hivetui.cli.verbs.proposals import print_assessment, print_diff, print_effect
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.text import safe


async def approve(invocation: Invocation) -> int:
    """Deploy a proposal: the given commit and base or, on a terminal, those of a review that is shown first."""
    request = invocation.request
    commit, base, acknowledged = request.commit, request.base, tuple(request.acknowledge)
    shown = request.effect
    if commit is None or base is None:
        if not invocation.is_interactive:
            why = "They say what was reviewed, and no one can be asked here. hivetui show ID --json prints them."
            raise missing_options("approve", "--commit SHA and --base SHA", why)
        effect = await invocation.hive.effect(request.id)
        if shown is None and effect.state is EffectState.KNOWN:
            shown = effect.derivation
        commit, base, acknowledged = await _confirm_review(invocation, effect)
    approval = invocation.hive.approve(
        request.id, commit, base, request.note, acknowledged, shown, restart=request.restart
    )
    return await follow.run_operation(invocation, approval)


async def _confirm_review(invocation: Invocation, effect: Effect) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Show the review and ask: commit and base of what was shown, and the findings that were acknowledged."""
    review = await invocation.hive.review(invocation.request.id)
    proposal = review.proposal
    invocation.out.print_lines(render.review(review, invocation.now))
    assessment = await invocation.hive.findings(proposal.id, proposal.base)
    await print_diff(invocation, proposal)
    print_effect(invocation, proposal, effect)
    print_assessment(invocation, assessment)
    invocation.out.print_line("")
    critical = [finding for finding in assessment.findings if finding.severity is Severity.CRITICAL]
    acknowledged = list(invocation.request.acknowledge)
    if any(finding.severity is Severity.FORBID for finding in assessment.findings):
        return proposal.commit, proposal.base, tuple(acknowledged)  # the engine refuses it, in words that name it
    for number, finding in enumerate(critical, 1):
        if finding.id not in acknowledged:
            invocation.out.print_lines(findings_text.show_finding(finding))
            await invocation.require_answer("yes", f"Acknowledge {number} of {len(critical)}? Type yes: ")
            acknowledged.append(finding.id)
    if critical:
        question = f"Deploy this to {safe(proposal.agent)} in spite of them? Type the agent's name: "
        await invocation.require_answer(proposal.agent, question)
    else:
        await invocation.require_answer("yes", f"Deploy this to {safe(proposal.agent)}? Type yes: ")
    return proposal.commit, proposal.base, tuple(acknowledged)
