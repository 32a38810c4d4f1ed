"""The rows of the agent list: CPU shares, order, states."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.agents.agent_rows import AgentRows
from hivetui.engine.containers.units import UnitState
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Host
from hivetui.engine.host.system_host import real_host
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind, OperationState
from hivetui.engine.model.settings import Settings
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from hivetui.engine.operations import launch
from tests.conftest import OPERATOR

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAgent


def test_the_cpu_share_is_of_the_time_between_two_listings(tmp_path: Path) -> None:
    async def shares() -> list[float | None]:
        times = iter([at(0), at(2), at(4)])
        host = real_host(tmp_path, Settings(), {})
        host = Host(host.paths, host.settings, host.runner, clock=lambda: next(times))
        agent_rows = AgentRows(host)
        used = (1_000_000_000, 2_000_000_000, 500_000_000)
        return [
            (await agent_rows.build({"h-a": UnitState(state=AgentState.RUNNING, cpu_nanoseconds=n)}))[0].cpu_percent
            for n in used
        ]

    assert asyncio.run(shares()) == [None, 50.0, None]


def at(second: int) -> datetime:
    return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)


def test_the_cpu_share_of_a_restarted_container_is_unknown(tmp_path: Path) -> None:
    async def second() -> float | None:
        times = iter([at(0), at(2)])
        real = real_host(tmp_path, Settings(), {})
        agent_rows = AgentRows(Host(real.paths, real.settings, real.runner, clock=lambda: next(times)))
        for used, since in ((1_000_000_000, at(0)), (5_000_000_000, at(1))):
            unit = UnitState(state=AgentState.RUNNING, cpu_nanoseconds=used, since=since)
            (row,) = await agent_rows.build({"h-a": unit})
        return row.cpu_percent

    assert asyncio.run(second()) is None


def test_agents_that_failed_come_first(tmp_path: Path) -> None:
    units = {
        "hm1nd": UnitState(state=AgentState.RUNNING),
        "h-a": UnitState(state=AgentState.STOPPED),
        "h-z": UnitState(state=AgentState.FAILED),
        "h-y": UnitState(state=AgentState.STARTING),
    }
    looping = HiveWarning(code=WarningCode.AGENT_FAILED, agents=("y",), text="restarts again and again", fix="")
    rows = asyncio.run(AgentRows(real_host(tmp_path, Settings(), {})).build(units, [looping]))
    assert [row.name for row in rows] == ["y", "z", "hm1nd", "a"]


@pytest.mark.slow
async def test_an_agent_that_is_spawned_again_is_starting_and_its_proposals_have_an_obstacle_until_then(
    agent: EmbeddedAgent,
) -> None:
    hive = LocalHive(agent.host, OPERATOR)
    agent.commit('environment.variables.LEVEL = "two";')
    assert (await hive.submit(agent.name)).obstacle is None
    await agent.run(OperationKind.DESTROY)
    (row,) = await hive.agents()
    assert row.state is AgentState.KEPT
    (proposal,) = await hive.proposals()
    assert "has no container" in (proposal.obstacle or "")
    operation = launch.start(agent.host, agent.request(OperationKind.SPAWN))
    (row,) = await hive.agents()
    assert row.state in (AgentState.STARTING, AgentState.RUNNING)
    assert (await agent.wait_for_end(operation)).state is OperationState.SUCCEEDED
    (proposal,) = await hive.proposals()
    assert proposal.obstacle is None
