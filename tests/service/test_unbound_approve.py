"""What an approval that names neither commit nor base cannot get past, where a setting allows one."""

from __future__ import annotations

import dataclasses

import pytest

from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import ReviewSection, Settings, SocketSection
from tests.conftest import EmbeddedAgent
from tests.service.served import serving

CRITICAL = "  boot.tmp.useTmpfs = true;\n"


@pytest.mark.parametrize(
    ("review", "body", "refusal"),
    [
        (ReviewSection(), CRITICAL, "1 critical finding is not acknowledged"),
        (ReviewSection(severity={"boot": "forbid"}), CRITICAL, "1 finding is forbidden"),
        (ReviewSection(require_effect=True), "  # x\n", "no known effect was given"),
    ],
    ids=["critical", "forbidden", "effect"],
)
async def test_an_approval_that_says_nothing_is_bound_by_findings_and_settings(
    agent: EmbeddedAgent, review: ReviewSection, body: str, refusal: str
) -> None:
    settings = Settings(socket=SocketSection(unbound_approve=True), review=review)
    async with serving(dataclasses.replace(agent.host, settings=settings)) as served:
        proposal = await served.local.submit(agent.name, agent.commit(body))
        answer = await (await served.raw()).ask(cmd="approve", id=proposal.id)
        assert not answer["ok"]
        assert refusal in answer["error"]
        assert await served.state(proposal.id) is ProposalState.PENDING
