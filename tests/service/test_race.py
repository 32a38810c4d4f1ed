"""Several operators decide about the same proposals at the same moment: one of them does, and the others are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hivetui.client.hive import RemoteHive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.proposals import ProposalState
from tests.conftest import EmbeddedAgent
from tests.service.raw_client import RawClient
from tests.service.served import Served

PROPOSALS = 500
OPERATORS = ("ada", "bob", "cleo")
Decide = Callable[[int], Awaitable[str]]
"""Tries to decide; "" or what it was told."""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_of_500_decisions_has_one_winner_and_the_others_are_told_who(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Denials: an approval takes the same lock and writes its tag in the same way, and then starts a worker."""
    numbers = [await served.proposal(f"r{count}") for count in range(PROPOSALS)]
    ada, bob = [await _login(served, monkeypatch, name) for name in OPERATORS[:2]]
    cleo = await _raw_login(served, OPERATORS[2])

    async def deny_raw(number: int) -> str:
        answer = await cleo.ask(id=number, verb="deny", proposal=number, note="cleo")
        return "" if answer["ok"] else f"{answer['error']['what']} {answer['error']['why']}"

    def deny_by(hive: RemoteHive, name: str) -> Decide:
        return lambda number: _told(hive.deny(number, name))

    deciders = (deny_by(ada, "ada"), deny_by(bob, "bob"), deny_raw)
    told = await asyncio.gather(*(_decide_all(decide, numbers) for decide in deciders))
    decided = {one.id: one for one in await served.local.proposals(decided=True)}
    for row, number in enumerate(numbers):
        winners = [name for name, answers in zip(OPERATORS, told, strict=True) if not answers[row]]
        assert winners == [decided[number].decided_by] == [decided[number].note]
        assert all(winners[0] in answers[row] for answers in told if answers[row])
    await ada.close()
    await bob.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_approval_that_three_operators_race_for_starts_one_operation(
    served: Served, agent: EmbeddedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attempt in range(5):
        proposal = await served.local.submit(agent.name, agent.commit(f"  # {attempt}\n"))
        hives = [await _login(served, monkeypatch, name) for name in OPERATORS]
        approvals = [_told(hive.approve(proposal.id, proposal.commit, proposal.base)) for hive in hives]
        told = dict(zip(OPERATORS, await asyncio.gather(*approvals), strict=True))
        (winner,) = [name for name, answer in told.items() if not answer]
        assert all(winner in answer for answer in told.values() if answer)
        (operation,) = [one for one in await served.local.operations(ended=True) if one.proposal == proposal.id]
        assert operation.operator == winner
        await agent.wait_for_end(operation)
        assert await served.state(proposal.id) is ProposalState.DEPLOYED
        for hive in hives:
            await hive.close()


async def _decide_all(decide: Decide, numbers: list[int]) -> list[str]:
    return [await decide(number) for number in numbers]


async def _told(deciding: Awaitable[object]) -> str:
    try:
        await deciding
    except HiveError as error:
        return f"{error.what} {error.why}"
    return ""


async def _login(served: Served, monkeypatch: pytest.MonkeyPatch, name: str) -> RemoteHive:
    monkeypatch.setenv("SUDO_USER", name)
    return await served.remote()


async def _raw_login(served: Served, name: str) -> RawClient:
    client = await served.raw()
    await client.ask(id=0, verb="hello", schema="hivetui/1", operator={"name": name})
    return client
