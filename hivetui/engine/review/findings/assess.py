"""The findings of a proposal: read, evaluated off the event loop, and remembered for the same commits and rules."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.model.effect import Effect, EffectState
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.findings import Acknowledgement, Assessment, Finding, Severity
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.model.records import RulesReference
from hivetui.engine.proposals.tags import list_tags
from hivetui.engine.review.difference import resolve_base
from hivetui.engine.review.findings.evaluate import evaluate
from hivetui.engine.review.findings.reading import read_change
from hivetui.engine.review.findings.rule_set import RuleSet, load_rules

_AT_ONCE = 2
"""Proposals that are assessed at once."""
_KEPT = 64
"""Assessments that are remembered."""
Key = tuple[str, str, str, str, str, str, str]


class Assessor:
    """Assesses proposals of one host by the rules of its settings. `effect_of` tells what is known of their effects."""

    def __init__(self, host: Host, effect_of: Callable[[Proposal], Effect] = lambda proposal: Effect()) -> None:
        self._host, self._effect_of = host, effect_of
        self._rules: RuleSet | None = None
        self._known: OrderedDict[Key, asyncio.Future[Assessment]] = OrderedDict()

    @property
    def rules(self) -> RuleSet:
        """The rules in force; BadConfiguration for wrong ones."""
        if self._rules is None:
            self._rules = load_rules(self._host.settings.review)
        return self._rules

    @property
    def reference(self) -> RulesReference:
        """The rules in force, as the record of a decision names them."""
        return RulesReference(set=self.rules.digest, silenced=tuple(sorted(self.rules.silence)))

    async def assess(self, proposal: Proposal, base: str | None = None, shown: str | None = None) -> Assessment:
        """The findings of a proposal against `base`, by default its own, with what was acknowledged before.

        Its effect counts while nothing has moved; the one that led to the derivation `shown` counts in any case.
        """
        if proposal.commit is None:
            return Assessment()
        if proposal.findings is not None and base is None:
            return Assessment(findings=proposal.findings)
        applied = AppliedRepo(self._host, proposal.agent)
        against = await resolve_base(applied, base or proposal.base or "")
        found = await self._evaluate(applied, proposal, against, shown)
        earlier = _earlier_acknowledgements(applied, proposal.id)
        return found.model_copy(update={"findings": tuple(_acknowledged(found.findings, earlier))})

    async def add_findings(self, proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
        """The proposals with their findings; those of which these cannot be computed are as they were."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def add(proposal: Proposal) -> Proposal:
            if proposal.findings is not None or proposal.state is not ProposalState.PENDING:
                return proposal
            async with slots:
                try:
                    return proposal.model_copy(update={"findings": (await self.assess(proposal)).findings})
                except HiveError:  # one damaged repo does not hide the proposals of the others
                    return proposal

        return tuple(await asyncio.gather(*map(add, proposals)))

    async def _evaluate(self, applied: AppliedRepo, proposal: Proposal, base: str, shown: str | None) -> Assessment:
        commit, main = proposal.commit or "", proposal.base or base
        known = await asyncio.to_thread(self._effect_of, proposal)
        effect = known if _is_evaluated(known, shown) and known.base == base else None
        told = effect.digest if effect is not None else ""
        key = (proposal.agent, base, commit, main, proposal.description, self.rules.digest, told)
        task = self._known.get(key)
        if task is None or task.cancelled() or (task.done() and task.exception() is not None):
            task = asyncio.ensure_future(self._read(applied, base, commit, main, proposal.description, effect))
            self._known[key] = task
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return await asyncio.shield(task)

    async def _read(
        self, applied: AppliedRepo, base: str, commit: str, main: str, description: str, effect: Effect | None
    ) -> Assessment:
        change = await read_change(applied, base, commit, main, description)
        return await asyncio.to_thread(evaluate, change, self.rules, effect=effect)


def _is_evaluated(effect: Effect, shown: str | None) -> bool:
    """Whether it says what changes: that is known of a system that fails to build too."""
    if effect.derivation is None:
        return False
    return effect.state in (EffectState.KNOWN, EffectState.FAILED) or effect.derivation == shown


def sort_by_severity(proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
    """The pending ones by their worst finding, those that could not be assessed first; the others as they were."""

    def rank(proposal: Proposal) -> int:
        if proposal.state is not ProposalState.PENDING:
            return len(Severity) + 1
        if proposal.findings is None:
            return -1
        return min((finding.severity.rank for finding in proposal.findings), default=len(Severity))

    return tuple(sorted(proposals, key=rank))


def _acknowledged(findings: Iterable[Finding], earlier: Mapping[str, Acknowledgement]) -> Iterable[Finding]:
    for finding in findings:
        known = earlier.get(finding.id)
        yield finding.model_copy(update={"acknowledged": known}) if known is not None else finding


def _earlier_acknowledgements(applied: AppliedRepo, number: int) -> dict[str, Acknowledgement]:
    """Who acknowledged which evidence in an earlier proposal of the agent; the latest one counts."""
    found: dict[str, Acknowledgement] = {}
    for tags in list_tags(applied):
        record = tags.approved
        if record is None or tags.number >= number:
            continue
        for name in record.acknowledged:
            found[name] = Acknowledgement(proposal=tags.number, operator=record.operator, at=record.at)
    return found
