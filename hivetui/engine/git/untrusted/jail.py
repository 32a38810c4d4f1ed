"""Command lines that confine every git that touches proposed objects: limits always, and as root a jail.

The jail is made by bubblewrap (bwrap(1)) and serves one directory of objects. Its root is a read-only tmpfs with the
system's programs, that directory, and an empty repo whose alternate that directory is. So the configuration, hooks,
refs, gitfiles and links of the proposed repo are not merely disarmed: they are not there.

The program runs as a user of its own, set by setpriv(1) inside: bubblewrap's `--uid` needs a user namespace, and maps
that user to root of the host, who may read what root owns. The objects are given as an open directory
(`--ro-bind-fd`, bubblewrap 0.10, or Debian's 0.8.0-2+deb12u1), since a path could be replaced while it is mounted.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.git.environment import hardened_environment
from hivetui.engine.git.untrusted import launcher
from hivetui.engine.host import programs, runner
from hivetui.engine.host.host import Command, Host
from hivetui.engine.model.errors import Unavailable

USER = 65533
"""The user of a jailed git: between systemd's DynamicUser range (61184 to 65519) and nobody (65534)."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/run/current-system", "/etc/ld.so.cache")
"""What a program needs to start; every user of the host can read all of it anyway."""

MEMORY = 1 << 30
CPU_SECONDS = 60
LARGEST_FILE = 64 << 20
LARGEST_LISTING = 8 << 20
"""Bytes of a listing that is written to a file; the kernel ends a program that writes more."""

_SERVING = (
    "safe.directory=*",  # the served repo and the objects have different owners
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.commitGraph=false",  # files beside the objects that git would believe without a check
    "core.multiPackIndex=false",
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
    "pack.useBitmaps=false",
    "pack.threads=1",
    "pack.windowMemory=64m",
    "protocol.version=2",
)
FIX = "Install git, bubblewrap 0.10 or newer and util-linux, and see `hivetui doctor`."
_PROBE_TIMEOUT = 20.0  # seconds
_OBJECTS_FD = 9
_CAP_SYS_ADMIN = 21  # linux/capability.h
_READ_ALL = "dac_read_search"


@dataclass(frozen=True)
class Tools:
    """The programs of a jail, by absolute path without symbolic links, and the search path that they get."""

    git: tuple[str, ...]
    bwrap: str
    setpriv: str
    path: str


