"""The manager's door: a socket in the manager's runtime directory, which its container sees as /run/hive.

Who asks is known by the socket alone, so nothing that the manager says of itself counts. The container can write to the
directory: it may remove the socket or put something else there. Nothing is followed there, the mode comes with the
creation, and a socket that was removed is made again, at most once a second.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

from asyncinotify import Inotify, Mask

from hivetui.engine.hive import LocalHive
from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.errors import HiveError
from hivetui.service import manager_requests
from hivetui.wire import frames
from hivetui.wire.frames import Json

SOCKET_NAME = "manager.sock"
_MAX_LINE, _MAX_CONNECTIONS, _BACKLOG = 64 << 10, 16, 16
_PAUSE_SECONDS, _RETRY_SECONDS = 1.0, 60.0
_IDLE_SECONDS = 600.0
"""A connection that asks nothing for this long is closed; a new one costs the manager nothing."""
_CHANGES = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.ONLYDIR
_umask = threading.Lock()


class ManagerDoor:
    """Keeps the socket of one hive there while the manager is, and answers what comes through it."""

    def __init__(self, hive: LocalHive) -> None:
        self._paths: Paths = hive.host.paths
        self._hive = hive.acting_for(manager_requests.MANAGER)
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve the manager until cancelled. While another engine does, wait for its end."""
        while True:
            try:
                with locks.acquire(self._paths.locks / "manager-door", "hivetui engine"):
                    await self._keep_socket()
            except HiveError:  # another engine has it, or nothing can be written here
                await asyncio.sleep(_RETRY_SECONDS)

    async def _keep_socket(self) -> None:
        directory = self._paths.runtime_of(names.MANAGER)
        server: asyncio.Server | None = None
        inode: int | None = None
        try:
            while True:
                with Inotify() as changes:
                    _watch(changes, directory)
                    if inode is None or inode != _inode(directory / SOCKET_NAME):
                        server = await self._replace(server, directory)
                        inode = None if server is None else _inode(directory / SOCKET_NAME)
                    await changes.get()
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await self._close(server)
            if inode is not None and inode == _inode(directory / SOCKET_NAME):
                (directory / SOCKET_NAME).unlink(missing_ok=True)

    async def _replace(self, server: asyncio.Server | None, directory: Path) -> asyncio.Server | None:
        """A server on a new socket in the directory; None while the manager is not there."""
        await self._close(server)
        try:
            listener = _bind(directory)
        except OSError:  # it is not there, or the container fills it with something else: tried again at a change
            return None
        return await asyncio.start_unix_server(self._welcome, sock=listener, limit=_MAX_LINE)

    async def _close(self, server: asyncio.Server | None) -> None:
        if server is not None:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _MAX_CONNECTIONS:  # said here: a burst is counted before any of it is served
            writer.write(frames.encode({"ok": False, "error": f"More than {_MAX_CONNECTIONS} connections are open."}))
            writer.close()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line after another: who sends many waits for the answers to the first."""
        try:
            while line := await asyncio.wait_for(reader.readuntil(b"\n"), _IDLE_SECONDS):
                await _send(writer, await asyncio.shield(manager_requests.answer_line(self._hive, line)))
        except asyncio.LimitOverrunError:
            with suppress(ConnectionError, TimeoutError):
                await _send(writer, {"ok": False, "error": f"The line is longer than {_MAX_LINE} bytes."})
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()


async def _send(writer: asyncio.StreamWriter, answer: Json) -> None:
    writer.write(frames.encode(answer))
    await asyncio.wait_for(writer.drain(), _IDLE_SECONDS)


def _watch(changes: Inotify, directory: Path) -> None:
    """Watch the directory, or where it will come to be."""
    for path in (directory, directory.parent, directory.parent.parent):
        with suppress(OSError):
            changes.add_watch(path, _CHANGES)


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None


def _bind(directory: Path) -> socket.socket:
    """A listening socket of mode 0600 in the directory, whatever was in its place."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            os.unlink(SOCKET_NAME, dir_fd=descriptor)
        with _umask:  # the mode comes with the creation: a chmod could be led to another file
            before = os.umask(0o177)
            try:
                made.bind(f"/proc/self/fd/{descriptor}/{SOCKET_NAME}")
            finally:
                os.umask(before)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    finally:
        os.close(descriptor)
    return made
