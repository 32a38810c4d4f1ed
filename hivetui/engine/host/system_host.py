"""The host of a hive on a real machine: its own tools, a clean environment for every child, and where its places are.

This is an edge: what is read of the machine here (who we are, what PID 1 is, which folder exists) enters nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hivetui.engine.host.host import Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings

_PATH = "/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "LOCALE_ARCHIVE",
    "HYPERHIVE_GIT",
    "NIX_PATH",
    "NIX_CONFIG",
    "NIX_REMOTE",
    "NIX_SSL_CERT_FILE",
    "SSL_CERT_FILE",
    "NIX_STATE_DIR",
    "NIX_STORE_DIR",
    "NIX_CONF_DIR",
    "NIX_USER_CONF_FILES",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "DBUS_SYSTEM_BUS_ADDRESS",
)


def real_host(root: Path, settings: Settings, environment: Mapping[str, str]) -> Host:
    """The host below `root` with the machine's own tools; `environment` is that of this process."""
    clean = clean_environment(environment)
    return Host(
        paths=_places(root),
        settings=settings,
        runner=ProcessRunner(clean),
        tools=_tools(clean),
        environment=clean,
    )


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What children may know of ours: nothing that steers git or an interpreter, and messages in plain English."""
    kept = {name: environment[name] for name in _KEPT if environment.get(name)}
    return {"PATH": _PATH, **kept, "LC_ALL": "C.UTF-8"}


def _tools(environment: Mapping[str, str]) -> Tools:
    transient = ("systemd-run",) if _systemd_runs() and os.geteuid() == 0 else None
    return Tools(git=(environment.get("HYPERHIVE_GIT", "git"),), systemd_run=transient)


def _systemd_runs() -> bool:
    """As sd_booted(3) tells it."""
    return Path("/run/systemd/system").is_dir()


def _places(root: Path) -> Paths:
    """The containers' folder has another name where the host's stateVersion is below 22.05."""
    paths = Paths(root)
    older = Paths(root, "etc/containers")
    return older if older.containers.is_dir() and not paths.containers.is_dir() else paths
