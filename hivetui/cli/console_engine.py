"""The engine of one console: the service where one listens, else a child that starts while the console does.

It is made before Textual and asyncio are imported, so that both start side by side; the rest is imported in `open`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from hivetui.cli.new_hive import announce_new_hive
from hivetui.cli.parser import Request
from hivetui.cli.service_choice import find_service, socket_path
from hivetui.client.child_engine import ChildEngine
from hivetui.client.unix_socket import connect_to_service

if TYPE_CHECKING:
    from hivetui.client.connection import Connection
    from hivetui.console.hives import ShellCommand
    from hivetui.engine.api import Hive


async def open_remote(request: Request, host: str) -> Hive:
    """The hive of a host, over SSH."""
    import asyncio

    await asyncio.to_thread(importlib.import_module, "hivetui.client.ssh")
    remote = importlib.import_module("hivetui.cli.remote")
    opened: Hive = await remote.open_remote_hive(request, host)
    return opened


class ConsoleEngine:
    """Connects a console to its hive, again after each loss, and ends the child that it started."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._announcement = announce_new_hive(request)  # before the child creates it
        self._service = None if request.hosts else find_service(request)
        self._children = [] if self._service is not None or request.hosts else [self._start_child()]

    async def open(self) -> Hive:
        """The hive, when the engine has said hello."""
        import asyncio

        from hivetui.cli.signer import signer_finder
        from hivetui.engine import tool_messages

        if self._request.hosts:
            return await open_remote(self._request, self._request.hosts[0])
        module = await asyncio.to_thread(importlib.import_module, "hivetui.client.hive")
        role = "look" if self._request.read_only else None
        hive = module.RemoteHive(self._connect, role, find_signer=signer_finder(self._request))
        await hive.open()
        announcement, self._announcement = self._announcement, None
        tool_messages.pass_on([announcement] if announcement else [])
        opened: Hive = hive
        return opened

    def end(self) -> None:
        """Wait for the end of the children; their connections are closed."""
        for child in self._children:
            child.end()

    async def _connect(self) -> Connection:
        from hivetui.client.connection import ConnectionLost
        from hivetui.client.transports import CHILD_SECONDS, over_socket

        if self._service is not None:
            connected, self._service = self._service, None
            return await over_socket(connected)
        if self._children:
            if self._children[-1].is_taken:
                self._children.append(self._start_child())
            child = self._children[-1]
            return await over_socket(child.take(), child.describe_end, CHILD_SECONDS)
        again = connect_to_service(socket_path(self._request))
        if again is None:
            raise ConnectionLost(f"Nothing listens at {socket_path(self._request)}.")
        return await over_socket(again)

    def _start_child(self) -> ChildEngine:
        return ChildEngine(child_options(self._request))


def child_options(request: Request) -> list[str]:
    """The words that name the hive of this command line to another hivetui, and say that it is only read."""
    options = (("--root", request.root), ("--embedded", request.embedded), ("--config", request.config))
    words = [word for option, value in options if value for word in (option, value)]
    return [*words, *(["--read-only"] if request.read_only else [])]


def shell_command(request: Request, host: str | None) -> ShellCommand:
    """The command that opens a shell on the hive of this command line, or on that of one of its hosts."""
    hive = child_options(request) if host is None else [*_config_option(request), "--host", host]
    return lambda agent: [sys.executable, "-P", "-m", "hivetui", *hive, "shell", agent]


def _config_option(request: Request) -> list[str]:
    return ["--config", request.config] if request.config else []
