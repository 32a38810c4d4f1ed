"""The launcher of every git that touches what was proposed: limits always, and as root a jail without a view.

It is run as a program of its own, by path and isolated (`python -I -S jail.py …`), and imports nothing of this
package. It never forks: it limits and confines itself and then becomes the program, so what stops its process group
stops all of it.

The jail serves one folder of objects. Its root is a small read-only tmpfs with the system's programs, that folder (no
symbolic links followed, no devices, nothing executable) and a made-up repo whose alternate that folder is. So
configuration, hooks, refs, gitfiles and links of the proposed repo are not merely disarmed: they are not there.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shlex
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

USER = 65533
"""The user of a jailed git: between systemd's DynamicUser range (61184 to 65519) and nobody (65534)."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/run/current-system", "/etc/ld.so.cache")
"""What a program needs to start; all of it can be read by every user of the host anyway."""

MEMORY = 1 << 30
CPU_SECONDS = 60
LARGEST_FILE = 64 << 20
LARGEST_LISTING = 8 << 20
"""Bytes of a listing that goes to a file; the kernel ends a program that writes more."""

SERVING = (
    "safe.directory=*",  # the made-up repo and the objects have different owners
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.commitGraph=false",  # files beside the objects that would be believed without a check
    "core.multiPackIndex=false",
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
    "pack.useBitmaps=false",
    "pack.threads=1",
    "pack.windowMemory=64m",
    "protocol.version=2",
)
_ENVIRONMENT = {
    "HOME": "/",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PROTOCOL": "version=2",
}

# linux/mount.h, linux/sched.h, linux/prctl.h, linux/capability.h
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _NOSYMFOLLOW, _BIND = 1, 2, 4, 8, 32, 256, 4096
_RECURSIVE, _PRIVATE, _DETACH = 16384, 1 << 18, 2
_NEWNS, _NEWUTS, _NEWIPC, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x40000000
_PDEATHSIG, _KEEPCAPS, _CAPBSET_DROP, _NO_NEW_PRIVS, _CAP_AMBIENT, _AMBIENT_RAISE = 1, 8, 24, 38, 47, 2
_CAP_DAC_READ_SEARCH, _CAP_SYS_ADMIN, _CAP_VERSION_3 = 2, 21, 0x20080522
_SIGKILL = 9


def possible() -> bool:
    """Whether this process may make a jail: root that may mount. Without it the engine refuses what is not plain."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text("ascii", "replace")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) & 1 << _CAP_SYS_ADMIN)


def limited(argv: Sequence[str], output: Path | None = None) -> tuple[str, ...]:
    """The argv that runs `argv` with limits of memory, time and file size; `output` takes its standard output."""
    into = () if output is None else ("--output", str(output))
    return (sys.executable, "-I", "-S", __file__, "limited", *into, "--", *argv)


def upload_pack(git: Sequence[str], root: Path, agents: Path, name: str, read_all: bool) -> str:
    """The `--upload-pack` that serves the objects of the proposed repo of `name` from a jail.

    `root` is an empty folder of the engine's that the jail is mounted on. `read_all` lets the jailed git read files
    that are not for every user. Git hands this to a shell, so every word is quoted, and `name` has been checked.
    """
    extra = ("--read-all",) if read_all else ()
    launch = (sys.executable, "-I", "-S", __file__, "serve", *extra, "--root", str(root), "--agents", str(agents))
    return shlex.join((*launch, "--name", name, "--", *git))


def plain_upload_pack(git: Sequence[str]) -> str:
    """The `--upload-pack` without a jail, for who may not make one: the same options and limits."""
    return shlex.join(limited((*git, *_options(), "upload-pack", "--strict", "--timeout=30")))


def make_server(folder: Path, objects: str) -> None:
    """Make the repo that is served: bare, empty, and with `objects` (a path as seen by the server) for an alternate."""
    for part in ("refs/heads", "objects/info", "objects/pack"):
        (folder / part).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    (folder / "objects/info/alternates").write_text(objects + "\n")


def _options() -> tuple[str, ...]:
    return tuple(part for setting in SERVING for part in ("-c", setting))


def _limit(file_size: int = LARGEST_FILE) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def _become(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace this process; Python ignores two signals that a git must die of."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvpe(argv[0], list(argv), environment)  # noqa: S606  that is the point


# The jail, from the inside.

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    """A function of the C library that tells failure by -1; OSError then."""
    if getattr(_libc, name)(*args) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = (source.encode(), os.fsencode(target), kind and kind.encode())
    _call("mount", *texts, ctypes.c_ulong(flags), data and data.encode())


def _prctl(*args: int) -> None:
    _call("prctl", *(ctypes.c_ulong(value) for value in (*args, 0, 0, 0, 0)[:5]))


def _open_objects(agents: Path, name: str) -> int:
    """The folder of objects of the proposed repo, by a way on which no symbolic link is followed."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(agents, flags)
    for part in (name, "config", ".git", "objects"):
        folder = os.open(part, flags, dir_fd=folder)
    return folder


