"""Open the hive of another host, which --host names, over SSH."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from pathlib import Path

from hivetui.cli.parser import Request
from hivetui.cli.signer import signer_finder
from hivetui.client.destinations import find_destination
from hivetui.client.hive import RemoteHive
from hivetui.client.host_keys import UnknownHostKey
from hivetui.engine import tool_messages
from hivetui.engine.host import settings_files


async def open_remote_hive(request: Request, name: str) -> RemoteHive:
    """The hive of the host `name`; what that host says at the login goes to whoever listens to messages."""
    explicit = Path(request.config) if request.config else None
    settings = await asyncio.to_thread(settings_files.load, os.environ, explicit)
    destination = find_destination(name, settings.hosts)
    if request.read_only:
        destination = destination.read_only()
    ssh = importlib.import_module("hivetui.client.ssh")  # asyncssh, which takes 0.4 s
    route = ssh.SshRoute(destination, lambda line: tool_messages.pass_on([f"{name}: {line}"]))
    hive = RemoteHive(route.connect, "look" if request.read_only else None, name, find_signer=signer_finder(request))
    while True:  # jump hosts have keys of their own
        try:
            await hive.open()
        except UnknownHostKey as unknown:
            if request.command is None or not await asyncio.to_thread(is_key_accepted, unknown):
                raise
        else:
            return hive


def is_key_accepted(unknown: UnknownHostKey) -> bool:
    """Ask on a terminal whether a host key is the right one, and record it if so; without a terminal it is not."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{unknown.what}.\n{unknown.why}\nType yes to record it in {unknown.file} and to connect: "
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        return False
    unknown.learn()
    return True
