from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.machine import LAB, PROGRAM, PROJECT, Machine, find_machine

LIMITS = "HIVETUI_REVIEW__EVAL_TIMEOUT=40 HIVETUI_REVIEW__EVAL_MEMORY=1G"
"""Of evaluations, so that one that never ends is soon stopped."""
UNITS = ("hivetui.service", "hivetui.socket")
PROGRAM_PATH = "/usr/local/bin/hivetui"
"""The unit expects it where NixOS has it: below /run, where other systems let nothing be executed."""


@pytest.fixture(scope="session")
def host() -> Iterator[Machine]:
    """A disposable host with hivetui installed; skipped where there is none, an error where CI must have one."""
    machine = find_machine()
    if machine is None:
        if os.environ.get("HIVE_HOST_REQUIRED"):
            pytest.fail("no disposable host: set HIVE_HOST, or put the lab beside the checkout")
        pytest.skip("no disposable host (HIVE_HOST)")
    machine.install()
    yield machine
    if machine.destroy_command:
        machine.destroy()


@pytest.fixture(scope="module")
def service(host: Machine) -> Iterator[Machine]:
    """The host with the units of contrib/systemd, started."""
    host.write(PROGRAM_PATH, f'#!/bin/sh\nPYTHONPATH={PROGRAM} exec python3 -m hivetui "$@"\n')
    host.sh(f"chmod 755 {PROGRAM_PATH}")
    settings = f"HIVETUI_HIVE__FLAKE={host.flake} HIVETUI_LIMITS__CPU_QUOTA=200%% {LIMITS}"
    drop_in = f"[Service]\nEnvironment={settings}\nExecStart=\nExecStart={PROGRAM_PATH} engine\n"
    host.write("/run/systemd/system/hivetui.service.d/lab.conf", drop_in)
    for unit in UNITS:
        host.write(f"/run/systemd/system/{unit}", (PROJECT / "contrib/systemd" / unit).read_text())
    host.sh("systemctl daemon-reload; systemctl start hivetui.socket hivetui.service")
    yield host
    host.sh("systemctl stop hivetui.socket hivetui.service")
    host.sh(f"rm -r {PROGRAM_PATH} /run/systemd/system/hivetui.*; systemctl daemon-reload")


@pytest.fixture(scope="module")
def nora(service: Machine) -> Iterator[str]:
    """The agent nora, spawned through the service."""
    assert service.hivetui("spawn", "nora").json["operation"]["state"] == "succeeded"
    yield "nora"
    service.hivetui("destroy", "nora", "--purge", "--confirm", "nora")


@pytest.fixture(scope="module")
def outside(service: Machine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user elsewhere whose ssh knows the host as `lab`."""
    if service.command[0] != str(LAB):
        pytest.skip("only the lab's address and key are known here")
    lab = Path(
        os.environ.get("HIVELAB_DIR", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hivelab")
    )
    port = os.environ.get("HIVELAB_PORT", "2222")
    home = tmp_path_factory.mktemp("home")
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    scan = subprocess.run(
        ["ssh-keyscan", "-T", "60", "-p", port, "127.0.0.1"], capture_output=True, check=True, timeout=90
    )
    (folder / "known_hosts").write_bytes(scan.stdout)
    known = f"UserKnownHostsFile {folder}/known_hosts"
    lines = ("Host lab", "HostName 127.0.0.1", f"Port {port}", "User root", f"IdentityFile {lab / 'key'}", known)
    (folder / "config").write_text("\n  ".join(lines) + "\n")
    environment = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "PYTHONPATH": str(PROJECT)}
    return {name: value for name, value in environment.items() if not name.startswith("SSH_")}