def _bind(source: str, target: Path, flags: int) -> None:
    _mount(source, target, None, _BIND)
    _mount("none", target, None, _BIND | _REMOUNT | flags)


def _show(root: Path, path: str) -> None:
    """Show a path of the system in the jail: a link as a link, a folder or file read-only."""
    target = root / path.lstrip("/")
    if not os.path.lexists(path) or os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_symlink():
        target.symlink_to(Path(path).readlink())
        return
    target.mkdir() if Path(path).is_dir() else target.touch()
    _bind(path, target, _RDONLY | _NOSUID | _NODEV)


def _show_objects(root: Path, objects: int) -> None:
    target = root / "objects"
    target.mkdir()
    flags = _RDONLY | _NOSUID | _NODEV | _NOEXEC
    try:
        _bind(f"/proc/self/fd/{objects}", target, flags | _NOSYMFOLLOW)
    except OSError:  # Linux before 5.10: links are followed, but lead nowhere
        _mount("none", target, None, _BIND | _REMOUNT | flags)


def _build(root: Path, objects: int, program: str) -> None:
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=0755")
    for path in (*SYSTEM, str(Path(program).resolve().parent)):
        _show(root, path)
    (root / "dev").mkdir()
    (root / "dev/null").touch()
    _mount("/dev/null", root / "dev/null", None, _BIND)
    _show_objects(root, objects)
    make_server(root / "serve.git", "/objects")
    _mount("none", root, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _enter(root: Path) -> None:
    os.chdir(root)
    number = {"x86_64": 155, "aarch64": 41, "riscv64": 41}.get(os.uname().machine)  # pivot_root, asm/unistd.h
    if number is None:
        raise OSError(f"no jail is known for {os.uname().machine}")
    _call("syscall", number, b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def _drop(read_all: bool) -> None:
    """Become USER without any capability, or with the one that reads every file."""
    kept = {_CAP_DAC_READ_SEARCH} if read_all else set()
    for capability in set(range(64)) - kept:
        with suppress(OSError):  # the kernel knows fewer than 64
            _prctl(_CAPBSET_DROP, capability)
    _prctl(_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    bits = sum(1 << capability for capability in kept)
    _call("capset", struct.pack("Ii", _CAP_VERSION_3, 0), struct.pack("6I", bits, bits, bits, 0, 0, 0))
    for capability in kept:
        _prctl(_CAP_AMBIENT, _AMBIENT_RAISE, capability)
    _prctl(_NO_NEW_PRIVS, 1)


def _serve(arguments: argparse.Namespace) -> None:
    _prctl(_PDEATHSIG, _SIGKILL)
    _call("unshare", _NEWNS | _NEWNET | _NEWIPC | _NEWUTS)
    _mount("none", Path("/"), None, _RECURSIVE | _PRIVATE)
    objects = _open_objects(arguments.agents, arguments.name)
    program = arguments.argv[0]
    _build(arguments.root, objects, program)
    _enter(arguments.root)
    _limit()
    _drop(arguments.read_all)
    _prctl(_PDEATHSIG, _SIGKILL)  # a change of user forgets it
    path = os.environ.get("PATH", os.defpath)
    command = (*arguments.argv, *_options(), "upload-pack", "--strict", "--timeout=30", "/serve.git")
    _become(command, _ENVIRONMENT | {"PATH": path})


def _run_limited(arguments: argparse.Namespace) -> None:
    if arguments.output is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(arguments.output, flags, 0o600)
        os.dup2(descriptor, 1)
    _limit(LARGEST_FILE if arguments.output is None else LARGEST_LISTING)
    _become(arguments.argv, os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jail")
    ways = parser.add_subparsers(required=True)
    limit = ways.add_parser("limited")
    limit.add_argument("--output", type=Path)
    limit.set_defaults(act=_run_limited)
    serve = ways.add_parser("serve")
    serve.add_argument("--root", type=Path, required=True)
    serve.add_argument("--agents", type=Path, required=True)
    serve.add_argument("--name", required=True)
    serve.add_argument("--read-all", action="store_true")
    serve.set_defaults(act=_serve)
    return parser


def main(argv: Sequence[str]) -> None:
    """`jail.py limited [--output FILE] -- ARGV…` or `jail.py serve … -- GIT… [the path git appends, unused]`."""
    cut = list(argv).index("--")
    arguments = _parser().parse_args(argv[:cut])
    arguments.argv = list(argv[cut + 1 :])
    if arguments.act is _serve:
        arguments.argv.pop()  # git appends the address; what is served is not up to it
    try:
        arguments.act(arguments)
    except OSError as error:
        sys.exit(f"jail: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
