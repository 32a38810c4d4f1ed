"""An embedded host with real nix or its stand-in, and agents on it that have repos and no container yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivetui.embedded import end_agents, open_embedded
from hivetui.engine.containers import conf, limits, nixos_container
from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model.settings import Settings
from tests.git_2 import GIT_2
from tests.recording_progress import RecordingProgress

_IDENTITY = {f"GIT_{role}_{part}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
_CLEAN = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **_IDENTITY, **GIT_2}
EMPTY_MODULE = "{ ... }: { }\n"
FLAKE = "{ outputs = _: { nixosModules.default = import ./agent.nix; }; }\n"


@dataclass(frozen=True)
class Repos:
    """The repos of one agent, made without the engine: a work tree to commit in, and the applied repo."""

    host: Host
    name: str

    @property
    def applied(self) -> Path:
        return self.host.paths.applied_git(self.name)

    @property
    def main(self) -> str:
        return _git(self.applied, "rev-parse", "main")

    def commit(self, files: dict[str, str]) -> str:
        """Write these files and commit them to proposed's main; applied gets the commit, held by a tag only."""
        work = self.host.paths.proposed(self.name)
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
        _git(work, "add", "-A")
        _git(work, "commit", "-q", "-m", "Change")
        commit = _git(work, "rev-parse", "HEAD")
        _git(self.applied, "fetch", "-q", "--no-tags", str(work), f"{commit}:refs/tags/proposal/{commit[:7]}")
        return commit

    def deploy(self, commit: str) -> None:
        """Move applied main."""
        _git(self.applied, "update-ref", "refs/heads/main", commit)


async def create_container(host: Host, progress: RecordingProgress, name: str = "iris") -> Path:
    """Create the container of an agent that has repos, ready to start; the store path of its system."""
    await repository.sync(host, progress, [name])
    system = await nixos_container.create(host, progress, name)
    conf.write_conf(host, name)
    await limits.write_limits(host, progress, name)
    for mount in host.paths.mounts(name):
        files.make_directory(Path(mount.source))
    return system


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, env=_CLEAN, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture(name="embedded", params=[pytest.param("real", marks=pytest.mark.slow), "stand-in"])
def embedded_fixture(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """An embedded host, once with the machine's nix (skipped without one) and once with the stand-in."""
    if request.param == "real" and shutil.which("nix") is None:
        pytest.skip("there is no nix on PATH")
    monkeypatch.setenv("HIVETUI_EMBEDDED_NIX", request.param)
    monkeypatch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    yield open_embedded(tmp_path / "host", Settings())
    end_agents(tmp_path / "host")


@pytest.fixture
def progress(embedded: Host) -> RecordingProgress:
    """A progress for lifecycle work on the embedded host."""
    return RecordingProgress(embedded)


@pytest.fixture
def make_repos(embedded: Host) -> Callable[[str], Repos]:
    """A function that makes the repos of an agent by name, as a spawn leaves them, and no container."""

    def make(name: str) -> Repos:
        repos = Repos(embedded, name)
        for folder, *how in ((embedded.paths.proposed(name),), (repos.applied, "--bare")):
            Path(folder).mkdir(parents=True)
            _git(Path(folder), "init", "-q", "-b", "main", *map(str, how))
        repos.deploy(repos.commit({"agent.nix": EMPTY_MODULE, "flake.nix": FLAKE}))
        return repos

    return make


@pytest.fixture
def iris(make_repos: Callable[[str], Repos]) -> Repos:
    """The repos of one agent."""
    return make_repos("iris")
