"""The engine itself is killed while it carries out a request; the next one knows what became of it, and repairs.

What a killed worker leaves is the story of `test_kills`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from hivetui.client.hive import RemoteHive
from hivetui.engine.model.errors import HiveError
from hivetui.engine.operations import store
from hivetui.engine.recovery.repair import repair
from hivetui.wire.verbs import VERBS
from tests import invariants
from tests.conftest import EmbeddedAgent
from tests.faults.engine_requests import ROWS, Request, Row
from tests.service.conftest import EngineProcess

KILLED = ("-P", str(Path(__file__).with_name("killed_engine.py")))
WRITE_NOTHING = {"statement"}
"""Verbs for who may decide, of which a kill leaves nothing."""
CASES = [pytest.param(row, point, id=f"{row.name}-{point}") for row in ROWS for point in row.points]


def test_each_verb_that_acts_has_a_row() -> None:
    assert {row.verb for row in ROWS} == {verb.name for verb in VERBS.values() if verb.acts} - WRITE_NOTHING


@pytest.mark.faults
@pytest.mark.parametrize(("row", "point"), CASES)
async def test_a_request_whose_engine_is_killed_is_done_or_not_done_and_nothing_is_left_over(
    agent: EmbeddedAgent, row: Row, point: str
) -> None:
    request = row.request(agent)
    doomed = EngineProcess(agent.host.paths.root, KILLED, KILL_AT=point)
    doomed.start()
    hive = await doomed.hive()
    await hive.wait_for_repair()
    await request.begin()
    asking = await _ask_until_it_dies(request, hive, doomed)
    following = EngineProcess(agent.host.paths.root)
    following.start()
    try:
        told = await asyncio.wait_for(asking, 120)
        await hive.close()
        hive = await following.hive()
        await hive.wait_for_repair()
        for operation in store.list_operations(agent.host.paths, ended=False):
            await agent.wait_for_end(operation)
        await request.check(hive, told)
    finally:
        await hive.close()
        following.end_if_running()
    await _check_nothing_is_left(request)


async def _ask_until_it_dies(request: Request, hive: RemoteHive, doomed: EngineProcess) -> asyncio.Future[object]:
    """Make the request; it has its answer when the engine did not come to the point at which it dies."""
    os.kill(doomed.pid, signal.SIGUSR1)
    asking = asyncio.ensure_future(_outcome(request.ask(hive)))
    while not asking.done() and not doomed.has_died():  # noqa: ASYNC110  a process that dies tells nobody
        await asyncio.sleep(0.01)
    doomed.end_if_running()
    return asking


async def _outcome(request: Awaitable[Any]) -> object:
    """What a request leads to: its answer or its error."""
    try:
        return await request
    except HiveError as error:
        return error


async def _check_nothing_is_left(request: Request) -> None:
    host = request.agent.host
    found = await repair(host)
    assert not [fixed for fixed in found if "could not" in fixed.done], found
    await request.settle()
    for name in (request.agent.name, request.new):
        await invariants.check(host, name)
    assert await repair(host) == ()
    assert (await request.local.verify()).problems == ()
