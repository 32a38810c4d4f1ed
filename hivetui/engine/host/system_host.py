"""The `Host` of a real machine: its programs, its paths, and a clean environment for every child process.

Whatever has to be read from the machine (our uid, whether systemd runs, which directories exist) is read here only.
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
_PASSED_ON = (
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
    """The host below `root` with the machine's own programs; `environment` is that of this process."""
    clean = clean_environment(environment)
    return Host(
        paths=_paths(root),
        settings=settings,
        runner=ProcessRunner(clean),
        tools=_tools(clean),
        environment=clean,
        ssh_agent=environment.get("SSH_AUTH_SOCK"),
    )


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What children get of our environment: nothing that steers git or an interpreter, and messages in English."""
    kept = {name: environment[name] for name in _PASSED_ON if environment.get(name)}
    return {"PATH": _PATH, **kept, "LC_ALL": "C.UTF-8"}


def _tools(environment: Mapping[str, str]) -> Tools:
    transient = ("systemd-run",) if _systemd_runs() and os.geteuid() == 0 else None
    return Tools(git=(environment.get("HYPERHIVE_GIT", "git"),), systemd_run=transient)


def _systemd_runs() -> bool:
    """See sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def _paths(root: Path) -> Paths:
    """The container configurations are in another directory where the host's stateVersion is below 22.05."""
    paths = Paths(root)
    older = Paths(root, "etc/containers")
    return older if older.containers.is_dir() and not paths.containers.is_dir() else paths