def is_possible() -> bool:
    """Whether this process may make a jail, that is, is root with the right to mount."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text("ascii", "replace")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) & 1 << _CAP_SYS_ADMIN)


def is_used(host: Host) -> bool:
    """Whether a proposed repo is served from a jail here.

    A user who may not make one relies on the inspection and the limits. So does an embedded host without bubblewrap,
    whose agents are processes of the engine's own user anyway.
    """
    return is_possible() and not (host.embedded and programs.find(host, ("bwrap",)) is None)


def tools(host: Host) -> Tools:
    """The programs of a jail on this host; Unavailable, naming the first that is missing."""
    git, *arguments = host.tools.git
    git, bwrap, setpriv = (_require(host, program) for program in (git, "bwrap", "setpriv"))
    path = f"{Path(git).parent}:{host.environment.get('PATH', os.defpath)}"
    return Tools((git, *arguments), bwrap, setpriv, path)


def _require(host: Host, program: str) -> str:
    path = programs.find(host, (program,))
    if path is None:
        why = "A proposed repo is served from a jail, which needs git, bubblewrap (bwrap) and util-linux (setpriv)."
        raise Unavailable(f"{program} was not found on PATH", why, FIX)
    return str(Path(path).resolve())


async def probe(host: Host) -> None:
    """Serve an empty repo from a jail, to find out whether this host can; Unavailable, with the reason, if not."""
    with tempfile.TemporaryDirectory(prefix="hivetui-jail-") as directory:
        server, agents = Path(directory, "serve.git"), Path(directory, "agents")
        make_server(server, "/objects")
        (agents / "probe/config/.git/objects").mkdir(parents=True)
        argv = (*shlex.split(upload_pack(tools(host), server, agents, "probe", read_all=False)), "/serve.git")
        completed = await host.runner.run(Command(argv, timeout=_PROBE_TIMEOUT))
    if completed.status or completed.timed_out:
        raise Unavailable("A jail cannot be made on this host", runner.command_failed(completed).why, FIX)


def limited(argv: Sequence[str], output: Path | None = None) -> tuple[str, ...]:
    """The argv that runs `argv` with limits of memory, time and file size; `output` takes its standard output."""
    if output is None:
        return (*_launch(LARGEST_FILE), "--", *argv)
    return (*_launch(LARGEST_LISTING), "--output", str(output), "--", *argv)


def upload_pack(jail_tools: Tools, server: Path, agents: Path, name: str, read_all: bool) -> str:
    """The `--upload-pack` that serves the objects of the proposed repo of `name` from a jail.

    `server` is a repo by `make_server` with "/objects" as alternate. `read_all` lets the jailed git read files that
    are not for every user. Git passes this to a shell, so every word is quoted, and `name` has been checked.
    """
    opened = ("--agents", str(agents), "--name", name, "--objects-fd", str(_OBJECTS_FD), "--drop-last")
    return shlex.join((*_launch(LARGEST_FILE), *opened, "--", *_jail(jail_tools, server, read_all)))


def plain_upload_pack(git: Sequence[str]) -> str:
    """The `--upload-pack` without a jail, for a user who may not make one: the same options and limits."""
    return shlex.join(limited((*git, *_serving(), "upload-pack", "--strict", "--timeout=30")))


def make_server(directory: Path, objects: str) -> None:
    """Make the repo that is served: bare, empty, and with `objects` (a path as the server sees it) as alternate."""
    for part in ("", "refs", "refs/heads", "objects", "objects/info", "objects/pack"):
        (directory / part).mkdir()
        (directory / part).chmod(0o755)
    files = {
        "HEAD": "ref: refs/heads/main\n",
        "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        "objects/info/alternates": objects + "\n",
    }
    for file, text in files.items():
        (directory / file).write_text(text)
        (directory / file).chmod(0o644)


def _launch(file_bytes: int) -> tuple[str, ...]:
    limits = {"--memory": MEMORY, "--cpu-seconds": CPU_SECONDS, "--file-bytes": file_bytes}
    options = (word for option, value in limits.items() for word in (option, str(value)))
    return (sys.executable, "-I", "-S", launcher.__file__, *options)


def _serving() -> tuple[str, ...]:
    return tuple(word for setting in _SERVING for word in ("-c", setting))


def _jail(jail_tools: Tools, server: Path, read_all: bool) -> tuple[str, ...]:
    git, *arguments = jail_tools.git
    needed = (Path(git), Path(jail_tools.setpriv))
    # Git takes its verb from a name like "git-2.45", so that it always gets its usual name.
    mounts = (*_system(needed), *_repo(server), "--symlink", git, "/git")
    environment = hardened_environment({"PATH": jail_tools.path}) | {"HOME": "/", "GIT_PROTOCOL": "version=2"}
    program = ("/git", *arguments, *_serving(), "upload-pack", "--strict", "--timeout=30", "/serve.git")
    return (
        *(jail_tools.bwrap, "--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *(*mounts, "--remount-ro", "/", "--chdir", "/"),
        *("--clearenv", *_variables(environment), *_kept_capabilities(read_all), "--"),
        *_drop_rights(jail_tools.setpriv, read_all),
        *program,
    )


def _system(needed: Sequence[Path]) -> tuple[str, ...]:
    """The system's programs as on the host, a link as a link; and the directories of `needed` that they leave out."""
    shown = [Path(path) for path in SYSTEM if os.path.lexists(path)]
    shown += [path.parent for path in needed if not any(path.is_relative_to(top) for top in shown)]
    words: list[str] = []
    for path in dict.fromkeys(shown):
        words += _parents(path)
        words += (
            ("--symlink", str(path.readlink()), str(path)) if path.is_symlink() else ("--ro-bind", *[str(path)] * 2)
        )
    return tuple(words)


def _parents(path: Path) -> tuple[str, ...]:
    """The directories above a mount, open to every user: bubblewrap would make them for root alone."""
    parents = [str(parent) for parent in path.parents][-2::-1]
    return tuple(word for parent in parents for word in ("--perms", "0755", "--dir", parent))


def _repo(server: Path) -> tuple[str, ...]:
    null = (*_parents(Path("/dev/null")), "--dev-bind", "/dev/null", "/dev/null")
    return (*null, "--ro-bind-fd", str(_OBJECTS_FD), "/objects", "--ro-bind", str(server), "/serve.git")


def _variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for key, value in environment.items() for word in ("--setenv", key, value))


def _kept_capabilities(read_all: bool) -> tuple[str, ...]:
    """What root keeps in the jail until setpriv has changed the user."""
    names = ("setuid", "setgid", "setpcap", *((_READ_ALL,) if read_all else ()))
    return tuple(word for name in names for word in ("--cap-add", f"CAP_{name.upper()}"))


def _drop_rights(setpriv: str, read_all: bool) -> tuple[str, ...]:
    """The argv that becomes USER without any capability, or with the one that reads every file (setpriv(1))."""
    ids = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--pdeathsig=keep")
    kept = f"-all,+{_READ_ALL}" if read_all else "-all"
    ambient = (f"--ambient-caps={kept}",) if read_all else ()
    return (setpriv, *ids, f"--inh-caps={kept}", *ambient, f"--bounding-set={kept}", "--")
