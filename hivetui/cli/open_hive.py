"""Open the hive that a command line names for a verb: through the service where one listens, else in this process."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from hivetui.cli.parser import Request
from hivetui.cli.service_choice import find_service, socket_path
from hivetui.cli.signer import signer_finder
from hivetui.client.connection import ConnectionLost
from hivetui.client.hive import RemoteHive
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service

if TYPE_CHECKING:
    from hivetui.client.connection import Connection
    from hivetui.engine.api import Hive


async def open_hive(request: Request, repair: bool = True) -> Hive:
    """Open the hive for a verb; without `repair`, opening it in this process changes nothing."""
    if request.hosts:
        module = importlib.import_module("hivetui.cli.remote")  # it reads settings, which a client here need not
        elsewhere: Hive = await module.open_remote_hive(request, request.hosts[0])
        return elsewhere
    if (remote := _through_service(request)) is not None:
        await remote.open()
        return remote
    local = importlib.import_module("hivetui.cli.open_local")  # the engine is imported by those who have no service
    opened: Hive = await local.open_local_hive(request, os.environ, repair)
    return opened


def _through_service(request: Request) -> RemoteHive | None:
    """The hive as its service has it; None where none listens, or none is wanted."""
    connected = find_service(request)
    if connected is None:
        return None
    first = [connected]

    async def connect() -> Connection:
        found = first.pop() if first else connect_to_service(socket_path(request))
        if found is None:
            raise ConnectionLost(f"Nothing listens at {socket_path(request)}.")
        return await over_socket(found)

    return RemoteHive(connect, "look" if request.read_only else None, find_signer=signer_finder(request))
