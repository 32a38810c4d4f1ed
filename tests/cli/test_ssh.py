"""Verbs on a hive elsewhere, through a real OpenSSH server on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from hivetui import cli
from tests.cli.conftest import Cli, Ran
from tests.cli.test_examples import commands
from tests.ssh_server import USER, SshServer, SshUser, needs_sshd

pytestmark = needs_sshd
_PASSED_ON = ("PYTHONPATH", "HIVETUI_EMBEDDED_NIX", "HIVETUI_EMBEDDED_BUILD_SECONDS", "HIVETUI_DEPLOY__HEALTH_SECONDS")


@dataclass
class Elsewhere:
    """The hive of the tests as a host `lab`, whose engine is a process there."""

    run: Cli
    server: SshServer
    user: SshUser
    config: Path

    def words(self, *words: str) -> list[str]:
        return ["--host", "lab", "--config", str(self.config), *words]

    def __call__(self, *words: str) -> Ran:
        self.run.capture.readouterr()
        status = cli.main(self.words(*words))
        return Ran(status, *self.run.capture.readouterr())

    def use(self, address: str = "", **settings: object) -> None:
        """What [hosts.lab] says."""
        address = address or f"{USER}@127.0.0.1:{self.server.port}"
        lines = [f"{key} = {json.dumps(value)}" for key, value in (settings | {"address": address}).items()]
        self.config.write_text("\n".join(["[hosts.lab]", *lines]))

    def command(self, **variables: str) -> list[str]:
        """What runs the engine there."""
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | variables
        engine = [sys.executable, "-m", "hivetui", "--embedded", str(self.run.folder), "engine", "--stdio"]
        return ["env", *(f"{name}={value}" for name, value in passed_on.items()), *engine]


@pytest.fixture
def elsewhere(run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    user = SshUser(tmp_path / "home")
    server = SshServer(tmp_path / "sshd", user.key, f"Banner {tmp_path}/banner")
    (tmp_path / "banner").write_text("Log in at https://login.example/\x1b[2Jx\n")
    user.learn(server)
    found = Elsewhere(run, server, user, tmp_path / "config.toml")
    found.use(command=found.command())
    yield found
    server.close()


@pytest.mark.slow
def test_a_proposal_is_read_and_approved_elsewhere_through_an_engine_that_is_started_there(
    elsewhere: Elsewhere,
) -> None:
    listed = elsewhere("agents", "--json")
    assert listed.status == 0, listed.err
    assert [row["name"] for row in listed.json["agents"]] == [elsewhere.run.agent]
    proposal = elsewhere.run.submit("{ ... }: { }\n# elsewhere\n")
    bound = ("--commit", proposal["commit"], "--base", proposal["base"])
    approved = elsewhere("approve", str(proposal["id"]), *bound, "--json")
    assert approved.status == 0, approved.err
    decided = elsewhere.run("show", str(proposal["id"]), "--json").json["proposal"]
    assert (decided["state"], decided["decided_by"]) == ("deployed", USER)


@pytest.mark.slow
@pytest.mark.parametrize("words", commands(elsewhere=True), ids=" ".join)
def test_every_example_with_a_host_runs_as_it_is_written(elsewhere: Elsewhere, words: list[str]) -> None:
    """The console is not opened without a terminal, which is told before any host is reached."""
    names = [after.partition("@")[2] or after for word, after in pairwise(words) if word == "--host"]
    command = json.dumps(elsewhere.command())
    address = f"{USER}@127.0.0.1:{elsewhere.server.port}"
    elsewhere.config.write_text(
        "".join(f'[hosts.{name}]\naddress = "{address}"\ncommand = {command}\n' for name in names)
    )
    adapted = [word.partition("@")[2] or word for word in words]
    argv = [sys.executable, "-m", "hivetui", *adapted, "--config", str(elsewhere.config)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == (64 if words[0].startswith("-") else 0), done.stderr
    assert (elsewhere.run.agent in done.stdout) is (done.returncode == 0)


@pytest.mark.slow
def test_a_line_that_is_cut_while_an_operation_is_followed_loses_and_repeats_nothing(elsewhere: Elsewhere) -> None:
    elsewhere.use(command=elsewhere.command(HIVETUI_EMBEDDED_BUILD_SECONDS="5"))
    argv = [sys.executable, "-m", "hivetui", *elsewhere.words("rebuild", elsewhere.run.agent, "--json")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stderr is not None
        next(line for line in starting.stderr if line.startswith("operation "))
        starting.terminate()
    number = elsewhere.run("operations", "--all", "--json").json["operations"][0]["id"]
    before = elsewhere.server.logins
    argv = [sys.executable, "-m", "hivetui", *elsewhere.words("operation", str(number), "-f", "--json")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        first = following.stdout.readline()
        elsewhere.server.cut()
        lines = [json.loads(line) for line in (first, *following.stdout)]
    numbers = [line["entry"]["number"] for line in lines if "entry" in line]
    assert numbers == list(range(1, len(numbers) + 1))
    assert lines[-1]["operation"]["state"] == "succeeded"
    assert elsewhere.server.logins > before + 1
    assert following.returncode == 0


@pytest.mark.slow
def test_agents_of_several_hosts_are_one_list_and_one_that_is_away_is_told(elsewhere: Elsewhere) -> None:
    with elsewhere.config.open("a") as file:
        file.write('\n[hosts.away]\naddress = "127.0.0.1:1"\n')
    ran = elsewhere("agents", "--host", "away", "--json")
    assert ran.status == 69
    assert [(row["host"], row["name"]) for row in ran.json["agents"]] == [("lab", elsewhere.run.agent)]
    assert [(error["host"], error["code"]) for error in ran.json["errors"]] == [("away", 69)]
    assert "away: 127.0.0.1 cannot be reached" in ran.err.splitlines()
    text = elsewhere("agents", "--host", "away").out.splitlines()
    assert [line.split()[:2] for line in text] == [["lab", "AGENT"], ["lab", elsewhere.run.agent]]


@pytest.mark.slow
def test_a_verb_whose_line_is_silent_ends_at_once_on_ctrl_c(elsewhere: Elsewhere) -> None:
    argv = [sys.executable, "-m", "hivetui", *elsewhere.words("logs", elsewhere.run.agent, "-f")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline()
        elsewhere.server.silence()
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 130


@pytest.mark.parametrize("config", [(), ("Host *", "StrictHostKeyChecking no", "UserKnownHostsFile none")])
def test_an_unknown_host_key_is_refused_whatever_ssh_config_says_and_not_learned(
    elsewhere: Elsewhere, config: tuple[str, ...]
) -> None:
    elsewhere.user.known_hosts.unlink()
    elsewhere.user.configure(*config)
    ran = elsewhere("agents", "--json")
    assert ran.status == 69
    assert ran.error["what"] == "The host key of 127.0.0.1 is not known"
    assert elsewhere.server.key.get_fingerprint() in ran.error["why"]
    assert not elsewhere.user.known_hosts.exists()


def test_a_host_key_that_has_changed_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.server.change_host_key()
    ran = elsewhere("agents", "--json")
    assert (ran.status, ran.error["what"]) == (69, "The host key of 127.0.0.1 has changed")
    assert elsewhere.server.key.get_fingerprint() in ran.error["why"]


def test_a_login_that_is_refused_is_77_for_a_wrong_key_and_a_wrong_user(elsewhere: Elsewhere) -> None:
    elsewhere.use(address=f"nobody-here@127.0.0.1:{elsewhere.server.port}")
    assert (ran := elsewhere("agents", "--json")).status == 77
    assert ran.json["error"]["what"] == "127.0.0.1 refused the login"
    assert ran.err.startswith("lab: Log in at https://login.example/‹U+001B›[2Jx\n")
    elsewhere.use()
    elsewhere.user.change_key()
    assert elsewhere("agents", "--json").status == 77


def test_a_host_is_reached_through_the_jump_host_of_ssh_config_whose_key_is_checked_too(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    jump = SshServer(tmp_path / "jump", elsewhere.user.key)
    try:
        target = (
            "Host inner",
            "HostName 127.0.0.1",
            f"Port {elsewhere.server.port}",
            f"User {USER}",
            "ProxyJump outer",
        )
        elsewhere.user.configure(*target, "Host outer", "HostName 127.0.0.1", f"Port {jump.port}", f"User {USER}")
        elsewhere.use(address="inner", command=["hivetui-is-not-here"])
        elsewhere.user.learn(elsewhere.server)
        assert elsewhere("agents", "--json").error["what"] == "The host key of 127.0.0.1 is not known"
        assert elsewhere.server.logins == 0
        elsewhere.user.learn(elsewhere.server, jump)
        ran = elsewhere("agents", "--json")
        assert (ran.status, ran.json["error"]["what"]) == (69, "No engine answers on lab")
        assert "status 127" in ran.json["error"]["why"]
        assert (jump.logins, elsewhere.server.logins) == (2, 1)
    finally:
        jump.close()


def test_an_identity_file_that_is_missing_is_left_out_and_a_mistake_in_ssh_config_is_78(elsewhere: Elsewhere) -> None:
    elsewhere.use(command=["true"])
    elsewhere.user.configure("Host *", "IdentityFile ~/.ssh/missing", "IdentityFile ~/.ssh/id_ed25519")
    assert elsewhere("agents", "--json").json["error"]["what"] == "No engine answers on lab"
    elsewhere.user.configure("Host *", "Port ssh")
    ran = elsewhere("agents", "--json")
    assert (ran.status, ran.error["what"]) == (78, "The SSH settings for 127.0.0.1 cannot be used")


def test_hosts_that_are_reached_through_each_other_are_78(elsewhere: Elsewhere) -> None:
    elsewhere.user.configure("Host *", "ProxyJump 127.0.0.1")
    ran = elsewhere("agents", "--json")
    assert (ran.status, ran.error["what"]) == (78, "ProxyJump has no end")


def test_no_connection_and_no_socket_are_69_in_words(elsewhere: Elsewhere) -> None:
    elsewhere.use(socket="/nonexistent/host.sock")
    ran = elsewhere("agents", "--json")
    assert (ran.status, ran.json["error"]["what"]) == (69, "No engine answers on lab")
    assert "/nonexistent/host.sock" in ran.json["error"]["why"]
    elsewhere.server.close()
    ran = elsewhere("agents", "--json")
    assert (ran.status, ran.error["what"]) == (69, "127.0.0.1 cannot be reached")


@pytest.mark.parametrize(
    "words",
    [
        ("--host", "a", "--root", "/x", "agents"),
        ("--embedded", "x", "agents", "--host", "a"),
        ("--host", "a", "stop", "x", "--host", "b"),
        ("--host", "", "agents"),
        ("--host=-oProxyCommand=x", "agents"),
        ("--host", "a;b", "agents"),
        ("--host", "a", "engine"),
        ("--host", "a", "demo"),
    ],
)
def test_what_names_no_host_or_too_many_is_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(words) == 64
    assert len(capsys.readouterr().err.splitlines()) == 3
