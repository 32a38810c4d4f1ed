"""Several operators decide about the same proposals at the same moment: one of them does, and the others are told."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from hivetui.client.hive import RemoteHive
from hivetui.engine.containers import ports
from hivetui.engine.model.errors import Busy, HiveError
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.operations import store
from tests.conftest import EmbeddedAgent
from tests.service.raw_client import RawClient
from tests.service.served import Served, serving

APPROVALS, DENIALS = int(os.environ.get("HIVE_RACES", "500")), 100
"""CI makes fewer, because they take minutes."""
OPERATORS = ("ada", "bob", "cleo")
Decide = Callable[[int], Awaitable[str]]
"""Tries to decide; "" or what it was told."""


class Outcome(NamedTuple):
    """The operation that an approval has started; without one, what it was told."""

    operation: int | None
    told: str = ""


Approve = Callable[[Proposal], Awaitable[Outcome]]


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_each_of_500_approvals_has_one_winner_and_the_others_are_told_who(
    three: tuple[EmbeddedAgent, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two consoles and a script. Every deploy is started and fails at once, because the port of its agent is reserved
    as for another agent that is being built; the commit is proposed again for the next race.
    """
    races = itertools.count()
    with ExitStack() as reserved:
        for agent in three:
            await agent.run(
                OperationKind.STOP
            )  # who listens on its port is looked for among all processes, thrice a race
            reserved.enter_context(ports.reserve_port(agent.host, agent.name))
        async with serving(three[0].host) as served:
            consoles = [await _login(served, monkeypatch, name) for name in OPERATORS[:2]]
            scripts = [await _raw_login(served, OPERATORS[2]) for _ in three]
            racing = [
                _race(one, [*map(_by_console, consoles), _by_script(script)], served, races)
                for one, script in zip(three, scripts, strict=True)
            ]
            won = {number: name for winners in await asyncio.gather(*racing) for number, name in winners.items()}
            await _check(served, three, won)
            for console in consoles:
                await console.close()


async def _race(agent: EmbeddedAgent, approvers: list[Approve], served: Served, races: Iterator[int]) -> dict[int, str]:
    """Race for one proposal of an agent after the other, while there are races; who won each."""
    won: dict[int, str] = {}
    proposal = await served.local.submit(agent.name, agent.commit("  # raced for"))
    while next(races) < APPROVALS:
        first = proposal.id % len(approvers)  # each begins as often as the others
        order = [*range(first, len(approvers)), *range(first)]
        outcomes = await asyncio.gather(*(approvers[at](proposal) for at in order))
        ((winner, operation),) = [
            (OPERATORS[at], one.operation) for at, one in zip(order, outcomes, strict=True) if one.operation
        ]
        said = [one.told for one in outcomes if one.operation is None]
        assert all(f"It was approved by {winner} " in told for told in said), said
        won[proposal.id] = winner
        async for _ in store.follow(agent.host.paths, operation):
            pass
        proposal = await served.local.repropose(proposal.id)
    return won


async def _check(served: Served, agents: tuple[EmbeddedAgent, ...], won: dict[int, str]) -> None:
    """Tags, records and operations tell of the same winners, each once."""
    decided = {one.id: one for one in await served.local.proposals(decided=True) if one.decided_by}
    assert (len(won), set(won.values())) == (APPROVALS, set(OPERATORS))
    assert {number: one.decided_by for number, one in decided.items()} == won
    assert {one.state for one in decided.values()} == {ProposalState.FAILED}
    assert all("It is reserved for agent" in one.error for one in decided.values() if one.error is not None)
    tags = [name for agent in agents for name in agent.applied.tags() if name.startswith("approved/")]
    assert sorted(tags) == sorted(f"approved/{number}" for number in won)
    operations = await served.local.operations(ended=True)
    assert sorted((one.proposal, one.operator) for one in operations if one.proposal) == sorted(won.items())
    verified = await served.local.verify()
    assert (verified.problems, verified.checked >= APPROVALS) == ((), True)


def _by_console(hive: RemoteHive) -> Approve:
    async def approve(proposal: Proposal) -> Outcome:
        while True:
            try:
                return Outcome((await hive.approve(proposal.id, proposal.commit, proposal.base)).id)
            except Busy:  # somebody decides at this moment, and it says who: by now that is done
                continue
            except HiveError as error:
                return Outcome(None, error.why)

    return approve


def _by_script(client: RawClient) -> Approve:
    async def approve(proposal: Proposal) -> Outcome:
        request = {"verb": "approve", "proposal": proposal.id, "commit": proposal.commit, "base": proposal.base}
        while True:
            answer = await client.ask(id=proposal.id, **request)
            if answer["ok"]:
                return Outcome(answer["operation"]["id"])
            if answer["error"]["kind"] != "Busy":
                return Outcome(None, answer["error"]["why"])

    return approve


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_of_100_denials_has_one_winner_and_the_others_are_told_who(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each operator goes at its own pace."""
    numbers = [await served.proposal(f"r{count}") for count in range(DENIALS)]
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
