"""nixos-container for an embedded host: the imperative containers of a flake.

Supports: create, update, start, stop, restart, terminate, status, list, destroy, show-ip. It has the pitfalls of the
real one, which the engine has to handle: `create` writes the configuration before it builds, and leaves it when the
build fails; the out-link `.tmp` is created in the current directory, read, and left; `update` of a running container
reloads it; `destroy` of a missing one succeeds silently; a name has at most 11 characters, which only `create` checks.
Does not support: run, root-login, containers without a flake.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from hivetui.embedded import units
from hivetui.embedded.files import locked, read_conf
from hivetui.embedded.layout import Layout

LONGEST_NAME = 11
_ARGUMENTS = {"--log-format": 1, "--update-input": 1, "--option": 2, "--override-input": 2}
_FLAGS = {
    "--impure",
    "--commit-lock-file",
    "--no-registries",
    "--no-update-lock-file",
    "--no-write-lock-file",
    "--no-allow-dirty",
    "--recreate-lock-file",
}


class Failure(Exception):
    """The error that ends the program, as the real one words it."""


class Request:
    """The parsed command line."""

    def __init__(self, arguments: list[str]) -> None:
        self.words: list[str] = []
        self.flags: list[str] = []
        self.flake: str | None = None
        self.attribute = "container"
        self._read(list(arguments))
        if self.flake and (found := re.fullmatch(r'(.*)#([^#"]+)', self.flake)):
            self.flake, self.attribute = found[1], found[2]

    def _read(self, remaining: list[str]) -> None:
        while remaining:
            argument = remaining.pop(0)
            if argument == "--flake" and remaining:
                self.flake = remaining.pop(0)
            elif argument.startswith("--flake="):
                self.flake = argument.partition("=")[2]
            elif argument in _ARGUMENTS or argument in _FLAGS:
                count = _ARGUMENTS.get(argument, 0)
                self.flags += [argument, *remaining[:count]]
                del remaining[:count]
            elif argument == "--":
                self.words += remaining
                return
            elif argument.startswith("-") and argument != "--auto-start":
                raise Failure(f"Unknown option: {argument.lstrip('-')}")
            elif not argument.startswith("-"):
                self.words.append(argument)


def main(root: str, arguments: list[str]) -> int:
    """Run one action; its exit status."""
    os.umask(0o022)
    try:
        return _act(Layout(root), Request(arguments))
    except Failure as failure:
        sys.stderr.write(f"nixos-container: {failure}\n")
        return 1


def _act(layout: Layout, request: Request) -> int:
    if not request.words:
        raise Failure("no action specified")
    action = request.words[0]
    if action == "list":
        print("".join(f"{path.stem}\n" for path in sorted(layout.containers.glob("*.conf"))), end="")
        return 0
    if len(request.words) < 2:
        raise Failure("no container name specified")
    name = request.words[1]
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", name):
        raise Failure("invalid container name")
    if action == "create":
        return _create(layout, name, request)
    if not layout.conf(name).exists():
        return _missing(action, name)
    if action not in ACTIONS:
        raise Failure(f"unknown action ‘{action}’ (the embedded nixos-container supports {', '.join(ACTIONS)})")
    return ACTIONS[action](layout, name, request)


def _missing(action: str, name: str) -> int:
    if action == "destroy":
        return 0
    if action == "status":
        print("gone")
    raise Failure(f"container ‘{name}’ does not exist")


def _create(layout: Layout, name: str, request: Request) -> int:
    if len(name) > LONGEST_NAME:
        raise Failure(f"container name ‘{name}’ is too long")
    _write_conf(layout, name, request.flake)
    if not request.flake:
        raise Failure("the embedded nixos-container supports only containers from flakes (--flake)")
    layout.profile(name).parent.mkdir(parents=True, exist_ok=True)
    return _set(layout, name, request.flake, request, "failed to set initial container configuration")


def _write_conf(layout: Layout, name: str, flake: str | None) -> None:
    with locked(layout.root / "run/lock/nixos-container"):
        if layout.conf(name).exists():
            raise Failure(f"container ‘{name}’ already exists")
        used = {read_conf(path).get("HOST_ADDRESS") for path in layout.containers.glob("*.conf")}
        subnet = next((n for n in range(1, 255) if f"10.233.{n}.1" not in used), None)
        if subnet is None:
            raise Failure("out of IP addresses")
        host, local = f"10.233.{subnet}.1", f"10.233.{subnet}.2"
        lines = ["PRIVATE_NETWORK=1", f"HOST_ADDRESS={host}", f"LOCAL_ADDRESS={local}", "HOST_BRIDGE=", "HOST_PORT="]
        lines += ["AUTO_START=0"] + ([f"FLAKE={flake}"] if flake else [])
        layout.conf(name).write_text("\n".join(lines) + "\n")
    sys.stderr.write(f"host IP is {host}, container IP is {local}\n")


def _set(layout: Layout, name: str, flake: str, request: Request, failure: str) -> int:
    """Build the system with the out-link `.tmp` in the current directory, and set the profile to its target."""
    target = f'{flake}#nixosConfigurations."{request.attribute}".config.system.build.toplevel'
    if not _run([*layout.nix_program("nix"), "build", "-o", ".tmp", *request.flags, "--", target]):
        raise Failure(f"failed to build container from flake '{flake}'")
    path = os.readlink(".tmp")  # noqa: PTH115  (the text itself is wanted)
    if not _run([*layout.nix_program("nix-env"), "-p", str(layout.profile(name)), "--set", path]):
        raise Failure(failure)
    return 0


def _run(argv: list[str]) -> bool:
    sys.stdout.flush()
    return subprocess.run(argv, check=False).returncode == 0


def _update(layout: Layout, name: str, request: Request) -> int:
    flake = request.flake or read_conf(layout.conf(name)).get("FLAKE", "")
    _set(layout, name, flake, request, "failed to set container configuration")
    if _is_running(layout, name):
        sys.stderr.write("reloading container...\n")
        if not _run([*layout.stand_in("systemctl"), "reload", f"container@{name}"]):
            raise Failure("failed to reload container")
    return 0


def _start(layout: Layout, name: str, _request: Request) -> int:
    if not _run([*layout.stand_in("systemctl"), "start", f"container@{name}"]):
        raise Failure("failed to start container")
    return 0


def _stop(layout: Layout, name: str, _request: Request) -> int:
    units.stop(layout, name)
    return 0


def _restart(layout: Layout, name: str, request: Request) -> int:
    _stop(layout, name, request)
    return _start(layout, name, request)


def _terminate(layout: Layout, name: str, _request: Request) -> int:
    if not _run([*layout.stand_in("machinectl"), "terminate", name]):
        raise Failure("failed to terminate container")
    return 0


def _status(layout: Layout, name: str, _request: Request) -> int:
    print("up" if _is_running(layout, name) else "down")
    return 0


def _destroy(layout: Layout, name: str, _request: Request) -> int:
    units.stop(layout, name)
    for path in (layout.profile(name).parent, layout.gcroots / name, layout.state / name):
        shutil.rmtree(path, ignore_errors=True)
    layout.conf(name).unlink(missing_ok=True)
    return 0


def _show_ip(layout: Layout, name: str, _request: Request) -> int:
    address = read_conf(layout.conf(name)).get("LOCAL_ADDRESS", "")
    if not address:
        raise Failure("cannot get IP address")
    print(address.partition("/")[0])
    return 0


def _is_running(layout: Layout, name: str) -> bool:
    return units.read(layout, name).active == "active"


ACTIONS = {
    "destroy": _destroy,
    "restart": _restart,
    "show-ip": _show_ip,
    "start": _start,
    "status": _status,
    "stop": _stop,
    "terminate": _terminate,
    "update": _update,
}
