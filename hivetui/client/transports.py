"""A connection to an engine over a socket: of the service, or of an engine that is a child of this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from hivetui.client.connection import Connection
from hivetui.client.unix_socket import ANSWER_SECONDS
from hivetui.wire.frames import MAX_ANSWER_BYTES

CHILD_SECONDS = 300.0
"""So long an engine that this process started may take to say hello: on a busy machine that alone can be a minute, and
its end is noticed at once. A second one beside it would only be slower."""


async def over_socket(
    connected: socket.socket, describe_end: Callable[[], str] = lambda: "", patience: float = ANSWER_SECONDS
) -> Connection:
    """The connection over a socket; `describe_end` and `patience`, in seconds, as for `Connection`."""
    connected.setblocking(False)
    streams = await asyncio.open_unix_connection(sock=connected, limit=MAX_ANSWER_BYTES)
    return Connection(*streams, describe_end, patience)
