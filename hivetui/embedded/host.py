"""Opening an embedded host: checking its directory, and naming its programs."""

from __future__ import annotations

import os
import string
import sys
from pathlib import Path

from hivetui.embedded.creation import LAYOUT_VERSION, create
from hivetui.embedded.files import read_json
from hivetui.embedded.layout import Layout
from hivetui.engine.host.files import fix_for
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.host.usage import ProcessMeter
from hivetui.engine.model.errors import BadConfiguration, BadData, CannotCreate, NotAllowed, NotFound, Unavailable
from hivetui.engine.model.settings import HiveSection, Settings

WORKER: tuple[str, ...] = (sys.executable, "-P", "-m", "hivetui.embedded.worker")
"""The process that runs an operation; with -P nothing is imported from the working directory."""
_PATH_CHARACTERS = frozenset(string.ascii_letters + string.digits + "/._+-")


def open_host(root: Path, settings: Settings) -> Host:
    """The embedded host at `root`, created if it is missing; `open_embedded` documents the errors."""
    root = Path(os.path.abspath(root))  # noqa: PTH100  (resolve() would follow links that the operator made)
    _require_plain_path(root)
    layout = Layout(root)
    try:
        if not layout.marker.exists():
            create(layout)
        version = read_json(layout.marker).get("layout")
    except PermissionError as failure:
        fix = "Choose another directory."
        raise NotAllowed(f"The embedded hive {root} could not be created", str(failure), fix) from failure
    except OSError as failure:
        fix = fix_for(failure) or "Choose another directory."
        raise CannotCreate(f"The embedded hive {root} could not be created", str(failure), fix) from failure
    _check(layout, version)
    return _host(layout, settings)


def require_embedded(root: Path) -> None:
    """NotFound unless there is an embedded hive at `root`, so that a mistyped path is not made into one."""
    _require_plain_path(root)
    try:
        if Layout(root).marker.exists():
            return
        why = "It has no embedded.json." if root.is_dir() else "The directory does not exist."
    except OSError as failure:  # a directory that cannot be searched, a name that is too long
        why = f"{failure.strerror}."
    fix = "Check the path. An embedded hive is created with its first agent: hivetui spawn NAME"
    raise NotFound(f"There is no embedded hive in {str(root)[:200]!r}", why, fix)


def _require_plain_path(root: Path) -> None:
    """Refuse a space, which would end a flag of EXTRA_NSPAWN_FLAGS, and characters that nix does not take in a path."""
    if unsafe := sorted(set(str(root)) - _PATH_CHARACTERS):
        raise BadData(
            f"An embedded hive cannot be in {str(root)[:200]!r}",
            f"The path contains {' '.join(map(repr, unsafe[:5]))}; letters, digits and / . _ + - are safe.",
            "Choose a directory with a plain path.",
        )


def _check(layout: Layout, version: object) -> None:
    if version != LAYOUT_VERSION:
        raise BadConfiguration(
            f"{layout.root} is not an embedded hive of this version",
            f"Its embedded.json has layout {version!r}; this version supports {LAYOUT_VERSION}.",
            "Choose another directory, or an empty one.",
        )
    nix = layout.real_nix()
    if nix is not None and not Path(nix).exists():
        raise Unavailable(
            f"The embedded hive {layout.root} was created with {nix}, which no longer exists",
            "Its systems are in a store that only this nix can use.",
            "Install nix again, or choose another directory.",
        )


def _host(layout: Layout, settings: Settings) -> Host:
    flake = settings.hive.flake or f"git+file://{layout.base}"
    hive = HiveSection(flake=flake, dashboard_port=settings.hive.dashboard_port)
    git = os.environ.get("HYPERHIVE_GIT") or "git"
    tools = Tools(
        git=(git,),
        nix=tuple(layout.nix_program("nix")),
        nix_env=tuple(layout.nix_program("nix-env")),
        nixos_container=tuple(layout.stand_in("nixos-container")),
        systemctl=tuple(layout.stand_in("systemctl")),
        journalctl=tuple(layout.stand_in("journalctl")),
        machinectl=tuple(layout.stand_in("machinectl")),
        systemd_run=None,
    )
    return Host(
        paths=Paths(layout.root),
        settings=settings.model_copy(update={"hive": hive}),
        runner=ProcessRunner(),
        tools=tools,
        embedded=True,
        environment=dict(os.environ),
        worker=WORKER,
        ssh_agent=os.environ.get("SSH_AUTH_SOCK"),
        unit_source=lambda: _unit_source(layout.root),
        open_meter=lambda _unit, pid: ProcessMeter(pid),
    )


def _unit_source(root: Path) -> UnitSource:
    from hivetui.embedded.unit_source import EmbeddedUnits  # a verb that only reads starts without inotify

    return EmbeddedUnits(root)
