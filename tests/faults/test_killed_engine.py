"""The engine itself is killed while it carries out a request; the next one knows what became of it, and repairs.

What a killed worker leaves is the story of `test_kills`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hivetui.client.hive import RemoteHive
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.proposals import Proposal, ProposalState
from hivetui.engine.operations import store
from hivetui.engine.recovery.repair import repair
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.service.conftest import EngineProcess

pytestmark = pytest.mark.faults
KILLED = ("-P", str(Path(__file__).with_name("killed_engine.py")))
VARIABLE = 'environment.variables.LEVEL = "two";'
Request = Callable[[RemoteHive, EmbeddedAgent, Proposal], Awaitable[object]]

REQUESTS: dict[str, Request] = {
    "submit": lambda hive, agent, _: hive.submit(agent.name, agent.commit(VARIABLE.replace("two", "three"))),
    "approve": lambda hive, _, proposal: hive.approve(proposal.id, proposal.commit, proposal.base),
    "deny": lambda hive, _, proposal: hive.deny(proposal.id, "not now"),
    "withdraw": lambda hive, _, proposal: hive.withdraw(proposal.id),
    "restart": lambda hive, agent, _: hive.begin(OperationKind.RESTART, agent.name),
}
POINTS = {
    "submit": ("command:1", "command:3", "during:4", "command:6", "command:8", "replaced:1", "replaced:2"),
    "approve": (
        "command:1",
        "command:2",
        "command:4",
        "during:6",
        "command:8",
        "replaced:1",
        "replaced:2",
        "replaced:4",
    ),
    "deny": ("command:1", "command:3", "command:5", "replaced:1", "replaced:2"),
    "withdraw": ("command:1", "command:3", "replaced:1"),
    "restart": ("command:1", "replaced:1", "replaced:2", "replaced:3"),
}
CASES = [(verb, point) for verb, points in POINTS.items() for point in points]


async def _carry_out(agent: EmbeddedAgent, doomed: EngineProcess, verb: str) -> tuple[Proposal, object]:
    """Make a request of an engine that dies meanwhile, start the next one, and return what the client is told."""
    local = LocalHive(agent.host, OPERATOR)
    proposal = await local.submit(agent.name, agent.commit(VARIABLE))
    doomed.start()
    hive = await doomed.hive()
    os.kill(doomed.pid, signal.SIGUSR1)
    asking = asyncio.ensure_future(_outcome(REQUESTS[verb](hive, agent, proposal)))
    while not asking.done() and not doomed.has_died():  # noqa: ASYNC110  a process that dies tells nobody
        await asyncio.sleep(0.01)
    doomed.end_if_running()  # it may have been done before it came to that point
    following = EngineProcess(agent.host.paths.root)
    following.start()
    try:
        told = await asyncio.wait_for(asking, 120)
        await hive.wait_for_repair()
        for operation in store.list_operations(agent.host.paths, ended=False):
            await agent.wait_for_end(operation)
    finally:
        await hive.close()
        following.end_if_running()
    return proposal, told


async def _outcome(request: Awaitable[Any]) -> object:
    """What a request leads to: its answer or its error."""
    try:
        return await request
    except HiveError as error:
        return error


@pytest.mark.parametrize(("verb", "point"), CASES)
async def test_a_request_whose_engine_is_killed_is_done_or_not_done_and_nothing_is_left_over(
    agent: EmbeddedAgent, verb: str, point: str
) -> None:
    doomed = EngineProcess(agent.host.paths.root, KILLED, KILL_AT=point)
    proposal, told = await _carry_out(agent, doomed, verb)
    found = await repair(agent.host)
    assert not [fixed for fixed in found if "could not" in fixed.done], found
    await agent.check_invariants()
    local = LocalHive(agent.host, OPERATOR)
    proposals = [one for one in await local.proposals(decided=True) if one.agent == agent.name]
    operations = [one for one in await local.operations(ended=True) if one.kind is not OperationKind.SPAWN]
    is_done = not isinstance(told, HiveError)
    if verb == "submit":
        assert len(proposals) == 1 + is_done
        return
    (now,) = [one for one in proposals if one.id == proposal.id]
    if verb == "restart":
        assert len(operations) <= 1
        assert not is_done or len(operations) == 1
    elif is_done:
        assert now.state.value in {"approve": ("deployed",), "deny": ("denied",), "withdraw": ("withdrawn",)}[verb]
    else:  # it was not carried out, or a repair has given it up: said in words either way, and never done unsaid
        assert now.state in (ProposalState.PENDING, ProposalState.FAILED), (told, now.state)
