"""A hive in a folder, with a git that a manager would use on the proposed repos."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.engine.git.applied import AppliedRepo
from hivetui.engine.git.untrusted import proposed
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings
from tests.git_2 import GIT_2

Manager = Callable[..., str]


def new_host(root: Path) -> Host:
    return Host(Paths(root), Settings(), ProcessRunner(), environment={"PATH": os.environ["PATH"]})


def new_manager(host: Host, home: Path) -> Manager:
    who = {f"GIT_{role}_{part}": "m@m" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", **who, **GIT_2}

    def git(*args: str, stdin: bytes = b"", folder: Path | None = None) -> str:
        where = folder or host.paths.proposed("iris")
        command = ("git", "-c", "init.defaultBranch=main", "-C", str(where), *args)
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=True)
        return done.stdout.decode().strip()

    return git


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A hive below a temporary folder."""
    return new_host(tmp_path / "hive")


@pytest.fixture
def manager(host: Host, tmp_path: Path) -> Manager:
    """Runs git as the manager would, in iris's proposed repo or in another folder; gives its output."""
    return new_manager(host, tmp_path)


@pytest.fixture(scope="session")
def hive_of_iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a hive with the repos of iris, made by the engine once; it takes a dozen processes."""
    root = tmp_path_factory.mktemp("iris") / "hive"

    async def make() -> None:
        host = new_host(root)
        await proposed.create(host, "iris")
        await AppliedRepo(host, "iris").create_from_proposed()

    asyncio.run(make())
    return root


@pytest.fixture
def applied(host: Host, hive_of_iris: Path) -> AppliedRepo:
    """The applied repo of iris, which has a proposed one too, as both are after a spawn."""
    shutil.copytree(hive_of_iris, host.paths.root, symlinks=True)
    return AppliedRepo(host, "iris")
