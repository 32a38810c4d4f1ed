"""Is this host fit for a hive: tools and their versions, nix's features, places, the base flake, the jail.

Every look is a `Check` with what was found and what to do. Nothing is changed.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from hivetui.engine.git.untrusted import jail
from hivetui.engine.host import programs
from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.warnings import Check

_OLDEST = {"git": (2, 32), "nix": (2, 8), "systemd": (247,)}
Program = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Its name, its argv prefix, and the arguments that make it say its version (none when it cannot)."""

_TIMEOUT = 20.0  # seconds for a program to say its version


async def run_checks(host: Host) -> tuple[Check, ...]:
    """Every check, in the order in which a newcomer would mend them."""
    programs = await asyncio.gather(*(_program(host, *row) for row in _programs(host)))
    asked = () if host.embedded else (await _flakes(host), await _systemd(host))
    return (*programs, *asked, await _jail(host), _base_flake(host), _user(host), *_places(host))


def version_of(text: str) -> tuple[int, ...]:
    """The first version in what a program says of itself: "git version 2.39.5" is (2, 39, 5)."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")[:4]) if found else ()


def _programs(host: Host) -> list[Program]:
    tools = host.tools
    version = ("--version",)
    rows: list[Program] = [("git", tools.git, version), ("nix", tools.nix, version)]
    rows += [("nix-env", tools.nix_env, version)]
    rows += [("nixos-container", tools.nixos_container, ()), ("systemctl", tools.systemctl, ())]
    return [*rows, ("journalctl", tools.journalctl, ())]


async def _program(host: Host, name: str, argv: tuple[str, ...], version: tuple[str, ...]) -> Check:
    """Is it there, and new enough? `version` are the arguments that make it say so, none when it cannot."""
    where = programs.find(host, argv)
    if where is None:
        if host.embedded and name in ("nix", "nix-env"):
            return Check(name=name, ok=True, found="not there; the embedded hive brings a stand-in", fix="")
        return Check(name=name, ok=False, found="not on PATH", fix=programs.INSTALL.format(name))
    if not version:
        return Check(name=name, ok=True, found=where, fix="")
    said = await _ask(host, (*argv, *version))
    if isinstance(said, HiveError):
        return Check(name=name, ok=False, found=said.what, fix=said.fix or programs.INSTALL.format(name))
    oldest = _OLDEST.get(name, ())
    fit = said.status == 0 and version_of(said.text) >= oldest
    fix = "" if fit else f"Bring {name} {'.'.join(map(str, oldest))} or newer."
    return Check(name=name, ok=fit, found=_first_line(said), fix=fix)


async def _ask(host: Host, argv: tuple[str, ...]) -> Completed | HiveError:
    """What the program answers; a program that cannot be run is an answer too."""
    try:
        return await host.runner.run(Command(argv, timeout=_TIMEOUT))
    except HiveError as error:
        return error


def _first_line(said: Completed) -> str:
    lines = (said.text or said.stderr.decode("utf-8", "backslashreplace")).strip().splitlines()
    return lines[0] if lines else f"ended with status {said.status}"


async def _flakes(host: Host) -> Check:
    """nix refuses flake commands unless both experimental features are on (nix.conf or NIX_CONFIG)."""
    said = await _ask(host, (*host.tools.nix, "show-config"))
    words: set[str] = set()
    if isinstance(said, Completed):
        found = re.search(r"^experimental-features = (.*)$", said.text, re.MULTILINE)
        words = set(found[1].split()) if found else set()
    missing = {"nix-command", "flakes"} - words
    fix = "Set experimental-features = nix-command flakes in /etc/nix/nix.conf." if missing else ""
    found_text = f"off: {', '.join(sorted(missing))}" if missing else "nix-command flakes"
    return Check(name="nix features", ok=not missing, found=found_text, fix=fix)


async def _systemd(host: Host) -> Check:
    said = await _ask(host, (*host.tools.systemctl, "--version"))
    if isinstance(said, HiveError):
        return Check(name="systemd", ok=False, found=said.what, fix="A hive needs a host that runs systemd.")
    booted = (host.paths.root / "run/systemd/system").is_dir() or Path("/run/systemd/system").is_dir()
    fit = booted and version_of(said.text) >= _OLDEST["systemd"]
    found = _first_line(said) if booted else "installed, but it does not run this host"
    return Check(name="systemd", ok=fit, found=found, fix="" if fit else "Boot the host with systemd 247 or newer.")


async def _jail(host: Host) -> Check:
    """Make a jail as a fetch from a proposed repo does: in it, git sees nothing but that repo."""
    if not jail.wanted(host):
        found = "none: a fetch runs as this user, and a proposed repo that is not plain files is refused first"
        fix = "Run as root that may mount, with bubblewrap and util-linux installed."
        return Check(name="jail", ok=os.geteuid() != 0, found=found, fix=fix)
    try:
        await jail.probe(host)
    except HiveError as error:
        return Check(name="jail", ok=False, found=f"{error.what}: {error.why}", fix=error.fix)
    return Check(name="jail", ok=True, found="a fetch sees nothing but the proposed repo", fix="")


def _base_flake(host: Host) -> Check:
    flake = host.settings.hive.flake
    if flake or host.embedded:
        return Check(name="base flake", ok=True, found=flake or "the embedded hive's own", fix="")
    fix = 'Write flake = "git+file:///…" under [hive] in /etc/hivetui/config.toml.'
    return Check(name="base flake", ok=False, found="not set", fix=fix)


def _user(host: Host) -> Check:
    fit = host.embedded or os.geteuid() == 0
    return Check(name="user", ok=fit, found=f"uid {os.geteuid()}", fix="" if fit else "Run hivetui as root.")


def _places(host: Host) -> list[Check]:
    paths = host.paths
    wanted = (paths.library, paths.runtime, paths.containers)
    return [_place(path) for path in wanted]


def _place(path: Path) -> Check:
    """Writable, or can be made: the nearest folder above it that is there is writable."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    fit = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    state = "writable" if fit else f"{there} is not writable"
    return Check(
        name=f"place {path}", ok=fit, found=state if there == path else f"not made yet; {state}", fix=_mend(fit)
    )


def _mend(fit: bool) -> str:
    return "" if fit else "Run hivetui as root, on a file system that is writable and not full."
