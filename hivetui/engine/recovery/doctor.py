"""Checks whether this host is fit for a hive: programs and their versions, nix, the jail, settings, directories.

To add a check: write an async function that takes the host and returns a `Check`, or None where it does not apply,
and add it to `_CHECKS`. A check changes nothing and does not raise.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from hivetui.engine import tool_messages
from hivetui.engine.git.untrusted import jail, quarantine
from hivetui.engine.host import programs
from hivetui.engine.host.host import Command, Completed, Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.places import DOOR_KEY
from hivetui.engine.model.warnings import RULES_CHECK, Check
from hivetui.engine.records import signing
from hivetui.engine.review.findings.fixtures import dead_rules
from hivetui.engine.review.findings.rule_set import load_rules

CheckFunction = Callable[[Host], Awaitable[Check | None]]
_MIN_VERSIONS = {"git": (2, 32), "nix": (2, 8), "systemd": (247,)}
_TIMEOUT = 20.0  # seconds for a program to print its version


async def run_checks(host: Host) -> tuple[Check, ...]:
    """The result of every check, in the order of `_CHECKS`."""
    results = await asyncio.gather(*(_run_check(check, host) for check in _CHECKS))
    return tuple(result for result in results if result is not None)


async def _run_check(check: CheckFunction, host: Host) -> Check | None:
    """The result of a check, with the messages of the programs that it ran and that did not fail."""
    with tool_messages.collected() as messages:
        result = await check(host)
    if result is None or not messages:
        return result
    return result.model_copy(update={"found": "; ".join((result.found, *messages))})


def version_of(text: str) -> tuple[int, ...]:
    """The first version number in a text: of "git version 2.39.5" it is (2, 39, 5)."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")[:4]) if match else ()


def _program(name: str, argv_of: Callable[[Tools], tuple[str, ...]], has_version: bool = True) -> CheckFunction:
    """The check that a program is installed, and new enough if it can print its version."""

    async def check(host: Host) -> Check:
        argv = argv_of(host.tools)
        path = programs.find(host, argv)
        if path is None:
            if host.embedded and name in ("nix", "nix-env"):
                found = "not installed; the embedded hive has a replacement"
                return Check(name=name, ok=True, found=found, fix="")
            return Check(name=name, ok=False, found="not on PATH", fix=programs.INSTALL.format(name))
        if not has_version:
            return Check(name=name, ok=True, found=path, fix="")
        return await _check_version(host, name, argv)

    return check


async def _check_version(host: Host, name: str, argv: tuple[str, ...]) -> Check:
    output = await _run(host, (*argv, "--version"))
    if isinstance(output, HiveError):
        return Check(name=name, ok=False, found=output.what, fix=output.fix or programs.INSTALL.format(name))
    minimum = _MIN_VERSIONS.get(name, ())
    ok = output.status == 0 and version_of(output.text) >= minimum
    fix = "" if ok else f"Install {name} {'.'.join(map(str, minimum))} or newer."
    return Check(name=name, ok=ok, found=_first_line(output), fix=fix)


async def _run(host: Host, argv: tuple[str, ...]) -> Completed | HiveError:
    """The outcome of a program; one that cannot be started is an outcome too."""
    try:
        return await host.runner.run(Command(argv, timeout=_TIMEOUT))
    except HiveError as error:
        return error


def _first_line(output: Completed) -> str:
    lines = quote_output(output.stdout or output.stderr).strip().splitlines()
    return lines[0] if lines else f"ended with status {output.status}"


async def _nix_features(host: Host) -> Check | None:
    """nix refuses flake commands unless both experimental features are on (in nix.conf or NIX_CONFIG)."""
    if host.embedded:
        return None
    output = await _run(host, (*host.tools.nix, "show-config"))
    enabled: set[str] = set()
    if isinstance(output, Completed):
        match = re.search(r"^experimental-features = (.*)$", output.text, re.MULTILINE)
        enabled = set(match[1].split()) if match else set()
    missing = {"nix-command", "flakes"} - enabled
    fix = "Set experimental-features = nix-command flakes in /etc/nix/nix.conf." if missing else ""
    found = f"off: {', '.join(sorted(missing))}" if missing else "nix-command flakes"
    return Check(name="nix features", ok=not missing, found=found, fix=fix)


async def _systemd(host: Host) -> Check | None:
    if host.embedded:
        return None
    output = await _run(host, (*host.tools.systemctl, "--version"))
    if isinstance(output, HiveError):
        return Check(name="systemd", ok=False, found=output.what, fix="A hive needs a host that runs systemd.")
    # sd_booted(3): this directory exists exactly if systemd is the init system.
    is_booted = (host.paths.root / "run/systemd/system").is_dir() or Path("/run/systemd/system").is_dir()
    ok = is_booted and version_of(output.text) >= _MIN_VERSIONS["systemd"]
    found = _first_line(output) if is_booted else "installed, but this host was not booted with it"
    return Check(name="systemd", ok=ok, found=found, fix="" if ok else "Boot the host with systemd 247 or newer.")


