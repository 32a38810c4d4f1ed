"""What may be decided, what the operator is asked, and the decision itself.

A decision carries exactly the commit and the base of the diff that was on the screen when the question was opened.
Approval needs the complete diff against what runs, with nothing hidden, and everything that is cut read to its end. The
engine checks commit and base again under the agent's lock; when they have moved, nothing is written and the review is
loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from hivetui.console.keymap import current_key
from hivetui.engine.api import Hive
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.errors import TryAgain
from hivetui.engine.model.findings import Severity, format_counts
from hivetui.engine.model.proposals import Proposal, ProposalKind, ProposalState
from hivetui.engine.model.records import Seen
from hivetui.engine.model.review import Review
from hivetui.screens.base import HiveScreen
from hivetui.screens.dialogs.confirm import ConfirmDialog
from hivetui.screens.dialogs.text import NameDialog, NoteDialog
from hivetui.screens.review import notes_text
from hivetui.screens.review.contents import ReviewContents, key_of_base
from hivetui.screens.review.cuts import reading_obstacle
from hivetui.screens.review.seen import find_seen
from hivetui.screens.state_labels import proposal_predicate
from hivetui.widgets import wording
from hivetui.widgets.diff.diff_view import DiffView

T = TypeVar("T")

_LISTED_MISSING_FILES = 3


def decision_obstacle(review: Review) -> str | None:
    """Why the proposal can be neither approved nor denied, or None."""
    proposal = review.proposal
    if proposal.state is not ProposalState.PENDING:
        return f"#{proposal.id} {proposal_predicate(proposal.state)}; it is no longer pending."
    return None


def findings_obstacle(contents: ReviewContents) -> str | None:
    """What the findings demand before an approval, or None."""
    if contents.findings_error is not None:
        return f"The findings are not known: {contents.findings_error}"
    if contents.assessment is None:
        return "The findings are still being looked for."
    forbidden = [one for one in contents.assessment.findings if one.severity is Severity.FORBID]
    if forbidden:
        why = f"{forbidden[0].rule} is forbidden by the configuration; only a change of that lifts it."
        return f"{why} {current_key('review.findings')} shows it."
    if missing := contents.acknowledged.missing(contents.assessment):
        count = wording.format_count(len(missing), "critical finding")
        keys = [current_key(name) for name in ("review.findings", "findings.acknowledge")]
        return "{} not acknowledged, first {}: press {}, then {} on each.".format(count, missing[0].rule, *keys)
    return None


def approval_obstacle(contents: ReviewContents, review: Review, diff: DiffView) -> str | None:
    """Why what is on the screen is not the complete effect of an approval, or None."""
    if contents.is_loading:
        return f"The diff is loading: {diff.index.count} lines so far."
    if review.proposal.kind is ProposalKind.DEPLOY and (why := findings_obstacle(contents)):
        return why
    if why := contents.load_error or diff.problem:
        return f"The diff is incomplete: {why}. Close the review and open it again."
    if review.proposal.kind is ProposalKind.SPAWN:
        problem = contents.advice.problem if contents.advice is not None else "The review is still loading."
        return problem or reading_obstacle(contents.head, diff)
    if contents.options.base is not None:
        key = key_of_base(review, contents.options.base)
        return f"This is the diff against {contents.options.base}, not against what runs. Press {key} to change that."
    if contents.options.ignore_whitespace:
        return f"Whitespace changes are hidden. Press {current_key('review.whitespace')} to show them."
    if contents.missing_files:
        names = ", ".join(contents.missing_files[:_LISTED_MISSING_FILES])
        count = len(contents.missing_files)
        return f"{count} {'file is' if count == 1 else 'files are'} missing from the diff: {names}"
    return reading_obstacle(contents.head, diff) if diff.complete else "The diff is incomplete."


def approval_question(contents: ReviewContents, review: Review, viewed: int) -> ConfirmDialog | NameDialog:
    """What the operator is asked before an approval, with what it is bound to; the name, if something is critical.

    `viewed` counts the files that are marked as viewed.
    """
    proposal = review.proposal
    if proposal.kind is ProposalKind.SPAWN:
        return ConfirmDialog(f"Spawn {proposal.agent}?", _spawn_details(contents), "spawn it")
    details = (*_finding_details(contents), *_deploy_details(review, viewed), effect_detail(contents.effect))
    details = (*notes_text.denial_detail(proposal), *notes_text.draft_detail(contents.notes), *details)
    question = f"Approve #{proposal.id} of {proposal.agent}?"
    if contents.assessment is not None and contents.acknowledged.given(contents.assessment):
        return NameDialog(proposal.agent, question, details)
    return ConfirmDialog(question, details, "build and deploy it")


def _finding_details(contents: ReviewContents) -> tuple[str, ...]:
    """How many findings there are of each severity, and which critical ones were acknowledged."""
    if contents.assessment is None or not contents.assessment.findings:
        return ()
    critical = [one.rule for one in contents.assessment.findings if one.severity is Severity.CRITICAL]
    acknowledged = f", acknowledged: {', '.join(dict.fromkeys(critical))}" if critical else ""
    return (f"▲ findings: {format_counts(contents.assessment.findings)}{acknowledged}",)


def bound_derivation(effect: Effect) -> str | None:
    """The derivation that an approval is bound to: that of an effect that is known now, and of no other."""
    return effect.derivation if effect.state is EffectState.KNOWN else None


class Approval(NamedTuple):
    """What an approval carries besides commit and base: findings, the derivation it is bound to, what was seen."""

    acknowledged: tuple[str, ...] = ()
    derivation: str | None = None
    seen: Seen | None = None


def make_approval(contents: ReviewContents, review: Review, diff: DiffView) -> Approval:
    """What an approval carries at this moment."""
    given = contents.acknowledged.given(contents.assessment) if contents.assessment is not None else ()
    if review.proposal.kind is ProposalKind.SPAWN:
        return Approval(given, bound_derivation(contents.effect))
    seen = find_seen(diff.index, review.files, contents.options.context, diff.reading.is_read)
    return Approval(given, bound_derivation(contents.effect), seen)


def effect_detail(effect: Effect) -> str:
    """What an approval says of the effect, and whether it is bound to it."""
    if effect.state is EffectState.KNOWN:
        unknown = f", ▲ {wording.format_count(len(effect.unknown), 'part')} unknown" if effect.unknown else ""
        if effect.changed is False:
            return f"effect: none, the agent has this very system{unknown}"
        return f"effect: {wording.format_count(len(effect.options), 'option')} changed{unknown}; bound to it"
    if effect.state is EffectState.FAILED:
        return f"▲ its preview failed: {current_key('review.effect')} shows why"
    key = current_key("review.preview")
    if effect.state is EffectState.OUTDATED:
        return f"▲ the effect is outdated, and the approval is not bound to it: {key} finds it out again"
    return f"▲ the effect is not known, and the approval is not bound to any: {key} finds it out"


def _deploy_details(review: Review, viewed: int) -> tuple[str, ...]:
    files = "1 file" if len(review.files) == 1 else f"{len(review.files)} files"
    lines = [
        f"commit {wording.short_hash(review.proposal.commit)} against {wording.short_hash(review.proposal.base)}",
        f"{files}, {viewed} marked as viewed",
    ]
    if review.reverts:
        commits = "commit" if len(review.reverts) == 1 else "commits"
        lines.append(f"▲ it reverts {len(review.reverts)} deployed {commits}")
    lines.append("It is built first; the agent restarts only if that succeeds and its system differs.")
    return tuple(lines)


def _spawn_details(contents: ReviewContents) -> tuple[str, ...]:
    advice = contents.advice
    collision = f"▲ it shares its port with {', '.join(advice.shared_with)}" if advice and advice.shared_with else ""
    return tuple(filter(None, (collision, "Its container is built, created and started.")))


class Decision:
    """Asks over `screen`, then decides; `reload` loads the review again when its base has moved."""

    def __init__(self, screen: HiveScreen, hive: Hive, reload: Callable[[], None]) -> None:
        self._screen, self._hive, self._reload = screen, hive, reload
        self.was_made_here = False
        """Whether an approval was given on this screen: its effects are then no news to the operator."""

    def ask_approval(self, proposal: Proposal, question: ConfirmDialog | NameDialog, approval: Approval) -> None:
        """Approve `proposal` as it is given here, with `approval`, if the answer is yes or the agent's name."""

        def on_answer(answer: bool | str | None) -> None:
            if answer is True or answer == proposal.agent:
                self.was_made_here = True
                approved = self._hive.approve(proposal.id, proposal.commit, proposal.base, "", *approval)
                self._screen.run_engine_work(self._reload_if_stale(approved), self._screen.open_operation)

        if isinstance(question, NameDialog):
            self._screen.app.push_screen(question, on_answer)
        else:
            self._screen.app.push_screen(question, on_answer)

    def ask_denial(self, proposal: Proposal, notes: tuple[str, ...]) -> None:
        """Deny `proposal` with the note that is typed; the engine adds the `notes` on lines, which it has kept."""

        subject, reasons = ("deny", proposal.id), self._screen.reasons

        async def deny(note: str) -> Proposal:
            denied = await self._hive.deny(proposal.id, note)
            reasons.forget(subject)
            return denied

        def on_answer(note: str | None) -> None:
            if note:
                self._screen.run_engine_work(self._reload_if_stale(deny(note)), self._show_denied)

        question = f"Deny #{proposal.id} of {proposal.agent}: why?"
        details = (proposal.title, *notes_text.denial_detail(proposal), *notes)
        self._screen.app.push_screen(NoteDialog(question, details, reasons, (subject,)), on_answer)

    async def _reload_if_stale(self, decision: Coroutine[Any, Any, T]) -> T:
        try:
            return await decision
        except TryAgain:
            if self._screen.is_ready:  # the review may have been closed meanwhile
                self._reload()
            raise

    def _show_denied(self, proposal: Proposal) -> None:
        self._screen.notify(f"#{proposal.id} denied", markup=False)
        if self._screen.app.screen is self._screen:  # not a dialog above it, which `back` would close
            self._screen.app.call_later(self._screen.app.run_action, "app.back")
