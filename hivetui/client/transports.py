"""A connection to an engine over a socket: of the service, or of an engine that is a child of this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from hivetui.client.connection import Connection
from hivetui.wire.frames import MAX_ANSWER_BYTES


async def over_socket(connected: socket.socket, describe_end: Callable[[], str] = lambda: "") -> Connection:
    """The connection over a socket; `describe_end` as for `Connection`."""
    connected.setblocking(False)
    return Connection(*await asyncio.open_unix_connection(sock=connected, limit=MAX_ANSWER_BYTES), describe_end)
