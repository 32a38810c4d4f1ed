"""Where things are in the directory of an embedded host, and how its stand-ins are started. Standard library only.

The engine has its own `paths.Paths`. Both name some paths, and have to agree on them as the engine and the tools of a
real host do.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from hivetui.embedded.files import read_json

LAUNCHER = Path(__file__).with_name("launch.py")
_NEED_PACKAGES = ("nix", "nixos-container")
"""The stand-ins that use packages from outside the standard library, or that start one that does."""


class Layout:
    """The paths of the embedded host below `root`, which is absolute."""

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
        self.marker = self.root / "embedded.json"

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
        """The directory of the container's log."""
        return self.journal / container

    def stand_in(self, program: str) -> list[str]:
        """The argv that runs one of the stand-ins on this host."""
        packages = [f"--packages={_package_path()}"] if program in _NEED_PACKAGES else []
        return [sys.executable, "-IS", str(LAUNCHER), *packages, str(self.root), program]

    def real_nix(self) -> str | None:
        """The nix that this host was created for, or None when it uses the stand-in."""
        nix = read_json(self.marker).get("nix")
        return nix if isinstance(nix, str) else None

    def nix_program(self, program: str) -> list[str]:
        """The argv of `nix` or `nix-env` for this host: the real one with a store in here, or the stand-in."""
        nix = self.real_nix()
        if nix is None:
            return self.stand_in(program)
        return ["/usr/bin/env", *self.nix_environment(), str(Path(nix).with_name(program))]

    def nix_environment(self) -> list[str]:
        """Variables that make the real nix keep everything below `root`, as NAME=VALUE (manual: Common Environment)."""
        nix = self.root / "nix"
        paths = {
            "NIX_STORE_DIR": self.store,
            "NIX_STATE_DIR": nix / "var/nix",
            "NIX_LOG_DIR": nix / "var/log/nix",
            "NIX_CONF_DIR": nix / "etc",
            "NIX_USER_CONF_FILES": nix / "etc/user.conf",
            "XDG_CACHE_HOME": nix / "cache",
            "HOME": nix / "home",
        }
        return [f"{name}={path}" for name, path in paths.items()] + ["NIX_REMOTE=", "GIT_CONFIG_NOSYSTEM=1"]


@functools.cache
def _package_path() -> str:
    """The directories of the packages that the stand-in for nix needs, as a PATH; stand-ins run without site-packages.

    They are looked up without an import, which would slow down every program that only names the stand-in.
    """
    specs = filter(None, map(find_spec, ("tree_sitter", "tree_sitter_nix")))
    return os.pathsep.join(sorted({str(Path(spec.origin).parent.parent) for spec in specs if spec.origin}))
