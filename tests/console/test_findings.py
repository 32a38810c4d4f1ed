"""Findings in the console: in the list of proposals, at their lines, in their dialog, and what they demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivetui.console.state import HiveState
from hivetui.engine.model.findings import Severity
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.screens.dialogs.text import NameDialog
from hivetui.screens.operation import OperationScreen
from hivetui.screens.proposals import ProposalsScreen
from hivetui.screens.review.findings_dialog import FindingsDialog
from hivetui.screens.review.screen import ReviewScreen

if TYPE_CHECKING:
    from tests.console.conftest import Home, Seat, Seated

TWO = """\
{ ... }:
{
  boot.tmp.useTmpfs = true;
  security.sudo.enable = true;
  networking.firewall.allowedTCPPorts = [ 80 ];
}
"""
SIZE = (160, 44)


async def opened(seat: Seat, home: Home, module: str) -> ReviewScreen:
    """The review of a new proposal with its findings; earlier pending proposals are withdrawn."""
    for one in await seat.hive.proposals():
        await seat.hive.withdraw(one.id)
    agent = home.agents[0]
    submitted = await seat.hive.submit(agent, home.commit(agent, module))
    seat.navigator.open("review", number=submitted.id)
    await seat.when(lambda: isinstance(seat.app.screen, ReviewScreen) and not seat.app.screen.contents.is_loading)
    screen = seat.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def test_findings_stand_at_their_lines_and_in_the_head(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        await opened(seat, home, TWO)
        await seat.until("Findings: 2 critical, 1 high; 2 to acknowledge", "3C+", "4C+", "5H+")
        await seat.press("a")
        await seat.notified("2 critical findings not acknowledged, first boot: press F")


async def test_critical_findings_are_acknowledged_one_by_one_and_then_the_name_is_typed(
    seated: Seated, home: Home
) -> None:
    async with seated(size=SIZE) as seat:
        review = await opened(seat, home, TWO)
        proposal = review.contents.pending
        assert proposal is not None
        await seat.press("F")
        await seat.until("become-root", "agent.nix:4", "It must be acknowledged before")
        await seat.answer("space")
        await seat.until("1 to acknowledge", "✓ acknowledged")
        await seat.answer("escape")
        assert "1 critical finding not acknowledged" in (review.unavailable_reason("approve") or "")
        await seat.press("F")
        await seat.until("✓ critical")
        await seat.answer("j", "space", "escape")
        assert review.unavailable_reason("approve") is None
        await seat.press("a")
        await seat.when(lambda: isinstance(seat.app.screen, NameDialog))
        await seat.until("findings: 2 critical, 1 high, acknowledged: boot, become-root")
        await seat.answer(*home.agents[0], "enter")
        await seat.when(lambda: isinstance(seat.app.screen, OperationScreen))
        (operation,) = [one for one in await seat.hive.operations(ended=True) if one.proposal == proposal.id]
        async for _ in seat.hive.follow(operation.id):
            pass
        assert (await seat.hive.operation(operation.id)).state is OperationState.SUCCEEDED
        found = (await seat.hive.findings(proposal.id)).findings
        assert [one.acknowledged is not None for one in found] == [True, True, False]


async def test_only_critical_findings_are_acknowledged_and_enter_goes_to_the_line(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        review = await opened(seat, home, TWO.replace("80", "81"))
        await seat.press("F")
        await seat.when(lambda: isinstance(seat.app.screen, FindingsDialog))
        dialog = seat.app.screen
        assert isinstance(dialog, FindingsDialog)
        await seat.until("firewall")
        dialog.table.go_to_key(dialog.table.shown[-1])
        await seat.answer("space")
        await seat.notified("Only critical findings are acknowledged")
        await seat.answer("enter")
        await seat.when(lambda: seat.app.screen is review)
        assert b"allowedTCPPorts" in review.diff.index.raw(review.diff.line)
        await seat.until("high: It changes what can be reached from outside.")


async def test_a_forbidden_finding_locks_approval_in_words(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        review = await opened(seat, home, "{ ... }:\n{ networking.firewall.allowedTCPPorts = [ 82 ]; }\n")
        assessment = review.contents.assessment
        assert assessment is not None
        raised = [one.model_copy(update={"severity": Severity.FORBID}) for one in assessment.findings]
        review.contents.assessment = assessment.model_copy(update={"findings": tuple(raised)})
        reason = review.unavailable_reason("approve") or ""
        assert "firewall is forbidden by the configuration" in reason
        await seat.press("F")
        await seat.until("It cannot be approved; only a change of the configuration lifts that.")


async def test_approval_waits_for_findings_and_says_when_they_are_not_known(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        review = await opened(seat, home, "{ ... }:\n{ }\n")
        review.contents.assessment = None
        assert review.unavailable_reason("approve") == "The findings are still being looked for."
        review.contents.findings_error = "git is gone"
        assert review.unavailable_reason("approve") == "The findings are not known: git is gone"


@pytest.mark.slow
async def test_proposals_are_listed_by_severity_with_the_worst_one(seated: Seated, home: Home) -> None:
    async with seated(size=SIZE) as seat:
        await opened(seat, home, '{ ... }:\n{ environment.variables.A = "b"; }\n')
        agent = home.agents[0]
        ports = "{ ... }:\n{\n  networking.firewall.allowedTCPPorts = [ 83 ];\n%s}\n"
        high = await seat.hive.submit(agent, home.commit(agent, ports % ""))
        critical = await seat.hive.submit(agent, home.commit(agent, ports % "  virtualisation.docker.enable = true;\n"))
        seat.navigator.open("proposals")
        await seat.until("1 critical +", f"#{high.id}", "high")
        screen = seat.app.screen
        assert isinstance(screen, ProposalsScreen)
        assert isinstance(screen.state, HiveState)
        await seat.when(lambda: list(screen.table.shown)[:2] == [str(critical.id), str(high.id)])
        for one in await seat.hive.proposals():
            await seat.hive.withdraw(one.id)
        assert (await seat.hive.proposals(decided=True))[0].state is ProposalState.WITHDRAWN
