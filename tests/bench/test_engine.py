"""What the engine itself costs, on an embedded hive: a look at many containers, a deploy, a long log.

The stand-ins for systemctl and journalctl are Python programs whose start alone is dearer than the real one's whole
answer, so the engine's own share has rows of its own.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from hivetui.embedded import end_agents, journal, units
from hivetui.embedded.files import write_json
from hivetui.embedded.hive import open_embedded_hive
from hivetui.embedded.layout import Layout
from hivetui.engine.containers.units import unit_states
from hivetui.engine.deploy import deploy
from hivetui.engine.hive import LocalHive
from hivetui.engine.host import locks
from hivetui.engine.host.host import Command, Completed, Host, LineSink, Runner
from hivetui.engine.model import names
from hivetui.engine.model.logs import LogQuery
from hivetui.engine.model.operations import OperationKind, OperationRequest, OperationState, Operator
from hivetui.engine.model.proposals import Proposal
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.engine.proposals import decide
from tests.free_names import free_name
from tests.recording_progress import RecordingProgress
from tests.runners import WrappedRunner

from .conftest import Figure, Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
AGENTS = 900
ROUNDS = 5
GIGABYTE = 1 << 30
ANNA = Operator(name="anna", uid=1000, source="local")


class Timing(WrappedRunner):
    """Runs programs, and adds up how long they took."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.seconds = 0.0

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        began = perf_counter()
        try:
            return await super().run(command, sink)
        finally:
            self.seconds += perf_counter() - began


@pytest.fixture
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalHive]:
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "1")
    settings = Settings(deploy=DeploySection(health_seconds=0))
    yield await open_embedded_hive(tmp_path / "h", settings, ANNA)
    end_agents(tmp_path / "h")


@pytest.fixture
async def agent(opened: LocalHive) -> str:
    """An agent that runs, on a port that nobody has."""
    name = free_name()
    await _ended(opened, (await opened.begin(OperationKind.SPAWN, name)).id)
    return name


async def _ended(opened: LocalHive, operation: int) -> None:
    async for _ in opened.follow(operation):
        pass
    ended = await opened.operation(operation)
    assert ended.state is OperationState.SUCCEEDED, ended.error


async def test_a_look_at_the_state_of_many_containers(record: Record, opened: LocalHive) -> None:
    folder, host = Layout(opened.host.paths.root), opened.host
    me = units.Unit("", "active", "running", pid=os.getpid(), born=units.start_time(os.getpid()))
    for number in range(AGENTS):
        name = f"h-a{number}"
        write_json(units.state_file(folder, name), me._replace(container=name)._asdict())
        (host.paths.containers / f"{name}.conf").write_text("PRIVATE_NETWORK=0\n")
    timed = Timing(host.runner)
    whole, own = [], []
    for _ in range(ROUNDS):
        before, began = timed.seconds, perf_counter()
        assert len(await unit_states(replace(host, runner=timed))) == AGENTS
        whole.append((perf_counter() - began) * 1000)
        own.append(whole[-1] - (timed.seconds - before) * 1000)
    began = perf_counter()
    for number in range(20):
        show = (*host.tools.systemctl, "show", f"container@h-a{number}", "--property=ActiveState")
        await host.runner.run(Command(show))
    each = (perf_counter() - began) * 1000 / 20 * AGENTS
    for path in folder.units.glob("h-a*.json"):  # they are this very process: nothing may end them
        path.unlink()
    peer = f"a process each ({AGENTS} x one of 20)"
    record(Figure("state of 900 containers: one embedded call", "ms", median(whole), 10, peer, each))
    record(Figure("state of 900 containers: of it the engine's own", "ms", median(own), 10))


async def test_a_deploy_beside_its_programs(record: Record, opened: LocalHive, agent: str) -> None:
    whole, programs = [], []
    for number in range(ROUNDS):
        proposal = await _proposed(opened, agent, 2 * number)
        approving = perf_counter()
        begun = await opened.approve(proposal.id, proposal.commit, proposal.base)
        await _ended(opened, begun.id)
        whole.append(perf_counter() - approving)
        programs.append(await _deployed_here(opened, await _proposed(opened, agent, 2 * number + 1)))
    own, theirs = median(whole) - median(programs), median(programs)
    record(Figure("deploy: the engine's own time", "s", own, 0.5, "its programs", theirs))


async def _proposed(opened: LocalHive, agent: str, number: int) -> Proposal:
    work = opened.host.paths.proposed(agent)
    (work / "agent.nix").write_text(f'{{ ... }}: {{ environment.variables.ROUND = "{number}"; }}\n')
    who = ("-c", "user.name=hm1nd", "-c", "user.email=hm1nd@hive")
    await asyncio.to_thread(
        subprocess.run, ("git", *who, "-C", str(work), "commit", "-qam", f"Round {number}"), check=True
    )
    return await opened.submit(agent)


async def _deployed_here(opened: LocalHive, proposal: Proposal) -> float:
    """Deploy in this process; the seconds that its programs took."""
    timed = Timing(opened.host.runner)
    host: Host = replace(opened.host, runner=timed)
    with locks.acquire(locks.agent_lock(host.paths, proposal.agent), "a benchmark"):
        await decide.approve(host, proposal.id, proposal.commit, proposal.base, ANNA)
        asked = OperationRequest(
            kind=OperationKind.DEPLOY, agent=proposal.agent, operator=ANNA, proposal=proposal.id, note=""
        )
        before = timed.seconds
        await deploy.deploy(host, RecordingProgress(host), asked)
    return timed.seconds - before


async def test_a_log_of_a_gigabyte_from_its_end(record: Record, opened: LocalHive, agent: str) -> None:
    kept = Layout(opened.host.paths.root).log(names.container_of(agent)) / journal.OLDER
    line = b'{"t": 1700000000000000, "p": 6, "i": "harness", "m": "' + b"x" * 80 + b'"}\n'
    with kept.open("wb") as file:
        for _ in range(64):
            file.write(line * (GIGABYTE // 64 // len(line)))
    ours, peers = [], []
    for _ in range(ROUNDS):
        began = perf_counter()
        async with aclosing(opened.logs(LogQuery(agents=(agent,), lines=1000, follow=True))) as batches:
            async for _batch in batches:
                break
        ours.append((perf_counter() - began) * 1000)
        began = perf_counter()
        await opened.host.runner.run(Command(("tail", "-n", "1000", str(kept))))
        peers.append((perf_counter() - began) * 1000)
    kept.unlink()
    record(Figure("log of 1 GB: its last lines", "ms", median(ours), 500, "tail -n 1000", median(peers)))
