"""machinectl for an embedded host: a machine exists while its container runs.

Supports: show NAME [-p|--property A,B] [--value], terminate NAME, list, shell NAME, which is one of this machine with
the environment of the agent. Does not support: images, copying.
"""

from __future__ import annotations

import os
import sys

from hivetui.embedded import units
from hivetui.embedded.agent import System
from hivetui.embedded.layout import Layout
from hivetui.embedded.systemctl import Options


def main(root: str, arguments: list[str]) -> int:
    """Run one command; its exit status."""
    layout = Layout(root)
    try:
        options = Options(arguments)
    except ValueError as failure:
        sys.stderr.write(str(failure).replace("systemctl", "machinectl", 1) + "\n")
        return 1
    verb, *names = options.words or ["list"]
    if verb == "list":
        running = [unit.container for unit in units.loaded(layout) if unit.active == "active"]
        print("\n".join([f"{name} container systemd-nspawn" for name in running] or ["No machines."]))
        return 0
    if verb == "shell" and len(names) == 1:
        _become_shell(layout, names[0])
        return 1
    if verb not in ("show", "terminate") or not names:
        sys.stderr.write(f"Unknown command verb {verb}. (The embedded machinectl does not support it.)\n")
        return 1
    return max(_run(layout, verb, name, options) for name in names)


def _run(layout: Layout, verb: str, name: str, options: Options) -> int:
    unit = units.read(layout, name) if "/" not in name else units.Unit(name)
    if unit.active not in ("active", "deactivating"):
        sys.stderr.write(f"Could not get path to machine: No machine '{name}' known\n")
        return 1
    if verb == "terminate":
        units.stop(layout, name)
        return 0
    state = "running" if unit.active == "active" else "closing"
    values = {"Name": name, "Class": "container", "Service": "systemd-nspawn", "Unit": unit.name}
    values |= {"Leader": str(unit.pid), "State": state}
    for key, value in values.items():
        if not options.properties or key in options.properties:
            print(value if options.value else f"{key}={value}")
    return 0


def _become_shell(layout: Layout, name: str) -> None:
    """Replace this process by a shell; returns when there is no such machine."""
    if "/" in name or units.read(layout, name).active != "active":
        sys.stderr.write(f"Failed to get shell PTY: No machine '{name}' known\n")
        return
    sys.stderr.write(f"Connected to machine {name}. It is embedded: this is a shell of your own machine.\n")
    environment = {**os.environ, **System(layout.profile(name)).environment}
    os.execve("/bin/sh", ["sh"], environment)  # noqa: S606  (as machinectl it takes the terminal)
