"""The engine as a systemd service on a real host: its units, its death in mid-build, clients from outside by SSH."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tests.host import agents, builds
from tests.host.machine import Machine

pytestmark = pytest.mark.host

EXPOSURE_LIMIT = 8.5
"""`systemd-analyze security` of an engine that must be root; 9.6 is a service without any hardening."""


def test_the_first_client_starts_the_engine_by_its_socket(service: Machine) -> None:
    service.sh("systemctl stop hivetui.service")
    assert service.sh("systemctl is-active hivetui.service", check=False).out.strip() == "inactive"
    service.hivetui("agents", check=None)  # an emulated machine may start the engine later than a client waits
    service.wait_until("systemctl is-active hivetui.service")
    service.hivetui("agents")
    assert service.sh("stat -c %a /run/hyperhive/host.sock").out.strip() == "666"
    second = service.sh(f"{service.program} engine", check=False)
    assert second.status == 75
    assert str(builds.main_pid(service)) in second.err


def test_the_hardening_of_the_unit_is_what_root_leaves(service: Machine) -> None:
    shown = service.sh("systemd-analyze security hivetui.service --no-pager", check=False).out
    found = re.search(r"Overall exposure level for hivetui\.service: (\d+\.\d+)", shown)
    assert found, shown
    print(f"\nsystemd-analyze security hivetui.service: {found[1]}")
    assert float(found[1]) <= EXPOSURE_LIMIT


def test_a_restart_and_a_kill_of_the_service_change_nothing_for_a_build(service: Machine, nora: str) -> None:
    proposal = builds.slow_change(service, nora, 40, "restarted")
    builds.approve_in_background(service, proposal)
    operation = builds.wait_for_build(service, proposal)
    first = builds.main_pid(service)
    service.sh("systemctl restart hivetui.service")
    assert builds.main_pid(service) != first
    builds.kill_engine(service)
    assert builds.wait_for_end(service, operation) == "succeeded"
    builds.assert_whole(service, operation, 40)
    assert agents.main(service, nora) == proposal["commit"]
    assert agents.run_inside(service, f"h-{nora}", "cat /etc/build") == "restarted"
    service.wait_until("test -e /tmp/approve.status")  # the verb has found the next engine, and followed to the end
    assert service.sh("cat /tmp/approve.status").out.strip() == "0", service.sh("cat /tmp/approve.out").out


WATCH = textwrap.dedent("""
    import json, os, socket, subprocess, sys, time
    name = sys.argv[1]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("/run/hyperhive/host.sock")
    lines = connection.makefile("rw")
    def send(**frame):
        lines.write(json.dumps(frame) + "\\n")
        lines.flush()
    send(id=1, verb="hello", schema="hivetui/1")
    send(id=2, verb="watch")
    def rows(frame):
        return (frame.get("snapshot") or frame.get("change") or {}).get("agents") or []
    killed = None
    for line in lines:
        frame = json.loads(line)
        for row in rows(frame):
            if row["name"] != name:
                continue
            if killed is None and row["state"] == "running":
                subprocess.run(["systemctl", "kill", "-s", "KILL", f"container@h-{name}.service"], check=True)
                killed = time.monotonic()
            elif killed is not None and row["state"] != "running":
                print(json.dumps({"state": row["state"], "seconds": time.monotonic() - killed}))
                sys.exit()
""")


def test_the_death_of_an_agent_is_told_by_systemd(service: Machine, nora: str) -> None:
    service.write("/tmp/watch.py", WATCH)
    seen = service.sh(f"timeout 120 python3 /tmp/watch.py {nora}").json
    print(f"\nkilled agent told as {seen['state']} after {seen['seconds']:.2f} s")
    assert seen["seconds"] < 20  # the slow comparison, which would find it too, is once a minute
    service.hivetui("start", nora, check=None)  # refused if systemd is starting it again already
    service.wait_until(f"{service.program} agents | grep -q '{nora}.*running'", seconds=180)


def _from_outside(environment: dict[str, str], *words: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "hivetui", "--host", "lab", "--json", *words]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_client_outside_is_killed_and_the_next_one_sees_all_of_the_build(
    service: Machine, nora: str, outside: dict[str, str]
) -> None:
    assert nora in [row["name"] for row in _from_outside(outside, "agents")["agents"]]
    proposal = builds.slow_change(service, nora, 30, "from outside")
    words = ("approve", str(proposal["id"]), "--commit", proposal["commit"], "--base", proposal["base"])
    argv = [sys.executable, "-m", "hivetui", "--host", "lab", *words]
    with subprocess.Popen(argv, env=outside, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        operation = builds.wait_for_build(service, proposal)
        process.send_signal(signal.SIGKILL)
    assert builds.wait_for_end(service, operation) == "succeeded"
    builds.assert_whole(service, operation, 30)
    shown = _from_outside(outside, "operation", str(operation))["operation"]
    assert (shown["state"], shown["proposal"]) == ("succeeded", proposal["id"])
