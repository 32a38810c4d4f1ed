"""Opening an embedded host: making its folder once, and naming its programs.

`embedded.json` at the top is written last; a folder that has it is complete. Several processes that make the same
folder at once do so one after another.
"""

from __future__ import annotations

import json
import os
import shutil
import string
import subprocess
import sys
from importlib import resources
from pathlib import Path

from hivetui.embedded.folder import Folder, lock, read_json, write_json
from hivetui.engine.git import environment
from hivetui.engine.host.files import disk_full_error, fix_for
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import BadConfiguration, BadData, CannotCreate, HiveError, NotAllowed, Unavailable
from hivetui.engine.model.settings import HiveSection, Settings

NIX_CONF = """\
experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
flake-registry =
warn-dirty = false
"""
PROBE = (
    'derivation { name = "probe"; system = builtins.currentSystem; builder = "/bin/sh"; '
    'args = [ "-c" "echo > $out; exit 0" ]; }'
)
PROBE_SECONDS = 20
LAYOUT = 1
WORKER = (sys.executable, "-P", "-m", "hivetui.embedded.worker")
"""What does an operation; -P: nothing is imported from the working directory."""
_PATH_CHARACTERS = frozenset(string.ascii_letters + string.digits + "/._+-")


def open_folder(root: Path, settings: Settings) -> Host:
    """What `open_embedded` does."""
    root = Path(os.path.abspath(root))  # noqa: PTH100  (resolve() would follow links that the operator made)
    _refuse_odd(root)
    folder = Folder(root)
    try:
        if not folder.about.exists():
            _make(folder)
        about = read_json(folder.about)
    except PermissionError as failure:
        raise NotAllowed(f"The embedded hive {root} cannot be made", str(failure), "Name another folder.") from failure
    except OSError as failure:
        fix = fix_for(failure) or "Name another folder."
        raise CannotCreate(f"The embedded hive {root} cannot be made", str(failure), fix) from failure
    _check(folder, about.get("layout"))
    return _host(folder, settings)


def _refuse_odd(root: Path) -> None:
    """A blank in a path would end a flag of EXTRA_NSPAWN_FLAGS, which is split on blanks; nix takes few others."""
    if odd := sorted(set(str(root)) - _PATH_CHARACTERS):
        raise BadData(
            f"The embedded hive cannot live in {str(root)[:200]!r}",
            f"The path has {' '.join(map(repr, odd[:5]))}; letters, digits and / . _ + - are safe.",
            "Name a folder with a plain path.",
        )


def _host(folder: Folder, settings: Settings) -> Host:
    flake = settings.hive.flake or f"git+file://{folder.base}"
    hive = HiveSection(flake=flake, dashboard_port=settings.hive.dashboard_port)
    git = os.environ.get("HYPERHIVE_GIT") or "git"
    tools = Tools(
        git=(git,),
        nix=tuple(folder.nix_program("nix")),
        nix_env=tuple(folder.nix_program("nix-env")),
        nixos_container=tuple(folder.stand_in("nixos-container")),
        systemctl=tuple(folder.stand_in("systemctl")),
        journalctl=tuple(folder.stand_in("journalctl")),
        machinectl=tuple(folder.stand_in("machinectl")),
        systemd_run=None,
    )
    return Host(
        paths=Paths(folder.root),
        settings=settings.model_copy(update={"hive": hive}),
        runner=ProcessRunner(),
        tools=tools,
        embedded=True,
        environment=dict(os.environ),
        worker=WORKER,
    )


def _check(folder: Folder, layout: object) -> None:
    if layout != LAYOUT:
        raise BadConfiguration(
            f"{folder.root} is no embedded hive of this version",
            f"Its embedded.json says layout {layout!r}, and this version knows {LAYOUT}.",
            "Name another folder, or an empty one.",
        )
    nix = folder.real_nix()
    if nix is not None and not Path(nix).exists():
        raise Unavailable(
            f"The embedded hive {folder.root} was made with {nix}, which is gone",
            "Its systems are in a store that only this nix keeps.",
            "Install nix again, or name another folder.",
        )


