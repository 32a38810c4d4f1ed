"""`hivetui engine`: serve one hive in the foreground, on its socket or, for one client, on stdin and stdout."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.errors import HiveError, NotAllowed, TryAgain
from hivetui.engine.model.operations import Operator
from hivetui.service import peers
from hivetui.service.clients import Client
from hivetui.service.connection import Connection, close
from hivetui.service.hive_service import HiveService
from hivetui.service.listening import listening_socket
from hivetui.service.notify import SystemdNotifier
from hivetui.wire import errors, frames
from hivetui.wire.frames import MAX_REQUEST_BYTES
from hivetui.wire.verbs import Role

MAX_CLIENTS, MAX_CLIENTS_EACH = 100, 50
"""Connections at once, and of these those of one user other than root."""
_LINGER_SECONDS = 2.0
_OWN_SOCKET: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Who made the socket removes it: it may be systemd's."""


async def serve(hive: LocalHive, environment: Mapping[str, str]) -> None:
    """Serve a hive on its socket until SIGTERM or SIGINT. TryAgain when another engine does; BadData for its path."""
    ended = _ended_by_signal()  # before a client or systemd can know of this engine
    with listening_socket(hive.host.paths, environment) as listener:
        listener.setblocking(False)
        service, notifier = HiveService(hive), SystemdNotifier(environment)
        door = Door(service)
        server = await asyncio.start_unix_server(door.welcome, sock=listener, limit=MAX_REQUEST_BYTES, **_OWN_SOCKET)
        watchdog = asyncio.create_task(notifier.keep_watchdog())
        notifier.send("READY=1", f"STATUS=serving {hive.description.title}")
        try:
            await ended.wait()
        finally:
            notifier.send("STOPPING=1")
            watchdog.cancel()
            server.close()
            await door.close()
            await service.close()


class Door:
    """Lets clients in, by who they are and how many there are."""

    def __init__(self, service: HiveService) -> None:
        self._service = service
        self._clients: dict[asyncio.Task[None], int] = {}
        self._refused: set[asyncio.Task[None]] = set()

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection that was accepted."""
        peer = peers.peer_of(writer.get_extra_info("socket"))
        task = asyncio.ensure_future(self._serve(peer, reader, writer))
        self._clients[task] = peer.uid
        task.add_done_callback(lambda _: self._clients.pop(task, None))

    async def _serve(self, peer: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            client = await self._admit(peer)
        except HiveError as error:
            await self._refuse(error, reader, writer)
            return
        await Connection(self._service, client, reader, writer).run()

    async def _refuse(self, error: HiveError, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send one error. What the client sends is still taken for a moment: it may write before it reads."""
        refused = asyncio.create_task(self._linger(reader)) if len(self._refused) < MAX_CLIENTS else None
        with suppress(ConnectionError):
            writer.write(frames.encode({"ok": False, "error": errors.to_json(error)}))
            writer.write_eof()
        if refused is not None:
            if (task := asyncio.current_task()) is not None:
                self._clients.pop(task, None)  # it takes no place from now on
            self._refused.add(refused)
            refused.add_done_callback(self._refused.discard)
            await asyncio.wait([refused])
        await close(writer, _LINGER_SECONDS)

    async def _linger(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await reader.read(1 << 16):
                    pass

    async def _admit(self, peer: peers.Peer) -> Client:
        uids = Counter(self._clients.values())
        if uids.total() > MAX_CLIENTS or (peer.uid != 0 and uids[peer.uid] > MAX_CLIENTS_EACH):
            why = f"At most {MAX_CLIENTS} connections are served, and {MAX_CLIENTS_EACH} of one user."
            raise TryAgain("There are too many connections", why, "Close some, then connect again.")
        settings = self._service.hive.host.settings
        operator = Operator(name=peer.name, uid=peer.uid, source=peers.source_of(peer))
        if await asyncio.to_thread(peers.is_door, peer.uid, settings.serve):
            return Client(operator, None, settings.serve.operators)
        role = await asyncio.to_thread(peers.role_of, peer.uid, settings.socket)
        if role is None:
            groups = settings.socket
            why = f"{peer.name} is neither root nor in the group {groups.group} or {groups.look_group}."
            raise NotAllowed(
                "This user may not use the hive", why, f"Add the user to one of them: usermod -aG {groups.group}."
            )
        return Client(operator, role)

    async def close(self) -> None:
        """Disconnect everybody."""
        for task in (*self._clients, *self._refused):
            task.cancel()
        await asyncio.gather(*self._clients, *self._refused, return_exceptions=True)


async def serve_stdio(hive: LocalHive) -> None:
    """Serve the one client on stdin and stdout until its end. NotAllowed for a user who may not write the hive."""
    require_writable(hive.host.paths.library)
    service = HiveService(hive)
    try:
        reader, writer = await _standard_streams()
        await Connection(service, Client(hive.operator, Role(hive.role)), reader, writer).run()
    finally:
        await service.close()


def require_writable(directory: Path) -> None:
    """NotAllowed unless this user may write the hive, or make it."""
    existing = next(path for path in (directory, *directory.parents) if os.access(path, os.F_OK))
    if not os.access(existing, os.W_OK | os.X_OK):
        why = f"{peers.user_name(os.geteuid())} may not write {existing}, and no engine serves it."
        raise NotAllowed("This hive cannot be used by this user", why, "Ask for the service: hivetui engine.")


async def pass_on(service: socket.socket) -> None:
    """Connect stdin and stdout with the socket of a service, until either side ends."""
    reader, writer = await _standard_streams()
    there, to_service = await asyncio.open_unix_connection(sock=service, limit=MAX_REQUEST_BYTES)
    asking = asyncio.create_task(_copy(reader, to_service))
    await _copy(there, writer)  # the service ends it when it has answered what was asked before the end of the input
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    to_service.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


async def _standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """stdin and stdout: one end of a socket pair, as a console gives; two pipes, as sshd does; files or devices."""
    if stat.S_ISSOCK(os.fstat(0).st_mode):
        return await asyncio.open_unix_connection(sock=socket.socket(fileno=os.dup(0)), limit=MAX_REQUEST_BYTES)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_REQUEST_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(_pipe_from(0), "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(_pipe_to(1), "wb", 0)
    )
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def _pipe_from(descriptor: int) -> int:
    """A pipe with what can be read there; the loop waits for pipes only, and not for files or devices."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return os.dup(descriptor)
    ours, its = os.pipe()
    threading.Thread(target=_pump, args=(descriptor, its), daemon=True).start()
    return ours


def _pipe_to(descriptor: int) -> int:
    """A pipe whose data is written there; the process ends when all of it was."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return os.dup(descriptor)
    its, ours = os.pipe()
    threading.Thread(target=_pump, args=(its, os.dup(descriptor))).start()
    return ours


def _pump(source: int, target: int) -> None:
    with suppress(OSError), os.fdopen(target, "wb", 0) as writing:
        while data := os.read(source, 1 << 16):
            while data:
                data = data[writing.write(data) :]


def _ended_by_signal() -> asyncio.Event:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


def refuse(error: HiveError) -> int:
    """Say on stdout, where a client reads frames, why there is no engine; the exit status."""
    sys.stdout.buffer.write(frames.encode({"ok": False, "error": errors.to_json(error)}))
    sys.stdout.buffer.flush()
    return error.code
