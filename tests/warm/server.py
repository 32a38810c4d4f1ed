"""The forking process: `python -m tests.warm.server SOCKET LIFE ROOM`.

It ends when nobody has the other end of LIFE. ROOM is a long word: there is room for the words of other programs.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import io
import os
import pkgutil
import runpy
import select
import socket
import sys
import termios
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from hivetui.client import child_engine
from hivetui.embedded import host
from tests.warm import launcher

_PACKAGES = ("app", "cli", "client", "console", "embedded", "engine", "manager", "screens", "service", "widgets")
_LONGEST_REQUEST = 1 << 18
_MOST_DESCRIPTORS = 64
_UNWRITTEN = 120
"""The status of a Python that could not flush its output."""
_ABOVE = 512
"""Descriptors are moved above this number, before each gets its own."""


class Request(NamedTuple):
    """What `launcher.encode` is given. `program`: a module or the path of a script."""

    is_controlled: bool
    program: str
    words: list[str]
    numbers: list[int]
    folder: str
    environment: dict[str, str]


def decode(data: bytes) -> Request:
    """What `launcher.encode` wrote."""
    controlled, *parts = os.fsdecode(data).split("\0")
    program, *words = _take(parts)
    numbers = [int(part) for part in _take(parts)]
    folder, *variables = parts
    return Request(
        controlled == "1", program, words, numbers, folder, dict(variable.split("=", 1) for variable in variables)
    )


def _take(parts: list[str]) -> list[str]:
    count = int(parts.pop(0))
    taken, parts[:count] = parts[:count], []
    return taken


def serve(path: str, life: int) -> None:
    requests = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    requests.bind(f"{path}.new")
    requests.listen(64)
    Path(f"{path}.new").rename(path)  # so that whoever sees it can connect
    for name in _PACKAGES:
        _import_all(f"hivetui.{name}")
    _use_warm_programs(path)
    gc.collect()
    gc.freeze()
    while life not in select.select([requests.fileno(), life], [], [])[0]:
        connected, _ = requests.accept()
        with connected:
            data, descriptors, *_ = socket.recv_fds(connected, _LONGEST_REQUEST, _MOST_DESCRIPTORS)
        if os.fork() == 0:
            requests.detach()  # its number will be that of another file
            _watch(decode(data), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _import_all(name: str) -> None:
    module = import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
        import_module(found.name)


def _use_warm_programs(path: str) -> None:
    """Let warm programs start warm ones."""
    start = (sys.executable, "-IS", launcher.__file__, path)
    host.WORKER = (*start, "hivetui.embedded.worker")
    child_engine.ENGINE = (*start, "hivetui")


def _watch(request: Request, descriptors: list[int]) -> None:
    """Start the program, tell its PID and then its exit status; in a process of its own."""
    status, *inherited = descriptors
    pid = os.fork()
    if pid == 0:
        _become(request, inherited)
    os.write(status, pid.to_bytes(4, "big"))
    os.closerange(0, status)
    os.closerange(status + 1, _ABOVE)
    _, ended = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        os.write(status, os.waitstatus_to_exitcode(ended).to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(request: Request, inherited: list[int]) -> None:
    """Be the program; does not return."""
    os.setsid()
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for descriptor in inherited]
    os.closerange(0, _ABOVE)
    for number, descriptor in zip(request.numbers, moved, strict=True):
        os.dup2(descriptor, number)
    os.closerange(_ABOVE, 2 * _ABOVE)
    if request.is_controlled:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for name in ("stdin", "stdout", "stderr"):
        _open_again(name)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.program, *request.words]
    is_script = request.program.endswith(".py")
    sys.orig_argv = [sys.executable, *([] if is_script else ["-m"]), *sys.argv]
    _show_argv(sys.orig_argv)
    try:
        if is_script:
            runpy.run_path(request.program, run_name="__main__")
        else:
            runpy.run_module(request.program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise  # Python prints it
        _exit(end.code or 0)
    _exit(0)


def _exit(status: int) -> None:
    """End as Python does, without taking all modules apart: that would take longer than a cold start."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            status = _UNWRITTEN
    os._exit(status & 0xFF)


def _show_argv(argv: list[str]) -> None:
    """Put this where the kernel reads the command line of this process; see proc_pid_stat(5)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    shown = "".join(f"{word}\0" for word in argv).encode("utf-8", "surrogateescape")
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(shown[: end - start].ljust(end - start, b"\0"))


def _open_again(name: str) -> None:
    """A standard stream of Python on its descriptor of now."""
    old, number = getattr(sys, name), ("stdin", "stdout", "stderr").index(name)
    raw = os.fdopen(number, "rb" if number == 0 else "wb", closefd=False)
    line_by_line = number == 2 or raw.isatty()
    new = io.TextIOWrapper(raw, old.encoding, old.errors, line_buffering=line_by_line)
    setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
