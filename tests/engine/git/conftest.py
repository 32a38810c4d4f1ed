"""A hive in a folder, with a git that a manager would use on the proposed repos."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings

Manager = Callable[..., str]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A hive below a temporary folder."""
    environment = {"PATH": os.environ["PATH"]}
    return Host(Paths(tmp_path / "hive"), Settings(), ProcessRunner(), environment=environment)


@pytest.fixture
def manager(host: Host, tmp_path: Path) -> Manager:
    """Runs git as the manager would, in iris's proposed repo or in another folder; gives its output."""
    who = {f"GIT_{role}_{part}": "m@m" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **who}

    def git(*args: str, stdin: bytes = b"", folder: Path | None = None) -> str:
        where = folder or host.paths.proposed("iris")
        command = ("git", "-c", "init.defaultBranch=main", "-C", str(where), *args)
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=True)
        return done.stdout.decode().strip()

    return git
