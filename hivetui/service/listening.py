"""The listening socket: systemd's, or one of our own that replaces what a killed engine left."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData, Busy, TryAgain
from hivetui.engine.model.times import format_date_time

MAX_PATH_BYTES = 107
"""sun_path of unix(7) has 108 bytes, one of them for the zero at the end."""
_FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
_BACKLOG = 128
_MODE = 0o666
"""Everybody may connect, as to the nix daemon; who may do what is decided by uid."""


@contextmanager
def listening_socket(paths: Paths, environment: Mapping[str, str]) -> Iterator[socket.socket]:
    """The socket of the one engine that serves this hive; TryAgain when another has it, which is named.

    BadData for a path that is too long for a socket.
    """
    path = paths.host_socket
    _require_short(path)
    try:
        lock = locks.acquire(paths.locks / "service", "hivetui engine")
    except Busy as busy:
        holder = locks.current_holder(paths.locks / "service")
        who = f"Process {holder.pid} has served it since {format_date_time(holder.since)} UTC." if holder else busy.why
        raise TryAgain("An engine serves this hive already", who, "Use it, or end it first.") from busy
    with lock:
        inherited = _inherited(environment)
        made = inherited or _bind(path)
        try:
            yield made
        finally:
            made.close()
            if inherited is None:
                path.unlink(missing_ok=True)


def _require_short(path: Path) -> None:
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        what = f"The path of the socket has more than {MAX_PATH_BYTES} bytes"
        raise BadData(what, f"It is {path}.", "Put the hive into a directory with a shorter path.")


def _inherited(environment: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd made for this process, if it did (sd_listen_fds(3))."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    os.set_inheritable(_FIRST_DESCRIPTOR, False)
    return socket.socket(fileno=_FIRST_DESCRIPTOR)


def _bind(path: Path) -> socket.socket:
    files.make_directory(path.parent)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with files.translate_os_errors(f"The socket {path} could not be made"):
            with suppress(FileNotFoundError):
                path.unlink()  # of an engine that was killed: we hold the lock, so none has it now
            made.bind(str(path))
            path.chmod(_MODE)
            made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
