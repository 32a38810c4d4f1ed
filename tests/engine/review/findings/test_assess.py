"""Which effect counts for the findings of a proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.engine.model.effect import Effect, EffectState, OptionChange
from hivetui.engine.review.findings.assess import Assessor

if TYPE_CHECKING:
    from tests.engine.conftest import AgentRepos

SHOWN = "/nix/store/shown.drv"
ROOT = OptionChange(option="users.users.root.shell", old=None, new='"/bin/zsh"')


@pytest.mark.parametrize(
    ("state", "shown", "is_found"),
    [
        (EffectState.KNOWN, None, True),
        (EffectState.FAILED, None, True),
        (EffectState.OUTDATED, None, False),
        (EffectState.OUTDATED, "/nix/store/other.drv", False),
        (EffectState.OUTDATED, SHOWN, True),
    ],
)
async def test_an_effect_counts_unless_it_is_outdated_and_always_for_an_approval_that_is_bound_to_it(
    repos: AgentRepos, state: EffectState, shown: str | None, is_found: bool
) -> None:
    proposal = await repos.pin(repos.commit({"agent.nix": "{ }\n"}))
    effect = Effect(state=state, base=repos.main, derivation=SHOWN, options=(ROOT,))
    found = await Assessor(repos.host, lambda one: effect).assess(proposal, repos.main, shown)
    assert ("root-account" in {finding.rule for finding in found.findings}) is is_found


async def test_an_effect_against_another_base_does_not_count(repos: AgentRepos) -> None:
    proposal = await repos.pin(repos.commit({"agent.nix": "{ }\n"}))
    effect = Effect(state=EffectState.KNOWN, base="0" * 40, derivation=SHOWN, options=(ROOT,))
    found = await Assessor(repos.host, lambda one: effect).assess(proposal, repos.main, SHOWN)
    assert "root-account" not in {finding.rule for finding in found.findings}
