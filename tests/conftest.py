"""What tests on a whole hive share: an embedded hive with one agent, and what must always hold of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hivetui.embedded import end_agents, open_embedded
from hivetui.engine.containers import units
from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.host.host import Host
from hivetui.engine.host.locks import acquire, agent_lock
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, OperationState, Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.engine.operations import launch, store
from hivetui.engine.proposals import decide, queries, submit

pytest.register_assert_rewrite("tests.invariants")
from tests import invariants  # noqa: E402
from tests.free_names import free_name, free_names  # noqa: E402
from tests.recording_progress import RecordingProgress  # noqa: E402
from tests.spawned_hive import SpawnedHive  # noqa: E402
from tests.warm.programs import end_server, use_warm_workers  # noqa: E402

# A suite that a shell started in the background ignores these signals, and its child processes would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

OPERATOR = Operator(name="walt", uid=1000, source="local")
_GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{field}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")},
}

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # otherwise each of hundreds of child processes compiles the engine


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Escape the bytes that a failed test of undecodable text quotes: sent as they are, they end the whole run."""
    return _escape_surrogates((yield))


def _escape_surrogates(content: object) -> object:
    if isinstance(content, str):
        return content.encode("utf-8", "backslashreplace").decode()
    if isinstance(content, dict):
        return {_escape_surrogates(key): _escape_surrogates(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(map(_escape_surrogates, content))
    return content


def pytest_sessionfinish() -> None:
    end_server()


@dataclass
class EmbeddedAgent:
    """The agent that a test is about, on an embedded hive."""

    host: Host
    name: str

    def new_progress(self) -> RecordingProgress:
        return RecordingProgress(self.host)

    @property
    def applied(self) -> AppliedRepo:
        return AppliedRepo(self.host, self.name)

    def free_name(self) -> str:
        return free_name()

    def with_settings(self, interrupted: str = "fail") -> EmbeddedAgent:
        section = DeploySection.model_validate({"health_seconds": 0, "interrupted": interrupted})
        settings = self.host.settings.model_copy(update={"deploy": section})
        return replace(self, host=replace(self.host, settings=settings))

    def request(self, kind: OperationKind, proposal: int | None = None) -> OperationRequest:
        return OperationRequest(kind=kind, agent=self.name, operator=OPERATOR, proposal=proposal)

    async def run(self, kind: OperationKind, proposal: int | None = None) -> Operation:
        """Run one operation to its end."""
        return await self.wait_for_end(launch.start(self.host, self.request(kind, proposal)))

    async def wait_for_end(self, operation: Operation) -> Operation:
        async for _ in store.follow(self.host.paths, operation.id):
            pass
        return store.read(self.host.paths, operation.id)

    async def spawn(self) -> None:
        operation = await self.run(OperationKind.SPAWN)
        assert operation.state is OperationState.SUCCEEDED, operation.error

    def commit(self, body: str) -> str:
        """Commit an agent.nix with this body to the proposed repo; the commit."""
        folder = self.host.paths.proposed(self.name)
        (folder / "agent.nix").write_text("{ ... }: {\n" + body + "\n}\n")
        for args in (("add", "-A"), ("commit", "-q", "-m", "Change", "--allow-empty")):
            subprocess.run(["git", *args], cwd=folder, env=_GIT, check=True, capture_output=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, env=_GIT, check=True, capture_output=True)
        return head.stdout.decode().strip()

    async def submit_and_approve(self, body: str, restart: bool = False) -> int:
        """Submit an agent.nix with this body and approve it; the id of the proposal."""
        proposal = await submit.submit(self.host, self.name, self.commit(body), "", OPERATOR)
        await self.approve(proposal.id, restart)
        return proposal.id

    async def approve(self, number: int, restart: bool = False) -> None:
        found = await queries.find_proposal(self.host, number)
        with acquire(agent_lock(self.host.paths, self.name), "test"):
            await decide.approve(self.host, number, found.commit, found.base, OPERATOR, restart=restart)

    async def state(self, number: int) -> ProposalState:
        return (await queries.find_proposal(self.host, number)).state

    async def is_up(self) -> bool:
        return units.is_up(await units.unit_states(self.host), self.name)

    async def check_invariants(self) -> None:
        """Assert what must hold of a hive on which no operation runs, whatever happened to it before."""
        await invariants.check(self.host, self.name)


@pytest.fixture
def unspawned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAgent]:
    """An agent that has not been spawned, on an empty embedded hive. A build takes long enough to be killed.

    Whatever agents the test starts are ended after it.
    """
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0.2")
    use_warm_workers()
    folder = tmp_path / "hive"
    settings = Settings(deploy=DeploySection(health_seconds=0))
    try:
        yield EmbeddedAgent(open_embedded(folder, settings), free_name())
    finally:
        end_agents(folder)


@pytest.fixture(scope="session")
def hive_of_one(tmp_path_factory: pytest.TempPathFactory) -> SpawnedHive:
    """A hive with one running agent, whose builds take long enough to be killed."""
    hive = SpawnedHive(tmp_path_factory.mktemp("hive") / "h", free_names(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0.2")
        patch.setenv("HIVETUI_DEPLOY__HEALTH_SECONDS", "0")
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        hive.spawn()
    return hive


@pytest.fixture
def agent(hive_of_one: SpawnedHive) -> Iterator[EmbeddedAgent]:
    """An agent that was spawned and runs, the only one of an embedded hive."""
    settings = Settings(deploy=DeploySection(health_seconds=0))
    with hive_of_one.restored() as folder:
        yield EmbeddedAgent(open_embedded(folder, settings), hive_of_one.agents[0])
