"""Verbs on a hive elsewhere, through a real OpenSSH server on the loopback."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hivetui import cli
from tests.cli.conftest import Cli, Ran
from tests.ssh_server import USER, SshServer, SshUser, needs_sshd

pytestmark = needs_sshd


@dataclass
class Elsewhere:
    """The hive of the tests as a host `lab`, whose engine is a process there."""

    run: Cli
    server: SshServer
    user: SshUser
    config: Path

    def __call__(self, *words: str, host: str = "lab") -> Ran:
        self.run.capture.readouterr()
        status = cli.main(["--host", host, "--config", str(self.config), *words])
        return Ran(status, *self.run.capture.readouterr())

    def use(self, **settings: object) -> None:
        """What [hosts.lab] has besides its address."""
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        address = f'address = "{USER}@127.0.0.1:{self.server.port}"'
        self.config.write_text("\n".join(["[hosts.lab]", address, *lines]))

    @property
    def command(self) -> list[str]:
        """What runs the engine there."""
        variables = [
            f"{name}={os.environ[name]}" for name in ("PYTHONPATH", "HIVETUI_EMBEDDED_NIX") if name in os.environ
        ]
        return [
            "env",
            *variables,
            sys.executable,
            "-m",
            "hivetui",
            "--embedded",
            str(self.run.folder),
            "engine",
            "--stdio",
        ]


@pytest.fixture
def elsewhere(run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    user = SshUser(tmp_path / "home")
    server = SshServer(tmp_path / "sshd", user.key)
    user.learn(server)
    found = Elsewhere(run, server, user, tmp_path / "config.toml")
    found.use(command=found.command)
    yield found
    server.close()


def test_agents_elsewhere_are_listed_through_an_engine_that_is_started_there(elsewhere: Elsewhere) -> None:
    ran = elsewhere("agents", "--json")
    assert ran.status == 0, ran.err
    assert [row["name"] for row in ran.json["agents"]] == [elsewhere.run.agent]
