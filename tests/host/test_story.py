"""A day's work on a real host by the command line, as root. Each test uses agents of its own, or iris."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.host import agents
from tests.host.machine import Machine

pytestmark = pytest.mark.host

EMPTY = "{ ... }: { }\n"


@pytest.fixture(scope="module")
def iris(host: Machine) -> Iterator[str]:
    """The agent iris, running."""
    ended = host.hivetui("spawn", "iris").json["operation"]
    assert ended["state"] == "succeeded"
    yield "iris"
    host.hivetui("destroy", "iris", "--purge", "--confirm", "iris")


def test_a_spawned_agent_answers_on_its_port(host: Machine, iris: str) -> None:
    row = agents.agent(host, iris)
    assert (row["container"], row["port"], row["state"], row["deployed"]) == ("h-iris", 8178, "running", 0)
    agents.wait_for_answer(host, iris, 8178)


def test_configuration_and_limits_are_as_specified(host: Machine, iris: str) -> None:
    conf = host.sh("cat /etc/nixos-containers/h-iris.conf").out.splitlines()
    assert {"PRIVATE_NETWORK=0", "HOST_ADDRESS=", "LOCAL_ADDRESS=", "HOST_ADDRESS6=", "LOCAL_ADDRESS6="} <= set(conf)
    assert "HOST_BRIDGE=" in conf
    flags = next(line for line in conf if line.startswith("EXTRA_NSPAWN_FLAGS="))
    assert "/run/hyperhive/agents/iris:/run/hive" in flags
    assert "/var/lib/hyperhive/agents/iris/claude:/root/.claude" in flags
    assert "/var/lib/hyperhive/agents/iris/state:/state" in flags
    shown = host.sh("systemctl show container@h-iris.service -p MemoryMax,CPUQuotaPerSecUSec").out
    assert "MemoryMax=2147483648" in shown
    assert "CPUQuotaPerSecUSec=2s" in shown  # as the tests have set it
    assert host.sh("stat -c %a /var/lib/hyperhive/agents/iris/claude").out.strip() == "700"


def test_an_approved_change_takes_effect_and_services_have_their_identity(host: Machine, iris: str) -> None:
    module = """{ ... }: {
      environment.etc."greeting".text = "hello from iris";
      systemd.services.witness.script = "env > /state/witness";
    }
    """
    proposal = agents.submit(host, iris, module, "greet")
    assert [change["path"] for change in proposal["files"]] == ["agent.nix"]
    assert agents.approve(host, proposal)["operation"]["state"] == "succeeded"
    assert agents.run_inside(host, "h-iris", "cat /etc/greeting") == "hello from iris"
    host.wait_until("grep -q HIVE_LABEL=iris /var/lib/hyperhive/agents/iris/state/witness")
    witness = host.sh("cat /var/lib/hyperhive/agents/iris/state/witness").out
    assert "HIVE_PORT=8178" in witness
    assert "HIVE_DASHBOARD_PORT=" in witness
    assert "GIT_AUTHOR_NAME=" in witness
    assert agents.main(host, iris) == proposal["commit"]
    assert f"deployed/{proposal['id']}" in agents.tags(host, iris)
    lock = json.loads(host.sh(f"cat {agents.META}/flake.lock").out)
    assert lock["nodes"]["agent-iris"]["locked"]["rev"] == proposal["commit"]
    agents.wait_for_answer(host, iris, 8178)


def test_a_proposal_that_fails_to_build_changes_nothing_and_says_why(host: Machine, iris: str) -> None:
    before = _state_of(host, iris)
    proposal = agents.submit(host, iris, '{ ... }: { lab.fail = "no such package: flurb"; }\n', "break the build")
    ended = agents.approve(host, proposal, check=1)["operation"]
    assert ended["state"] == "failed"
    assert _state_of(host, iris) == before
    output = host.sh(
        f"git -C {agents.APPLIED}/iris/.git for-each-ref --format='%(contents)' refs/tags/failed/{proposal['id']}"
    ).out
    assert "no such package: flurb" in output
    agents.wait_for_answer(host, iris, 8178)


def test_a_system_that_does_not_come_up_is_rolled_back(host: Machine, iris: str) -> None:
    before = _state_of(host, iris)
    proposal = agents.submit(host, iris, "{ ... }: { lab.broken = true; }\n", "break the boot")
    assert agents.approve(host, proposal, check=1)["operation"]["state"] == "failed"
    assert agents.agent(host, iris)["state"] == "running"
    assert _state_of(host, iris) == before
    agents.wait_for_answer(host, iris, 8178)


def test_a_denied_proposal_keeps_its_note(host: Machine, iris: str) -> None:
    proposal = agents.submit(host, iris, '{ ... }: { environment.etc."no".text = "no"; }\n', "not wanted")
    denied = host.hivetui("deny", str(proposal["id"]), "--note", "not today").json["proposal"]
    assert (denied["state"], denied["note"]) == ("denied", "not today")
    host.hivetui("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"], check=75)


def test_a_roll_back_deploys_an_earlier_commit_under_a_new_id(host: Machine, iris: str) -> None:
    first = host.sh(f"git -C {agents.APPLIED}/iris/.git rev-parse 'deployed/0^{{commit}}'").out.strip()
    ended = host.hivetui("rollback", iris, "--to", "0", "--note", "back to the beginning").json["operation"]
    assert ended["state"] == "succeeded"
    assert agents.main(host, iris) == first
    newest = host.hivetui("history", iris).json["history"][0]
    assert (newest["kind"], newest["commit"], newest["running"]) == ("rollback", first, True)
    assert "greeting" not in agents.run_inside(host, "h-iris", "ls /nix/var/nix/profiles/system/etc")


def test_stop_start_restart_and_rebuild(host: Machine, iris: str) -> None:
    host.hivetui("stop", iris)
    assert agents.agent(host, iris)["state"] == "stopped"
    host.hivetui("start", iris)
    agents.wait_for_answer(host, iris, 8178)
    assert host.hivetui("restart", iris).json["operation"]["state"] == "succeeded"
    agents.wait_for_answer(host, iris, 8178)
    ended = host.hivetui("rebuild", iris, env="HIVETUI_LIMITS__CPU_QUOTA=50%").json["operation"]
    assert ended["state"] == "succeeded"
    assert "=500ms" in host.sh("systemctl show container@h-iris.service -p CPUQuotaPerSecUSec").out
    agents.wait_for_answer(host, iris, 8178)


def test_destroy_keeps_the_history_and_purge_removes_it(host: Machine) -> None:
    host.hivetui("spawn", "dora")
    proposal = agents.submit(host, "dora", '{ ... }: { environment.etc."x".text = "x"; }\n')
    agents.approve(host, proposal)
    host.sh(f"echo keep > {agents.AGENTS}/dora/state/notes")
    host.hivetui("destroy", "dora")
    assert agents.agent(host, "dora")["state"] == "kept"
    host.sh("test ! -e /etc/nixos-containers/h-dora.conf")
    assert "agent-dora" not in host.sh(f"cat {agents.META}/flake.nix").out
    host.hivetui("spawn", "dora")
    assert agents.agent(host, "dora")["deployed"] == proposal["id"]
    assert agents.run_inside(host, "h-dora", "cat /state/notes /etc/x") == "keep\nx"
    assert [row["id"] for row in host.hivetui("history", "dora").json["history"]] == [proposal["id"], 0]
    host.hivetui("destroy", "dora", "--purge", check=64)
    host.hivetui("destroy", "dora", "--purge", "--confirm", "dora")
    host.sh(
        f"test ! -e {agents.AGENTS}/dora && test ! -e {agents.APPLIED}/dora && test ! -e /run/hyperhive/agents/dora"
    )
    assert all(row["name"] != "dora" for row in host.hivetui("agents").json["agents"])


def test_the_manager_has_three_more_mounts_two_of_them_read_only(host: Machine) -> None:
    host.hivetui("spawn", "hm1nd")
    assert agents.agent(host, "hm1nd")["port"] == 8000
    agents.run_inside(host, "hm1nd", "touch /agents/witness && rm /agents/witness")
    for place in ("/applied", "/meta"):
        output = agents.run_inside(host, "hm1nd", f"ls {place} >/dev/null && touch {place}/witness 2>&1 || true")
        assert "Read-only file system" in output
    host.hivetui("destroy", "hm1nd", "--purge", "--confirm", "hm1nd")


def test_two_agents_with_one_port_cannot_both_run(host: Machine) -> None:
    host.hivetui("spawn", "olivia")
    refused = host.hivetui("spawn", "qa", check=75).json["error"]
    words = " ".join((refused["what"], refused["why"], refused["fix"]))
    assert "8991" in words
    assert "olivia" in words
    assert "rename" in words.lower() or "another name" in words.lower()
    host.sh("test ! -e /etc/nixos-containers/h-qa.conf")
    host.hivetui("stop", "olivia")
    host.hivetui("spawn", "qa")
    assert host.hivetui("start", "olivia", check=75).json["error"]["code"] == 75
    warning = next(row for row in host.hivetui("warnings").json["warnings"] if row["code"] == "port-collision")
    assert (sorted(warning["agents"]), warning["port"]) == (["olivia", "qa"], 8991)
    for name in ("olivia", "qa"):
        host.hivetui("destroy", name, "--purge", "--confirm", name)


def _state_of(host: Machine, name: str) -> tuple[str, ...]:
    """Everything that a failed deploy must not change."""
    return (
        agents.profile(host, f"h-{name}"),
        agents.main(host, name),
        host.sh(f"git -C {agents.META} rev-parse HEAD; git -C {agents.META} status --porcelain").out,
        host.sh(f"cat /etc/nixos-containers/h-{name}.conf").out,
    )
