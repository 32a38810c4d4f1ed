"""Builds of a known length on the host, watched from here while programs there are killed."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

from tests.host import agents
from tests.host.machine import Machine


def main_pid(host: Machine, unit: str = "hivetui.service") -> int:
    """The main process of a unit there."""
    return int(host.sh(f"systemctl show {unit} -P MainPID").out)


def kill_engine(host: Machine) -> None:
    """Kill the engine, and wait until systemd has the next one up: an emulated machine takes longer than clients."""
    killed = main_pid(host)
    host.sh(f"kill -9 {killed}")
    next_pid = "pid=$(systemctl show hivetui.service -P MainPID); test $pid != 0"
    host.wait_until(f"{next_pid} && test $pid != {killed} && systemctl is-active -q hivetui.service")


def slow_change(host: Machine, name: str, seconds: int, label: str) -> dict[str, Any]:
    """A proposal whose build prints a step each second for so long, also where these tests have run before."""
    lines = (  # short ones: what is cut on a screen has to be read before it is approved
        f"lab.buildSeconds = {seconds};",
        f'environment.etc."build".text = "{label}";',
        f'environment.etc."once".text = "{secrets.token_hex(8)}";',
    )
    module = "{ ... }: {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"
    return agents.submit(host, name, module, f"build for {seconds} seconds: {label}")


def approve_in_background(host: Machine, proposal: dict[str, Any]) -> None:
    """Start the verb there; its exit status comes into /tmp/approve.status."""
    words = f"approve {proposal['id']} --commit {proposal['commit']} --base {proposal['base']}"
    line = f"{host.program} {words} >/tmp/approve.out 2>&1; echo $? >/tmp/approve.status"
    host.sh(f"rm -f /tmp/approve.*; nohup setsid sh -c '{line}' >/dev/null 2>&1 </dev/null &")


def wait_for_build(host: Machine, proposal: dict[str, Any]) -> int:
    """Wait until the build of a proposal has printed its second step; the number of the operation."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        for row in host.hivetui("operations", check=None).json.get("operations", ()):
            if row["proposal"] == proposal["id"] and "step 2 of" in output(host, row["id"]):
                return int(row["id"])
        time.sleep(1)
    raise AssertionError(f"no build of #{proposal['id']}: {host.sh('cat /tmp/approve.out', check=False).out}")


def output(host: Machine, operation: int) -> str:
    """All that an operation has printed."""
    return host.sh(f"{host.program} operation {operation}", check=False).out


def wait_for_end(host: Machine, operation: int, seconds: float = 300) -> str:
    """The state in which an operation ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = host.hivetui("operation", str(operation), check=None)  # while the engine is replaced: an error
        if shown.status != 69 and (state := str(shown.json["operation"]["state"])) != "running":
            return state
        time.sleep(2)
    raise AssertionError(f"operation {operation} does not end")


def assert_whole(host: Machine, operation: int, seconds: int) -> None:
    """Its output begins with the first step of the build and has each once."""
    steps = re.findall(rf"step (\d+) of {seconds}\b", output(host, operation))
    assert steps == [str(number) for number in range(1, seconds + 1)]
