"""A demo that is opened again spawns no agent a second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivetui.demo import home
from hivetui.demo.cast import Cast, cast, shuffled
from hivetui.demo.memory import Memory
from hivetui.demo.stage import Stage, open_hive
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.operations import OperationKind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def states(hive: LocalHive) -> dict[str, AgentState]:
    return {agent.name: agent.state for agent in await hive.agents()}


async def destroy(hive: LocalHive, kind: OperationKind, name: str) -> None:
    operation = await hive.begin(kind, name)
    async for _ in hive.follow(operation.id):
        pass


async def test_what_the_person_destroyed_stays_destroyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hive"
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    try:
        hive = await open_hive(folder)
        who, memory = cast(hive.host, shuffled), Memory(folder)
        memory.begin(who, ())
        first = Stage(hive, who, memory)
        for name in who[:2]:
            await first.start_agent(name)
        assert await states(hive) == dict.fromkeys(who[:2], AgentState.RUNNING)
        await destroy(hive, OperationKind.DESTROY, who.reader)
        home.clear(folder, keep=True)

        again = Memory(folder)
        assert again.cast == who
        second = Stage(hive, who, again)
        for name in who[:3]:
            await second.start_agent(name)
        expected = (AgentState.KEPT, AgentState.RUNNING, AgentState.RUNNING)
        assert await states(hive) == dict(zip(who[:3], expected, strict=True)), "the third was not spawned before"
    finally:
        home.clear(folder, keep=False)


def test_the_agents_of_a_demo_from_before_it_had_a_memory_were_all_spawned(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert memory.cast is None
    who = Cast("iris", "alice", "olivia", "qa")
    memory.begin(who, {"iris", "alice"})
    again = Memory(tmp_path)
    assert again.cast == who
    assert [again.has_spawned(name) for name in who] == [True, True, False, False]
