"""The work for one change is the same however many agents there are, and nothing is done when nothing changes.

It is counted and not timed: files and directories that this process opens (by audit events), processes, and rows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hivetui
from hivetui.embedded import open_embedded
from hivetui.engine.containers.units import state_of, unit_states
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.agents import Agent, AgentState
from hivetui.engine.model.settings import Settings
from hivetui.engine.model.state import HiveSnapshot, StateUpdate, apply_change
from hivetui.engine.model.warnings import WarningCode
from hivetui.engine.state.parts import HiveParts
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.crowd import crowd

if TYPE_CHECKING:
    from tests.spawned_hive import SpawnedHive

SOON = 120.0
_READS = frozenset({"open", "os.listdir", "os.scandir"})
_STARTS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"})
_active: list[Counter[str]] = []


_CODE = (sys.prefix, sys.base_prefix, str(Path(hivetui.__file__).parent))
"""Where modules are: those that are imported late are read by the first hive only."""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _active and event in _STARTS:
        _active[-1]["starts"] += 1
    elif _active and event in _READS and not str(arguments[0]).startswith(_CODE):
        _active[-1]["reads"] += 1


@pytest.fixture(scope="module", autouse=True)
def audited() -> None:
    """An audit hook stays until the process ends, and counts only while a test wants it."""
    sys.addaudithook(_hook)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    counter = Counter[str]()
    _active.append(counter)
    with pytest.MonkeyPatch.context() as patch:
        make = HiveParts._row

        def spied(self: HiveParts, container: str) -> object:
            counter["rows"] += 1
            return make(self, container)

        patch.setattr(HiveParts, "_row", spied)
        try:
            yield counter
        finally:
            _active.remove(counter)


class Watcher:
    """Follows the changes of a hive, in a task of its own: a stream that is given up waiting for is closed."""

    def __init__(self, hive: LocalHive) -> None:
        self._hive, self.now = hive, HiveSnapshot()
        self._updates: asyncio.Queue[StateUpdate] = asyncio.Queue()

    async def run(self) -> None:
        async for update in self._hive.watch():
            self._updates.put_nowait(update)

    async def until_row(self, agent: EmbeddedAgent, condition: Callable[[Agent], object]) -> int:
        """The same for the row of one agent."""
        return await self.until(lambda now: condition(_row(now, agent)))

    async def until(self, condition: Callable[[HiveSnapshot], object]) -> int:
        """How many rows the changes had until the condition held."""
        changed = 0
        async with asyncio.timeout(SOON):
            while not condition(self.now):
                update = await self._updates.get()
                if update.change is not None:
                    changed += len(update.change.agents)
                    self.now = apply_change(self.now, update.change)
                elif update.snapshot is not None:
                    self.now = update.snapshot
        return changed

    async def is_still(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        await asyncio.sleep(seconds)
        return self._updates.empty()


def _tag(agent: EmbeddedAgent) -> None:
    """A commit is proposed, by another process."""
    git = ("git", "-C", str(agent.host.paths.applied_git(agent.name)))
    identity = {"GIT_COMMITTER_NAME": "hm1nd", "GIT_COMMITTER_EMAIL": "hm1nd@hive", "PATH": os.environ["PATH"]}
    subprocess.run([*git, "tag", "-a", "-m", "x", "proposal/1", "main"], check=True, env=identity)


async def work(agent: EmbeddedAgent, count: int, seconds: float) -> list[tuple[int, ...]]:
    """What each of three changes of one agent costs among so many: reads, starts, rows, and agents that are told."""
    found: list[tuple[int, ...]] = []
    pid = state_of(await unit_states(agent.host), agent.name).main_pid
    assert pid is not None
    conf = agent.host.paths.conf(agent.name)
    changes: tuple[tuple[Callable[[], object], Callable[[Agent], object]], ...] = (
        (lambda: conf.write_text(conf.read_text().replace("NETWORK=0", "NETWORK=1")), _has_drifted),
        (lambda: _tag(agent), lambda row: row.pending),
        (lambda: os.kill(pid, signal.SIGKILL), lambda row: row.state is AgentState.FAILED),
    )
    hive = LocalHive(agent.host, OPERATOR)
    watcher = Watcher(hive)
    watching = asyncio.create_task(watcher.run())
    try:
        await watcher.until(lambda now: len(now.agents) == count)
        assert _row(watcher.now, agent).state is AgentState.RUNNING
        for act, has_come in changes:
            act()
            with counted() as counter:
                changed = await watcher.until_row(agent, has_come)
                await settled(counter)
                found.append((counter["reads"], counter["starts"], counter["rows"], changed))
        await watcher.is_still(0.3)
        with counted() as counter:
            assert await watcher.is_still(seconds)
        assert counter == {}
    finally:
        watching.cancel()
        await hive.close()
    return found


async def settled(counter: Counter[str]) -> None:
    """Wait for what follows a change, such as the findings of a proposal."""
    before: Counter[str] = Counter()
    while before != counter:
        before = counter.copy()
        await asyncio.sleep(0.3)


def _has_drifted(row: Agent) -> bool:
    """Not only any warning: among so many agents, some share a port."""
    return WarningCode.DRIFT in {warning.code for warning in row.warnings}


def _row(now: HiveSnapshot, agent: EmbeddedAgent) -> Agent:
    return next(one for one in now.agents if one.name == agent.name)


async def test_a_change_costs_the_same_with_one_agent_and_with_fifty(hive_of_one: SpawnedHive) -> None:
    alone, among_many = await work_on(hive_of_one, 1, 0.5), await work_on(hive_of_one, 50, 0.5)
    assert among_many == alone
    assert {(rows, told) for _, _, rows, told in alone} == {(1, 1)}
    configured, proposed, killed = (starts for _, starts, _, _ in alone)
    assert (configured, killed) == (0, 0)
    assert proposed > 0, "git reads the one proposal for its findings"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_change_costs_the_same_with_one_agent_and_with_nine_hundred(hive_of_one: SpawnedHive) -> None:
    assert await work_on(hive_of_one, 900, 10) == await work_on(hive_of_one, 1, 10)


async def work_on(spawned: SpawnedHive, count: int, seconds: float) -> list[tuple[int, ...]]:
    """What changes cost on a hive with so many agents, made for this."""
    with spawned.restored() as folder:
        agent = EmbeddedAgent(open_embedded(folder, Settings()), spawned.agents[0])
        with crowd(agent, count):
            return await work(agent, count, seconds)
