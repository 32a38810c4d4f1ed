"""Run the door: listen, become its user, and serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh

from hivetui import __version__
from hivetui.door import host_key, unprivileged
from hivetui.door.consoles import Consoles
from hivetui.door.log import log
from hivetui.door.messages import Home
from hivetui.door.ssh_server import (
    COMPRESSION,
    ENCRYPTION,
    KEEPALIVE_SECONDS,
    KEX,
    MACS,
    SIGNATURES,
    Door,
    DoorConnection,
)
from hivetui.engine.model.errors import BadConfiguration
from hivetui.engine.model.places import HOST_SOCKET
from hivetui.engine.model.settings import ServeSection, Settings
from hivetui.service.notify import SystemdNotifier

_BACKLOG = 128
_CLOSE_SECONDS = 3.0


def serve(settings: Settings, root: Path, environment: Mapping[str, str], role: str | None) -> None:
    """Serve the hive below `root`, to all with this role if one is given.

    BadConfiguration for settings, a user or a host key that cannot be used.
    """
    section = settings.serve
    if not section.operators:
        why = "No operator may log in."
        raise BadConfiguration("The door has no operators", why, "Set [serve.operators.NAME]: see docs/operators.md")
    user = unprivileged.find_user(section.user)
    directory = host_key.find_directory(environment, root)
    with _listen(section.listen) as listener:
        host_key.prepare_directory(directory, user)
        unprivileged.become(user)
        key = host_key.load_or_make(directory)
        shared = settings.model_dump(mode="json", include={"console", "notify"})
        home = Home(str(root / HOST_SOCKET), shared, str(directory), role)
        logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)  # it would write what strangers send
        asyncio.run(_serve(section, listener, key, home, environment))


def _listen(address: str) -> socket.socket:
    """A listening socket, made by root where its port is one of root's."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(found[4][:2], family=found[0], backlog=_BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadConfiguration(
            f"The door cannot listen on {address}", why, "Set another address: listen, [serve]."
        ) from error


async def _serve(
    settings: ServeSection, listener: socket.socket, key: asyncssh.SSHKey, home: Home, environment: Mapping[str, str]
) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    notifier = SystemdNotifier(environment)
    async with open_door(settings, listener, key, home, environment) as address:
        notifier.send("READY=1", f"STATUS=listening on {address}")
        await ended.wait()
        notifier.send("STOPPING=1")


@asynccontextmanager
async def open_door(
    settings: ServeSection, listener: socket.socket, key: asyncssh.SSHKey, home: Home, environment: Mapping[str, str]
) -> AsyncIterator[str]:
    """Let operators in until the end of the block, as this user; where it listens, as text."""
    door = Door(settings, Consoles(home, environment))
    server = await _make_server(door, listener, key)
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log(f"listening on {address}; host key {key.get_algorithm()} {key.get_fingerprint()}")
    try:
        yield address
    finally:
        server.close()
        await _close(door)


async def _make_server(door: Door, listener: socket.socket, key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
    """The server, with everything off that asyncssh would offer besides."""
    return await asyncssh.create_server(
        lambda: DoorConnection(door),
        sock=listener,
        server_host_keys=[key],
        server_version=f"hivetui_{__version__}",
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        gss_kex=False,
        gss_auth=False,
        x11_forwarding=False,
        agent_forwarding=False,
        allow_scp=False,
        line_editor=False,
        encoding=None,
        kex_algs=KEX,
        mac_algs=MACS,
        signature_algs=SIGNATURES,
        encryption_algs=list(ENCRYPTION),
        compression_algs=list(COMPRESSION),
        login_timeout=door.settings.login_seconds,
        keepalive_interval=KEEPALIVE_SECONDS,
        config=None,
    )


async def _close(door: Door) -> None:
    """End the consoles, each of which gives its client the terminal back, and then the connections."""
    for session in door.sessions:
        session.end()
    with suppress(TimeoutError):
        await asyncio.wait_for(door.is_empty.wait(), _CLOSE_SECONDS)
    for connection in [*door.waiting, *door.inside]:
        connection.drop("the door is closed")
    await door.consoles.close()
