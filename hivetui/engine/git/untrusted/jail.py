"""Command lines that confine every git that touches proposed objects: limits always, and as root a jail.

The jail is made by bubblewrap (bwrap(1)) and serves one directory of objects. Its root is a read-only tmpfs with the
system's programs, that directory, and an empty repo whose alternate that directory is. So the configuration, hooks,
refs, gitfiles and links of the proposed repo are not merely disarmed: they are not there.

The program runs as a user of its own, set by setpriv(1) inside: bubblewrap's `--uid` needs a user namespace, and maps
that user to root of the host, who may read what root owns. The objects are given as an open directory
(`--ro-bind-fd`, bubblewrap 0.10, or Debian's 0.8.0-2+deb12u1), since a path could be replaced while it is mounted.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.git.environment import hardened_environment
from hivetui.engine.git.untrusted import launcher, program_files
from hivetui.engine.host import programs
from hivetui.engine.host.host import Host
from hivetui.engine.model.errors import Unavailable

USER = 65533
"""The user of a jailed git: between systemd's DynamicUser range (61184 to 65519) and nobody (65534)."""

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/run/current-system", "/etc/ld.so.cache"),
    *("/gnu/store", "/home/linuxbrew/.linuxbrew", "/etc/alternatives", "/etc/profiles/per-user"),
)
"""What a program needs to start; every user of the host can read all of it anyway."""

_PRIVATE = (Path("/proc"), Path("/sys"), Path("/dev"))
"""What no program is in."""

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
_PROGRAMS = "/programs"
"""Where git and setpriv are in a jail, under their usual names."""
_OBJECTS_FD, _STATUS_FD = 9, 10
_STATUS = "status.json"
_SIGNALLED = 128
"""An exit status above it is that of a program that a signal ended (sh(1), and bubblewrap's own)."""
_CAP_SYS_ADMIN = 21  # linux/capability.h
_READ_ALL = "dac_read_search"


@dataclass(frozen=True)
class Tools:
    """The programs of a jail, by absolute path, and the search path that they get.

    Those that run inside, git and setpriv, have no symbolic links in their paths.
    """

    git: tuple[str, ...]
    bwrap: str
    setpriv: str
    path: str


def is_possible() -> bool:
    """Whether this process may make a jail, that is, is root with the right to mount."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text("ascii", "surrogateescape")
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
    git, setpriv = (str(Path(program).resolve()) for program in (git, setpriv))
    path = f"{Path(_name_inside(git)).parent}:{_PROGRAMS}:{Path(git).parent}:{host.environment.get('PATH', os.defpath)}"
    return Tools((git, *arguments), bwrap, setpriv, path)


def require(host: Host) -> None:
    """Unavailable where a proposed repo is served from a jail and a program for it is missing."""
    if is_used(host):
        tools(host)


def _require(host: Host, program: str) -> str:
    path = programs.find(host, (program,))
    if path is None:
        why = "A proposed repo is served from a jail, which needs git, bubblewrap (bwrap) and util-linux (setpriv)."
        raise Unavailable(f"{program} was not found on PATH", why, FIX)
    return os.path.abspath(path)  # noqa: PTH100  (a program may be told what to do by the name of a link to it)


def _name_inside(git: str) -> str:
    """The path by which git is run in the jail: its own, where a wrapper looks beside itself, unless its name differs.

    Git takes its verb from a name like "git-2.45", and runs "git" from PATH.
    """
    return git if Path(git).name == "git" else f"{_PROGRAMS}/git"


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
    status = ("--status", str(server.with_name(_STATUS)), "--status-fd", str(_STATUS_FD))
    return shlex.join((*_launch(LARGEST_FILE), *opened, *status, "--", *_jail(jail_tools, server, read_all)))


def killing_signal(server: Path) -> int | None:
    """The signal that ended the program in the jail of this server, as bubblewrap has seen it; None for none.

    The program cannot write there: bubblewrap closes the descriptor before it starts it.
    """
    try:
        written = server.with_name(_STATUS).read_bytes().rstrip(b"\0")  # the launcher reserves more than is written
        ends = [json.loads(line).get("exit-code") for line in written.splitlines()]
    except (OSError, ValueError, AttributeError):
        return None
    status = next((end for end in ends if isinstance(end, int)), 0)
    return status - _SIGNALLED if status > _SIGNALLED else None


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
    return (sys.executable, "-I", "-S", "-W", "ignore", launcher.__file__, *options)


def _serving() -> tuple[str, ...]:
    return tuple(word for setting in _SERVING for word in ("-c", setting))


def _jail(jail_tools: Tools, server: Path, read_all: bool) -> tuple[str, ...]:
    git, *arguments = jail_tools.git
    needed = (Path(git), Path(jail_tools.setpriv))
    names = ("--symlink", git, f"{_PROGRAMS}/git", "--symlink", jail_tools.setpriv, f"{_PROGRAMS}/setpriv")
    mounts = (*_system(needed), *_repo(server), *_parents(Path(_PROGRAMS, "git")), *names)
    environment = hardened_environment({"PATH": jail_tools.path}) | {"HOME": "/", "GIT_PROTOCOL": "version=2"}
    program = (_name_inside(git), *arguments, *_serving(), "upload-pack", "--strict", "--timeout=30", "/serve.git")
    return (
        *(
            jail_tools.bwrap,
            "--json-status-fd",
            str(_STATUS_FD),
            "--die-with-parent",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
        ),
        *(*mounts, "--remount-ro", "/", "--chdir", "/"),
        *("--clearenv", *_variables(environment), *_kept_capabilities(read_all), "--"),
        *_drop_rights(f"{_PROGRAMS}/setpriv", read_all),
        *program,
    )


def _system(needed: Sequence[Path]) -> tuple[str, ...]:
    """The system's programs as on the host, a link as a link; and what they leave out of what `needed` need."""
    system = [Path(path) for path in SYSTEM if os.path.lexists(path)]
    shown = [path for path in system if not path.is_symlink()]
    found = program_files.find_needed(needed, [*system, *_PRIVATE])
    for path in sorted((*(path.resolve() for path in system if path.is_symlink()), *found.directories)):
        if not any(path.is_relative_to(top) for top in shown):
            shown.append(path)
    links = {path: path.readlink() for path in system if path.is_symlink()}
    links |= {path: to for path, to in found.links.items() if not any(path.is_relative_to(top) for top in shown)}
    words: list[str] = []
    for path in shown:
        words += (*_parents(path), "--ro-bind", str(path), str(path))
    for path, target in links.items():
        words += (*_parents(path), "--symlink", str(target), str(path))
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
