"""What the tests of the command line share: verbs run in this process, on an embedded hive with one agent."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hivetui import cli
from tests.free_names import free_names
from tests.spawned_hive import SpawnedHive


@dataclass
class Ran:
    """How a verb ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        assert found.pop("schema") == "hivetui/1"
        return found

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        assert found["code"] == self.status
        assert self.err.splitlines() == [part for part in (found["what"], found["why"], found["fix"]) if part]
        return found


@dataclass
class Cli:
    """The command line on one embedded hive."""

    folder: Path
    agent: str
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Ran:
        self.capture.readouterr()
        status = cli.main(["--embedded", str(self.folder), *words])
        out, err = self.capture.readouterr()
        return Ran(status, out, err)

    @property
    def proposed(self) -> Path:
        return self.folder / f"var/lib/hyperhive/agents/{self.agent}/config"

    def commit(self, module: str, message: str = "A change") -> str:
        """A commit of agent.nix in the proposed repo, as the manager makes it."""
        (self.proposed / "agent.nix").write_text(module)
        self.git("commit", "--quiet", "--all", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """What git says in the proposed repo."""
        who = {f"GIT_{role}_{part}": "hm1nd" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *words], cwd=self.proposed, env=who | clean, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def applied(self, *words: str) -> str:
        """What git says in the applied repo."""
        folder = self.folder / f"var/lib/hyperhive/applied/{self.agent}/.git"
        return subprocess.run(["git", "--git-dir", folder, *words], check=True, capture_output=True, text=True).stdout

    def submit(self, module: str, message: str = "A change") -> dict[str, Any]:
        found: dict[str, Any] = self("submit", self.agent, self.commit(module, message), "--json").json["proposal"]
        return found

    def acknowledge(self, number: int | str) -> list[str]:
        """The words that acknowledge each critical finding of a proposal."""
        findings = self("show", str(number), "--json").json["proposal"]["findings"]
        return [f"--acknowledge={one['id']}" for one in findings if one["severity"] == "critical"]


def variables() -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    patch.setenv("HIVETUI_EMBEDDED_NIX", "stand-in")
    patch.setenv("HIVETUI_EMBEDDED_BUILD_SECONDS", "0")
    patch.setenv("HIVETUI_DEPLOY__HEALTH_SECONDS", "0")
    patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    return patch


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    patch = variables()
    yield
    patch.undo()


@pytest.fixture(scope="session")
def hive_of_the_command_line(tmp_path_factory: pytest.TempPathFactory) -> SpawnedHive:
    """A hive with one running agent, whose builds take no time."""
    hive, patch = SpawnedHive(tmp_path_factory.mktemp("hive") / "h", free_names(1)), variables()
    hive.spawn()
    patch.undo()
    return hive


@pytest.fixture(scope="module")
def home(hive_of_the_command_line: SpawnedHive) -> Iterator[Path]:
    """The folder of that hive, one for all tests of a module."""
    with hive_of_the_command_line.restored() as folder:
        yield folder


@pytest.fixture
def run(home: Path, hive_of_the_command_line: SpawnedHive, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(home, hive_of_the_command_line.agents[0], capsys)
