"""The slow comparison finds what no source of changes has told, once, and says that it is a bug of the sources."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from hivetui.embedded.layout import Layout
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations import launch
from hivetui.engine.proposals import submit
from hivetui.engine.review.findings.assess import Assessor
from hivetui.engine.state.comparison import Comparison
from hivetui.engine.state.dirty import Dirty
from hivetui.engine.state.live_state import LiveState
from hivetui.engine.state.parts import HiveParts
from tests.conftest import OPERATOR, EmbeddedAgent

UNTOLD = "A change was found that no source had reported"


def unit_source(agent: EmbeddedAgent) -> UnitSource:
    assert agent.host.unit_source is not None
    return agent.host.unit_source()


class Deaf:
    """The units of the host, of which no change is told."""

    def __init__(self, source: UnitSource) -> None:
        self.active_states, self.properties = source.active_states, source.properties

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        yield frozenset()
        await asyncio.Event().wait()


def stop_unit(agent: EmbeddedAgent) -> None:
    """As somebody beside the engine does: no file of the engine changes."""
    systemctl = Layout(str(agent.host.paths.root)).stand_in("systemctl")
    subprocess.run([*systemctl, "stop", f"container@h-{agent.name}.service"], check=True)


@pytest.fixture
async def parts(agent: EmbeddedAgent) -> HiveParts:
    """What is known of the hive; nothing tells of changes."""
    found = HiveParts(agent.host, unit_source(agent))
    await found.read(Dirty(everything=True))
    return found


async def test_nothing_is_found_where_nothing_has_changed(
    agent: EmbeddedAgent, parts: HiveParts, caplog: pytest.LogCaptureFixture
) -> None:
    comparison = Comparison(agent.host, parts, unit_source(agent))
    for _ in range(3):
        assert await comparison.run() == Dirty(hive=True)  # warnings that depend on the time are always read
    assert caplog.messages == []


async def test_each_kind_of_change_is_found_and_once_read_not_again(
    agent: EmbeddedAgent, parts: HiveParts, caplog: pytest.LogCaptureFixture
) -> None:
    comparison = Comparison(agent.host, parts, unit_source(agent))
    await comparison.run()
    number = await agent.submit_and_approve("lab.buildSeconds = 60;")
    await submit.request_spawn(agent.host, agent.free_name(), "", OPERATOR)
    stop_unit(agent)
    deploy = launch.start(agent.host, agent.request(OperationKind.DEPLOY, number))
    found = await comparison.run()
    assert found == Dirty(agents={agent.name}, units={f"h-{agent.name}"}, operations={deploy.id}, meta=True, hive=True)
    assert [message for message in caplog.messages if UNTOLD in message]
    launch.cancel(agent.host.paths, deploy.id)
    await agent.wait_for_end(deploy)
    caplog.clear()
    await parts.read(Dirty(everything=True))
    await comparison.run()
    await comparison.run()
    assert caplog.messages == []


async def test_a_reader_is_told_of_what_only_the_comparison_found(
    agent: EmbeddedAgent, caplog: pytest.LogCaptureFixture
) -> None:
    host, deaf = agent.host, Deaf(unit_source(agent))
    state = LiveState(host, deaf, Assessor(host), compare_seconds=0.1)
    async with aclosing(state.watch()) as updates, asyncio.timeout(60):
        first = await anext(updates)
        assert first.snapshot is not None
        stop_unit(agent)
        async for update in updates:
            if update.change is not None and any(one.state is AgentState.STOPPED for one in update.change.agents):
                break
    await state.close()
    assert [message for message in caplog.messages if UNTOLD in message]
