"""The socket of the service: connecting to it, and who connects. It imports little, for verbs that only pass on."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from hivetui.engine.model.errors import Unavailable

if TYPE_CHECKING:
    from hivetui.wire.frames import Json

ANSWER_SECONDS = 10.0
"""How long an engine that accepts a connection may take for its first answer."""
_MAX_PATH_BYTES = 107
"""See unix(7); a longer path names no socket."""
_TIME = struct.Struct("ll")
"""struct timeval."""


def connect_to_service(path: Path, seconds: int = int(ANSWER_SECONDS)) -> socket.socket | None:
    """A connection to the service that listens there; None if none does. Unavailable if it accepts none in time."""
    if len(str(path).encode("utf-8", "surrogateescape")) > _MAX_PATH_BYTES:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(seconds, 0))  # also of connect(2)
    try:
        connection.connect(str(path))
    except BlockingIOError as error:
        connection.close()
        why = f"It has accepted no connection for {seconds} s."
        raise Unavailable("The engine does not answer", why, "See its log: journalctl -u hivetui") from error
    except OSError:
        connection.close()
        return None
    return connection


def login_behind_sudo() -> Json | None:
    """The login name behind sudo, which an engine believes root."""
    name = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    return {"name": name} if name else None