async def _jail(host: Host) -> Check:
    """Fetch a commit as from a proposed repo, with the same tools: from a jail, in which git sees only that repo.

    Once more as from a repo with files that are only for their owner, which git needs a capability to read.
    """
    try:
        await quarantine.probe(host)
        if jail.is_used(host):
            await quarantine.probe(host, read_all=True)
    except HiveError as error:
        return Check(name="jail", ok=False, found=f"{error.what}: {error.reason}", fix=error.fix)
    if jail.is_used(host):
        return Check(name="jail", ok=True, found="a fetch sees nothing but the proposed repo", fix="")
    found = "none: a fetch runs as this user, and a proposed repo that is not plain files is refused first"
    fix = "Run as root that may mount, with bubblewrap and util-linux installed."
    return Check(name="jail", ok=host.embedded or os.geteuid() != 0, found=found, fix=fix)


async def _base_flake(host: Host) -> Check:
    flake = host.settings.hive.flake
    if flake or host.embedded:
        return Check(name="base flake", ok=True, found=flake or "the embedded hive's own", fix="")
    fix = 'Write flake = "git+file:///…" under [hive] in /etc/hivetui/config.toml.'
    return Check(name="base flake", ok=False, found="not set", fix=fix)


async def _user(host: Host) -> Check:
    ok = host.embedded or os.geteuid() == 0
    return Check(name="user", ok=ok, found=f"uid {os.geteuid()}", fix="" if ok else "Run hivetui as root.")


async def _signing(host: Host) -> Check:
    """Sign and check something, as records are."""
    path = programs.find(host, host.tools.ssh_keygen)
    if path is None:
        found = "not on PATH; decisions are recorded without a signature"
        return Check(name="ssh-keygen", ok=False, found=found, fix=programs.INSTALL.format("ssh-keygen"))
    try:
        await signing.probe(host)
    except HiveError as error:
        return Check(name="ssh-keygen", ok=False, found=f"{error.what}: {error.reason}", fix=error.fix)
    return Check(name="ssh-keygen", ok=True, found="signs and verifies", fix="")


async def _door(host: Host) -> Check | None:
    """The SSH door, where the settings have operators for it: its user, the keys, and the host key."""
    serve = host.settings.serve
    if not serve.operators:
        return None
    name = "SSH door"
    try:
        user = pwd.getpwnam(serve.user)
    except KeyError:
        fix = f"Create it: useradd --system --user-group {serve.user}"
        return Check(name=name, ok=False, found=f"its user {serve.user} does not exist", fix=fix)
    if user.pw_uid == 0:
        return Check(name=name, ok=False, found=f"its user {serve.user} is root", fix="Set another user under [serve].")
    if without := sorted(who for who, operator in serve.operators.items() if not operator.keys):
        found = f"without a key, {', '.join(without)} cannot log in"
        return Check(name=name, ok=False, found=found, fix="Add keys to these operators, or remove them.")
    count = len(serve.operators)
    found = "1 operator" if count == 1 else f"{count} operators"
    return await asyncio.to_thread(_door_key, host.paths.root / DOOR_KEY, user, found)


def _door_key(path: Path, user: pwd.struct_passwd, found: str) -> Check:
    """The host key, if it is there already: nobody but the user of the door may read it."""
    try:
        status = path.lstat()
    except OSError:  # not made yet, or elsewhere, or not for this user to see
        return Check(name="SSH door", ok=True, found=f"{found}; {path} is not there yet", fix="")
    is_private = status.st_uid == user.pw_uid and not status.st_mode & 0o077
    fix = "" if is_private else f"chown {user.pw_name} {path}; chmod 600 {path}"
    return Check(name="SSH door", ok=is_private, found=found if is_private else f"{path} is not private", fix=fix)


async def _rules(host: Host) -> Check:
    """Run the fixtures of every rule of the findings: one that does not find its own example is dead."""
    try:
        rules = load_rules(host.settings.review)
        dead = await asyncio.to_thread(lambda: list(dead_rules(rules)))
    except HiveError as error:
        return Check(name=RULES_CHECK, ok=False, found=f"{error.what}: {error.reason}", fix=error.fix)
    found = "; ".join(f"{name}: {why}" for name, why in dead) or f"{len(rules.rules)} rules find their examples"
    fix = "Correct the rule or its fixtures; docs/findings.md has the format." if dead else ""
    return Check(name=RULES_CHECK, ok=not dead, found=found, fix=fix)


def _directory(path_of: Callable[[Paths], Path]) -> CheckFunction:
    """The check that a directory is writable, or can be created: its nearest existing parent is writable."""

    async def check(host: Host) -> Check:
        path = path_of(host.paths)
        existing = next(folder for folder in (path, *path.parents) if folder.exists())
        ok = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
        state = "writable" if ok else f"{existing} is not writable"
        found = state if existing == path else f"not created yet; {state}"
        fix = "" if ok else "Run hivetui as root, on a file system that is writable and not full."
        return Check(name=f"place {path}", ok=ok, found=found, fix=fix)

    return check


_CHECKS: tuple[CheckFunction, ...] = (
    _program("git", lambda tools: tools.git),
    _program("nix", lambda tools: tools.nix),
    _program("nix-env", lambda tools: tools.nix_env),
    _program("nixos-container", lambda tools: tools.nixos_container, has_version=False),
    _program("systemctl", lambda tools: tools.systemctl, has_version=False),
    _program("journalctl", lambda tools: tools.journalctl, has_version=False),
    _nix_features,
    _systemd,
    _jail,
    _base_flake,
    _user,
    _signing,
    _door,
    _rules,
    _directory(lambda paths: paths.library),
    _directory(lambda paths: paths.runtime),
    _directory(lambda paths: paths.containers),
)
"""Every check, in the order in which a newcomer would fix what is wrong."""
