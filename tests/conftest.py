"""What tests on a whole hive share: an embedded one, an agent's name that is free here, and what must always hold."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import string
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hivetui.embedded import end_agents, open_embedded
from hivetui.engine.containers import ports, units
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.host.runner import command_failed
from hivetui.engine.model import names
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, OperationState, Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.engine.operations import launch, store
from hivetui.engine.proposals import decide, queries, submit

pytest.register_assert_rewrite("tests.invariants")
from tests import invariants  # noqa: E402

# A suite that a shell put into the background ignores these, and what it starts would too
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

WALT = Operator(name="walt", uid=1000, source="local")
_GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of children of ours would each compile the engine anew


def free_name() -> str:
    """A name whose port nobody listens on: agents of other tests run on this machine too."""
    while True:
        name = "t" + "".join(random.choices(string.ascii_lowercase, k=6))
        port = names.port_of(name)
        if port not in ports.listeners(Host(None, None, None), {port}):  # type: ignore[arg-type]
            return name


class Told:
    """A progress that keeps what it is told."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.steps: list[str] = []
        self._reached: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def step(self, name: str) -> None:
        self.steps.append(name)
        self._reached[name].set()

    async def reached(self, name: str) -> None:
        """Wait until that step begins."""
        await self._reached[name].wait()

    def say(self, text: str) -> None:
        """Talk is not looked at."""

    async def run(self, command: Command) -> Completed:
        completed = await self.host.runner.run(command)
        if completed.status:
            raise command_failed(completed)
        return completed


@dataclass
class Stage:
    """An embedded hive and the agent that a test is about."""

    host: Host
    name: str

    @property
    def told(self) -> Told:
        return Told(self.host)

    @property
    def applied(self) -> AppliedRepo:
        return AppliedRepo(self.host, self.name)

    def free_name(self) -> str:
        return free_name()

    def with_settings(self, interrupted: str = "fail") -> Stage:
        section = DeploySection.model_validate({"health_seconds": 0, "interrupted": interrupted})
        settings = self.host.settings.model_copy(update={"deploy": section})
        return replace(self, host=replace(self.host, settings=settings))

    def asked(self, kind: OperationKind, proposal: int | None = None) -> OperationRequest:
        return OperationRequest(kind=kind, agent=self.name, operator=WALT, proposal=proposal)

    async def run(self, kind: OperationKind, proposal: int | None = None) -> Operation:
        """One operation from its start to its end."""
        return await self.ended(launch.start(self.host, self.asked(kind, proposal)))

    async def ended(self, operation: Operation) -> Operation:
        async for _ in store.follow(self.host.paths, operation.id):
            pass
        return store.read(self.host.paths, operation.id)

    async def spawn(self) -> None:
        operation = await self.run(OperationKind.SPAWN)
        assert operation.state is OperationState.SUCCEEDED, operation.error

    def commit(self, body: str) -> str:
        """A commit of proposed whose agent.nix has this body."""
        folder = self.host.paths.proposed(self.name)
        (folder / "agent.nix").write_text("{ ... }: {\n" + body + "\n}\n")
        for args in (("add", "-A"), ("commit", "-q", "-m", "Change", "--allow-empty")):
            subprocess.run(["git", *args], cwd=folder, env=_GIT, check=True, capture_output=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, env=_GIT, check=True, capture_output=True)
        return head.stdout.decode().strip()

    async def approved(self, body: str) -> int:
        """The id of a new proposal of this body that is approved."""
        proposal = await submit.submit(self.host, self.name, self.commit(body), "", WALT)
        await self.approve(proposal.id)
        return proposal.id

    async def approve(self, number: int) -> None:
        found = await queries.find_proposal(self.host, number)
        with acquire(agent_lock(self.host.paths, self.name), "test"):
            await decide.approve(self.host, number, found.commit, found.base, WALT)

    async def state(self, number: int) -> ProposalState:
        return (await queries.find_proposal(self.host, number)).state

    async def is_up(self) -> bool:
        return units.is_up(await units.unit_states(self.host), self.name)

    async def check(self) -> None:
        """What must hold of a hive in which nothing is going on, whatever happened to it before."""
        await invariants.check(self.host, self.name)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """An embedded hive without agents, whose agents are ended after the test. A build is long enough to be killed."""
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0.2")
    folder = tmp_path / "hive"
    settings = Settings(deploy=DeploySection(health_seconds=0))
    try:
        yield Stage(open_embedded(folder, settings), free_name())
    finally:
        end_agents(folder)


@pytest.fixture
async def agent(stage: Stage) -> Stage:
    """The same with one agent, spawned and running."""
    await stage.spawn()
    return stage
