"""Creating and removing the directory of an embedded host.

`embedded.json` is written last: a directory that has it is complete. Processes that create the same directory at once
do so one after the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from hivetui.embedded.files import locked, write_json
from hivetui.embedded.layout import Layout
from hivetui.engine import tool_messages
from hivetui.engine.git import environment
from hivetui.engine.host.files import disk_full_error, fix_for
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import BadConfiguration, CannotCreate, Unavailable

LAYOUT_VERSION = 1
_NIX_CONF = """\
experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
flake-registry =
warn-dirty = false
"""
_PROBE = (
    'derivation { name = "probe"; system = builtins.currentSystem; builder = "/bin/sh"; '
    'args = [ "-c" "echo > $out; exit 0" ]; }'
)
_PROBE_SECONDS = 20
_BASE_FILES = ("flake.nix", "packages.json")


def create(layout: Layout) -> None:
    """Create the host, or complete what another process left; idempotent. OSError when a path cannot be written."""
    _require_empty(layout.root)
    for path in (layout.units, layout.containers, layout.journal, layout.profiles, layout.store):
        path.mkdir(parents=True, exist_ok=True)
    for name in ("run/lock", "run/systemd/system", "nix/etc", "nix/home", "nix/cache"):
        (layout.root / name).mkdir(parents=True, exist_ok=True)
    with locked(layout.root / "run/lock/embedded"):
        if not layout.marker.exists():
            (layout.root / "nix/etc/nix.conf").write_text(_NIX_CONF)
            _create_base(layout.base)
            write_json(layout.marker, {"layout": LAYOUT_VERSION, "nix": _choose_nix(layout)})


def _require_empty(root: Path) -> None:
    """Refuse a directory with other files in it: agents would be started from whatever is there."""
    if root.exists() and not (root / "run").is_dir() and any(root.iterdir()):
        raise CannotCreate(
            f"{root} is not empty and not an embedded hive",
            "An embedded hive is created in a new or an empty directory.",
            "Choose another directory.",
        )


def remove(root: Path) -> None:
    """Remove a host with everything in it; a missing one is not an error. Raises OSError for what cannot be removed.

    The real nix makes its store read-only, even for the owner.
    """
    for directory, _, _ in os.walk(root / "nix/store"):
        if not Path(directory).is_symlink():
            Path(directory).chmod(0o755)
    if root.exists():
        shutil.rmtree(root)


# The base flake


def _create_base(base: Path) -> None:
    """Create the git repo of the base flake under a temporary name and rename it, so that it is never incomplete."""
    if base.exists():
        return
    temporary = base.with_name("base.new")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _write_base(temporary)
        temporary.rename(base)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_base(repo: Path) -> None:
    repo.mkdir(parents=True)
    for name in _BASE_FILES:
        (repo / name).write_bytes((resources.files("hivetui.embedded") / "base" / name).read_bytes())
    system = f"{os.uname().machine}-linux"
    defaults = {"buildSeconds": _build_seconds(), "system": system, "talkSeconds": 2}
    (repo / "defaults.json").write_text(json.dumps(defaults) + "\n")
    _git(repo, "init", "--quiet", "--initial-branch=main")
    _git(repo, "add", "--", *_BASE_FILES, "defaults.json")
    _git(repo, "commit", "--quiet", "--message=The base flake of this embedded hive")


def _git(repo: Path, *arguments: str) -> None:
    git = os.environ.get("HYPERHIVE_GIT") or "git"
    argv = [git, *environment.hardened_options(), *arguments]
    env = environment.hardened_environment(os.environ)
    env |= environment.identity(environment.ENGINE_NAME, environment.ENGINE_MAIL)
    try:
        done = subprocess.run(argv, cwd=repo, env=env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as failure:
        fix = "Install git, or set HYPERHIVE_GIT."
        raise Unavailable(f"{git} was not found", "A hive keeps its history in git.", fix) from failure
    except subprocess.CalledProcessError as failure:
        why = quote_output(failure.stderr)
        disk_full = disk_full_error(why)
        fix = fix_for(disk_full) if disk_full else ""
        raise CannotCreate("The repo of the base flake could not be created", why, fix) from failure
    tool_messages.report(argv, done.stderr)


def _build_seconds() -> float:
    written = os.environ.get("HIVETUI_EMBEDDED_BUILD_SECONDS", "1")
    try:
        seconds = float(written)
        if not 0 <= seconds <= 3600:
            raise ValueError
    except ValueError:
        raise BadConfiguration(
            f"HIVETUI_EMBEDDED_BUILD_SECONDS is {written!r}", "It must be a number from 0 to 3600.", "Set it to 1."
        ) from None
    return seconds


# Which nix


def _choose_nix(layout: Layout) -> str | None:
    """The real nix if it works here and is not excluded by HIVETUI_EMBEDDED_NIX; None for the stand-in."""
    setting = os.environ.get("HIVETUI_EMBEDDED_NIX", "")
    if setting not in ("", "real", "stand-in"):
        raise BadConfiguration(f"HIVETUI_EMBEDDED_NIX is {setting!r}", "It must be real or stand-in.", "Unset it.")
    nix = None if setting == "stand-in" else shutil.which("nix")
    if nix and _is_usable(layout, nix):
        return nix
    if setting == "real":
        raise Unavailable(
            "HIVETUI_EMBEDDED_NIX requires the real nix, which does not work here",
            f"{nix} cannot build in a store of its own." if nix else "nix is not on PATH.",
            "Unset it, to use the stand-in.",
        )
    return None


def _is_usable(layout: Layout, nix: str) -> bool:
    """Whether this nix can build something with flakes enabled and a store below the host's directory."""
    argv = ["/usr/bin/env", *layout.nix_environment(), nix, "build", "--no-link", "--impure", "--expr", _PROBE]
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROBE_SECONDS, cwd=layout.root
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
