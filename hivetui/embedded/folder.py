"""The places of an embedded host as its stand-ins see them, and its small files. Standard library only.

The engine has its own map, `places.Places`; where both name a path it is the same one, because on a real host too the
engine and the tools agree by path alone.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hivetui.engine.host import file_lock

LAUNCHER = Path(__file__).with_name("launch.py")
_NEED_PACKAGES = ("nix", "nixos-container")
"""The stand-ins that use packages from outside the standard library, or that start one that does."""


class Folder:
    """An embedded host's folder (absolute)."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.containers = self.root / "etc/nixos-containers"
        self.state = self.root / "var/lib/nixos-containers"
        self.profiles = self.root / "nix/var/nix/profiles/per-container"
        self.gcroots = self.root / "nix/var/nix/gcroots/per-container"
        self.store = self.root / "nix/store"
        self.units = self.root / "run/embedded/units"
        self.journal = self.root / "var/log/journal"
        self.base = self.root / "var/lib/embedded/base"
        self.about = self.root / "embedded.json"

    def conf(self, container: str) -> Path:
        """The container's configuration."""
        return self.containers / f"{container}.conf"

    def profile(self, container: str) -> Path:
        """The container's system profile."""
        return self.profiles / container / "system"

    def drop_ins(self, container: str) -> list[Path]:
        """The drop-ins of the container's unit, in the order in which systemd reads them."""
        return sorted((self.root / f"run/systemd/system/container@{container}.service.d").glob("*.conf"))

    def log(self, container: str) -> Path:
        """The folder of the container's log."""
        return self.journal / container

    def stand_in(self, program: str) -> list[str]:
        """The argv that runs one of the stand-ins on this host."""
        packages = [f"--packages={_package_path()}"] if program in _NEED_PACKAGES else []
        return [sys.executable, "-IS", str(LAUNCHER), *packages, str(self.root), program]

    def real_nix(self) -> str | None:
        """The nix this folder was made for, or None where it is played."""
        found = read_json(self.about).get("nix")
        return found if isinstance(found, str) else None

    def nix_program(self, program: str) -> list[str]:
        """The argv of `nix` or `nix-env` for this folder: the real one with a store in here, or the stand-in."""
        nix = self.real_nix()
        if nix is None:
            return self.stand_in(program)
        return ["/usr/bin/env", *self.nix_environment(), str(Path(nix).with_name(program))]

    def nix_environment(self) -> list[str]:
        """What tells the real nix to keep everything in this folder, as NAME=VALUE (its manual: Common Environment)."""
        home = self.root / "nix"
        paths = {
            "NIX_STORE_DIR": self.store,
            "NIX_STATE_DIR": home / "var/nix",
            "NIX_LOG_DIR": home / "var/log/nix",
            "NIX_CONF_DIR": home / "etc",
            "NIX_USER_CONF_FILES": home / "etc/user.conf",
            "XDG_CACHE_HOME": home / "cache",
            "HOME": home / "home",
        }
        return [f"{name}={place}" for name, place in paths.items()] + ["NIX_REMOTE=", "GIT_CONFIG_NOSYSTEM=1"]


@functools.cache
def _package_path() -> str:
    """The directories that have the packages of the stand-in for nix, as a PATH; stand-ins run without site-packages.

    The packages are looked up and not imported: most of the programs that ask never run the stand-in.
    """
    specs = filter(None, map(find_spec, ("tree_sitter", "tree_sitter_nix")))
    return os.pathsep.join(sorted({str(Path(spec.origin).parent.parent) for spec in specs if spec.origin}))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that `write_json` wrote; empty when there is none."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file by one rename; readers see the old or the new one, and a failure leaves nothing else."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(value))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def lock(path: Path) -> int:
    """Wait for an exclusive lock on a file (made when missing); closing the descriptor lets it go."""
    fd = file_lock.open_file(path)
    file_lock.lock(fd)
    return fd


def read_conf(path: Path) -> dict[str, str]:
    """The assignments of a container's configuration, as systemd reads an EnvironmentFile; a missing file has none."""
    values: dict[str, str] = {}
    try:
        text = path.read_text(errors="surrogateescape")
    except FileNotFoundError:
        return values
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            values[name] = value.strip().strip('"')
    return values
