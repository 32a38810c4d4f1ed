"""A door in the process of the test: the same server and consoles as `hivetui serve`, as the user of the test."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import asyncssh

from hivetui.door.messages import Home
from hivetui.door.serve import open_door
from hivetui.engine.model.settings import OperatorSection, ServeSection

SECONDS = 60.0
Channel = asyncssh.SSHClientChannel[bytes]


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


def operator(key: asyncssh.SSHKey, role: str = "decide", networks: tuple[str, ...] = ()) -> OperatorSection:
    return OperatorSection.model_validate({"role": role, "keys": (public(key),), "from": networks})


class Session(asyncssh.SSHClientSession[bytes]):
    """What a client gets on one channel."""

    def __init__(self) -> None:
        self.shown = b""
        self.errors = b""
        self.closed = asyncio.Event()
        self._has_changed = asyncio.Event()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self.shown += data
        else:
            self.errors += data
        self._has_changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self._has_changed.set()

    async def until(self, text: bytes) -> None:
        """Wait until this was shown."""
        async with asyncio.timeout(SECONDS):
            while text not in self.shown:
                assert not self.closed.is_set(), (self.shown[-500:], self.errors)
                self._has_changed.clear()
                await self._has_changed.wait()

    async def ended(self) -> None:
        await asyncio.wait_for(self.closed.wait(), SECONDS)


@dataclass
class DoorHere:
    """An open door and its operators' keys."""

    port: int
    keys: dict[str, asyncssh.SSHKey]
    connections: list[asyncssh.SSHClientConnection] = field(default_factory=list)

    async def connect(self, user: str = "ada", *keys: str) -> asyncssh.SSHClientConnection:
        """Log in with these keys, one after another; with none, the user's own."""
        connection = await asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=user,
            client_keys=[self.keys[name] for name in keys or (user,)],
            known_hosts=None,
            agent_path=None,
            config=None,
        )
        self.connections.append(connection)
        return connection

    async def console(
        self, connection: asyncssh.SSHClientConnection, term: str | None = "xterm-256color"
    ) -> tuple[Channel, Session]:
        """A console on a channel of a connection."""
        made = await connection.create_session(Session, term_type=term, term_size=(100, 30, 0, 0), encoding=None)
        return cast(tuple[Channel, Session], made)


@asynccontextmanager
async def door_here(
    engine_socket: Path, keys: dict[str, asyncssh.SSHKey], **settings: object
) -> AsyncIterator[DoorHere]:
    """Open a door for these keys' owners, except for the "stranger"."""
    operators = {name: operator(key) for name, key in keys.items() if name != "stranger"}
    section = ServeSection.model_validate({"operators": operators, **settings})
    home = Home(str(engine_socket), {}, "/nonexistent")
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with open_door(section, listener, host_key, home, os.environ):
            door = DoorHere(listener.getsockname()[1], keys)
            try:
                yield door
            finally:
                for connection in door.connections:
                    connection.abort()
