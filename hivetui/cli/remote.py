"""Open the hive of another host, which --host names, over SSH."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from hivetui.cli.parser import Request
from hivetui.client.destinations import find_destination
from hivetui.client.hive import RemoteHive
from hivetui.engine import tool_messages
from hivetui.engine.host import settings_files

LOOK = "look"
"""The role that --read-only asks for."""


async def open_remote_hive(request: Request, name: str) -> RemoteHive:
    """The hive of the host `name`; what that host says at the login goes to whoever listens to messages."""
    settings = settings_files.load(os.environ, Path(request.config) if request.config else None)
    destination = find_destination(name, settings.hosts)
    ssh = importlib.import_module("hivetui.client.ssh")  # asyncssh, which takes 0.4 s
    route = ssh.SshRoute(destination, lambda line: tool_messages.pass_on([f"{name}: {line}"]))
    hive = RemoteHive(route.connect, LOOK if request.read_only else None, name)
    await hive.open()
    return hive
