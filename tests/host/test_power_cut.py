"""A power cut in the middle of a build, a switch and a spawn."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.host import agents
from tests.host.machine import Machine

pytestmark = pytest.mark.host

SLOW_MODULE = '{ ... }: { lab.buildSeconds = 30; environment.etc."slow".text = "slow"; }\n'
QUICK_MODULE = '{ ... }: { environment.etc."quick".text = "quick"; }\n'


@pytest.fixture(scope="module")
def host_with_vera(host: Machine) -> Iterator[Machine]:
    """A host whose power can be cut, with the agent vera."""
    if not host.cut_power_command:
        pytest.skip("this host's power cannot be cut (HIVE_HOST_CRASH, HIVE_HOST_AGAIN)")
    host.hivetui("spawn", "vera")
    host.sh("sync")
    yield host
    host.hivetui("destroy", "vera", "--purge", "--confirm", "vera")


def test_a_power_cut_during_a_build(host_with_vera: Machine) -> None:
    proposal = agents.submit(host_with_vera, "vera", SLOW_MODULE)
    _approve_and_wait_for_step(host_with_vera, proposal, "build")
    _power_cut(host_with_vera)
    _assert_consistent(host_with_vera, "vera")
    assert _state(host_with_vera, proposal) == "failed"
    again = host_with_vera.hivetui("submit", "vera", proposal["commit"]).json["proposal"]
    assert agents.approve(host_with_vera, again)["operation"]["state"] == "succeeded"


def test_a_power_cut_during_a_switch(host_with_vera: Machine) -> None:
    proposal = agents.submit(host_with_vera, "vera", QUICK_MODULE)
    _approve_and_wait_for_step(host_with_vera, proposal, "switch|start|health")
    _power_cut(host_with_vera)
    _assert_consistent(host_with_vera, "vera")
    if _state(host_with_vera, proposal) != "deployed":
        proposal = host_with_vera.hivetui("submit", "vera", proposal["commit"]).json["proposal"]
        assert agents.approve(host_with_vera, proposal)["operation"]["state"] == "succeeded"
    host_with_vera.wait_until("nixos-container run h-vera -- cat /etc/quick | grep quick")


def test_a_power_cut_during_a_spawn(host_with_vera: Machine) -> None:
    host_with_vera.sh(f"nohup {host_with_vera.program} spawn wanda >/dev/null 2>&1 </dev/null &")
    host_with_vera.wait_until("test -e /etc/nixos-containers/h-wanda.conf")
    _power_cut(host_with_vera)
    host_with_vera.hivetui("warnings")
    if agents.agent(host_with_vera, "wanda")["state"] != "running":
        host_with_vera.hivetui("repair")
        host_with_vera.hivetui(
            "start" if agents.agent(host_with_vera, "wanda")["state"] != "kept" else "spawn", "wanda"
        )
    _assert_consistent(host_with_vera, "wanda")
    host_with_vera.hivetui("destroy", "wanda", "--purge", "--confirm", "wanda")


def _approve_and_wait_for_step(host: Machine, proposal: dict[str, str], step: str) -> None:
    arguments = f"approve {proposal['id']} --commit {proposal['commit']} --base {proposal['base']}"
    host.sh(f"nohup {host.program} {arguments} >/dev/null 2>&1 </dev/null &")
    host.wait_until(f'{host.program} --json operations | grep -E \'"step": *"[^"]*({step})\'', 120)


def _power_cut(host: Machine) -> None:
    host.cut_power()
    host.boot()
    host.wait_until("systemctl is-system-running --wait | grep -E 'running|degraded'", 120)


def _state(host: Machine, proposal: dict[str, str]) -> str:
    return str(host.hivetui("show", str(proposal["id"])).json["proposal"]["state"])


def _assert_consistent(host: Machine, name: str) -> None:
    """Open the hive, which repairs it, and assert its invariants."""
    host.hivetui("agents")
    host.wait_until(f"{host.program} --json operations | grep -q '\"operations\": *\\[\\]'", 120)
    git = f"git -C {agents.APPLIED}/{name}/.git"
    host.sh(f"{git} fsck --strict")
    tags = agents.tags(host, name)
    ends = [tag.partition("/")[2] for tag in tags if tag.partition("/")[0] in ("deployed", "failed", "denied")]
    assert len(ends) == len(set(ends)), ends
    newest = max(int(tag.partition("/")[2]) for tag in tags if tag.startswith("deployed/"))
    main = agents.main(host, name)
    assert main == host.sh(f"{git} rev-parse 'deployed/{newest}^{{commit}}'").out.strip()
    lock = json.loads(host.sh(f"git -C {agents.META} show HEAD:flake.lock").out)
    assert lock["nodes"][f"agent-{name}"]["locked"]["rev"] == main
    assert host.sh(f"git -C {agents.META} status --porcelain").out == ""
    assert host.sh(f"cat /etc/nixos-containers/h-{name}.conf").out.strip()
    left = f"find {agents.APPLIED} {agents.META} -name '*.lock' ! -name flake.lock -o -name 'tmp_*'"
    assert host.sh(left).out == ""
    assert host.sh("find /etc/nixos-containers ! -name '*.conf' -type f").out == ""
    host.wait_until(
        f'{host.program} --json agents | grep -o \'"name": *"{name}".*\' | grep -m1 -o \'"state": *"running"\'', 120
    )
