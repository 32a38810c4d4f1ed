"""The power is cut in the middle of a build, of a switch and of a spawn."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.host import agents
from tests.host.machine import Machine

pytestmark = pytest.mark.host

SLOW = '{ ... }: { lab.buildSeconds = 30; environment.etc."slow".text = "slow"; }\n'
QUICK = '{ ... }: { environment.etc."quick".text = "quick"; }\n'


@pytest.fixture(scope="module")
def cuttable(host: Machine) -> Iterator[Machine]:
    """A host whose power can be cut, with the agent vera on it."""
    if not host.crash_command:
        pytest.skip("this host's power cannot be cut (HIVE_HOST_CRASH, HIVE_HOST_AGAIN)")
    host.hivetui("spawn", "vera")
    host.sh("sync")
    yield host
    host.hivetui("destroy", "vera", "--purge", "--confirm", "vera")


def test_cut_in_the_middle_of_a_build(cuttable: Machine) -> None:
    proposal = agents.submit(cuttable, "vera", SLOW)
    _approve_until(cuttable, proposal, "build")
    _power_cut(cuttable)
    _consistent(cuttable, "vera")
    assert _state(cuttable, proposal) == "failed"
    again = cuttable.hivetui("submit", "vera", proposal["commit"]).json["proposal"]
    assert agents.approve(cuttable, again)["operation"]["state"] == "succeeded"


def test_cut_in_the_middle_of_a_switch(cuttable: Machine) -> None:
    proposal = agents.submit(cuttable, "vera", QUICK)
    _approve_until(cuttable, proposal, "switch|start|health")
    _power_cut(cuttable)
    _consistent(cuttable, "vera")
    if _state(cuttable, proposal) != "deployed":
        proposal = cuttable.hivetui("submit", "vera", proposal["commit"]).json["proposal"]
        assert agents.approve(cuttable, proposal)["operation"]["state"] == "succeeded"
    cuttable.until("nixos-container run h-vera -- cat /etc/quick | grep quick")


def test_cut_in_the_middle_of_a_spawn(cuttable: Machine) -> None:
    cuttable.sh(f"nohup {cuttable.program} spawn wanda >/dev/null 2>&1 </dev/null &")
    cuttable.until("test -e /etc/nixos-containers/h-wanda.conf")
    _power_cut(cuttable)
    cuttable.hivetui("warnings")
    if agents.agent(cuttable, "wanda")["state"] != "running":
        cuttable.hivetui("repair")
        cuttable.hivetui("start" if agents.agent(cuttable, "wanda")["state"] != "kept" else "spawn", "wanda")
    _consistent(cuttable, "wanda")
    cuttable.hivetui("destroy", "wanda", "--purge", "--confirm", "wanda")


def _approve_until(host: Machine, proposal: dict[str, str], step: str) -> None:
    arguments = f"approve {proposal['id']} --commit {proposal['commit']} --base {proposal['base']}"
    host.sh(f"nohup {host.program} {arguments} >/dev/null 2>&1 </dev/null &")
    host.until(f'{host.program} --json operations | grep -E \'"step": *"[^"]*({step})\'', 120)


def _power_cut(host: Machine) -> None:
    host.crash()
    host.again()
    host.until("systemctl is-system-running --wait | grep -E 'running|degraded'", 120)


def _state(host: Machine, proposal: dict[str, str]) -> str:
    return str(host.hivetui("show", str(proposal["id"])).json["proposal"]["state"])


def _consistent(host: Machine, name: str) -> None:
    """The invariants of a hive after repair; opening it is what repairs."""
    host.hivetui("agents")
    host.until(f"{host.program} --json operations | grep -q '\"operations\": *\\[\\]'", 120)
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
    host.until(
        f'{host.program} --json agents | grep -o \'"name": *"{name}".*\' | grep -m1 -o \'"state": *"running"\'', 120
    )
