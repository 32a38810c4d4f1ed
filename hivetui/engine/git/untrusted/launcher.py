"""Starts a git that touches proposed objects: sets its limits, opens what it may see, and becomes the program.

It is run by path and isolated (`python -I -S launcher.py …`), imports nothing of this package and never forks, so
whatever stops its process group stops all of it. `jail` writes its command lines.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_STATUS_BYTES = 4096
"""More than bubblewrap writes about one program."""


def open_objects(agents: Path, name: str) -> int:
    """The object directory of the proposed repo of `name`, opened without following any symbolic link; OSError."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(agents, flags)
    for part in (name, "config", ".git", "objects"):
        inner = os.open(part, flags, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    return descriptor


def limit(memory: int, cpu_seconds: int, file_bytes: int) -> None:
    """Limit the address space (bytes), the processor time and the size of written files; never above a limit set."""
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def become(argv: Sequence[str]) -> None:
    """Replace this process by `argv`, with the two signals restored that Python ignores and that must end a git."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvp(argv[0], list(argv))  # noqa: S606  replacing the process is the purpose


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="launcher")
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    parser.add_argument("--file-bytes", type=int, required=True)
    parser.add_argument("--output", type=Path, help="new file for the standard output")
    parser.add_argument("--agents", type=Path, help="directory of all agents, with --name and --objects-fd")
    parser.add_argument("--name", help="agent whose proposed objects are opened")
    parser.add_argument("--objects-fd", type=int, help="number of the descriptor of the objects")
    parser.add_argument("--status", type=Path, help="file for what the program writes to --status-fd")
    parser.add_argument("--status-fd", type=int, help="number of the descriptor of that file")
    parser.add_argument("--drop-last", action="store_true", help="ignore the address that git appends to ARGV")
    return parser


def _run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    if arguments.output is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.dup2(os.open(arguments.output, flags, 0o600), 1)
    if arguments.agents is not None:
        os.dup2(open_objects(arguments.agents, arguments.name), arguments.objects_fd)
    if arguments.status is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        status = os.open(arguments.status, flags, 0o600)
        os.posix_fallocate(status, 0, _STATUS_BYTES)  # bubblewrap waits for ever when it cannot write there
        os.dup2(status, arguments.status_fd)
    limit(arguments.memory, arguments.cpu_seconds, arguments.file_bytes)
    become(argv[:-1] if arguments.drop_last else argv)


def main(words: Sequence[str]) -> None:
    """`launcher.py OPTIONS -- ARGV…`; a failure is one line that begins with "jail: ", and status 1."""
    end = list(words).index("--")
    try:
        _run(_parser().parse_args(words[:end]), words[end + 1 :])
    except OSError as error:
        sys.exit(f"jail: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