def _make(folder: Folder) -> None:
    _refuse_foreign(folder.root)
    for place in (folder.units, folder.containers, folder.journal, folder.profiles, folder.store):
        place.mkdir(parents=True, exist_ok=True)
    for below in ("run/lock", "run/systemd/system", "nix/etc", "nix/home", "nix/cache"):
        (folder.root / below).mkdir(parents=True, exist_ok=True)
    held = lock(folder.root / "run/lock/embedded")
    try:
        if not folder.about.exists():
            (folder.root / "nix/etc/nix.conf").write_text(NIX_CONF)
            _make_base(folder.base)
            write_json(folder.about, {"layout": LAYOUT, "nix": _choose_nix(folder)})
    finally:
        os.close(held)


def _refuse_foreign(root: Path) -> None:
    """A folder with other things in it is not taken: agents would be started by what lies there."""
    if root.exists() and not (root / "run").is_dir() and any(root.iterdir()):
        raise CannotCreate(
            f"{root} is not empty and is no embedded hive",
            "An embedded hive is made in a new or an empty folder.",
            "Name another folder.",
        )


def _make_base(base: Path) -> None:
    """The base flake as a git repo; made aside and renamed, so that it is whole or not there."""
    if base.exists():
        return
    fresh = base.with_name("base.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _fill_base(fresh)
        fresh.rename(base)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fill_base(fresh: Path) -> None:
    fresh.mkdir(parents=True)
    for name in ("flake.nix", "packages.json"):
        (fresh / name).write_bytes((resources.files("hivetui.embedded") / "base" / name).read_bytes())
    machine = f"{os.uname().machine}-linux"
    defaults = {"buildSeconds": _build_seconds(), "system": machine, "talkSeconds": 2}
    (fresh / "defaults.json").write_text(json.dumps(defaults) + "\n")
    _git(fresh, "init", "--quiet", "--initial-branch=main")
    _git(fresh, "add", "--", "flake.nix", "packages.json", "defaults.json")
    _git(fresh, "commit", "--quiet", "--message=The base flake of this embedded hive")


def _git(folder: Path, *arguments: str) -> None:
    git = os.environ.get("HYPERHIVE_GIT") or "git"
    argv = [git, *environment.hardened_options(), *arguments]
    env = environment.hardened_environment(os.environ)
    env |= environment.identity(environment.ENGINE_NAME, environment.ENGINE_MAIL)
    try:
        subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as failure:
        raise _no_git(git) from failure
    except subprocess.CalledProcessError as failure:
        why = failure.stderr.decode(errors="replace")
        no_room = disk_full_error(why)
        raise CannotCreate(
            "The base flake's repo cannot be made", why, fix_for(no_room) if no_room else ""
        ) from failure


def _no_git(git: str) -> HiveError:
    return Unavailable(f"{git} is not there", "A hive keeps its history in git.", "Install git, or set HYPERHIVE_GIT.")


def _build_seconds() -> float:
    written = os.environ.get("HIVETUI_EMBEDDED_BUILD_SECONDS", "1")
    try:
        seconds = float(written)
        if not 0 <= seconds <= 3600:
            raise ValueError
    except ValueError:
        raise BadConfiguration(
            f"HIVETUI_EMBEDDED_BUILD_SECONDS is {written!r}", "It is a number of seconds, 0 to 3600.", "Set it to 1."
        ) from None
    return seconds


def _choose_nix(folder: Folder) -> str | None:
    """The real nix where it is wanted and works, else None."""
    wanted = os.environ.get("HIVETUI_EMBEDDED_NIX", "")
    if wanted not in ("", "real", "stand-in"):
        raise BadConfiguration(f"HIVETUI_EMBEDDED_NIX is {wanted!r}", "It is real or stand-in.", "Unset it.")
    nix = None if wanted == "stand-in" else shutil.which("nix")
    if nix and _works(folder, nix):
        return nix
    if wanted == "real":
        raise Unavailable(
            "HIVETUI_EMBEDDED_NIX asks for the real nix, which does not work here",
            f"{nix} cannot build in a store of its own." if nix else "There is no nix on PATH.",
            "Unset it: a stand-in is used then.",
        )
    return None


def _works(folder: Folder, nix: str) -> bool:
    """Whether this nix builds something with flakes on and a store in the folder."""
    argv = ["/usr/bin/env", *folder.nix_environment(), nix, "build", "--no-link", "--impure", "--expr", PROBE]
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=PROBE_SECONDS, cwd=folder.root
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
