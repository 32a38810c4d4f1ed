"""An engine's service in the process of the test: the same door and socket as `hivetui engine`, without its start."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hivetui.client.connection import Connection
from hivetui.client.hive import RemoteHive
from hivetui.client.signing import FindSigner
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.host import Host
from hivetui.engine.model.proposals import ProposalState
from hivetui.service.engine import serve
from tests.conftest import OPERATOR
from tests.service.raw_client import SECONDS, RawClient

_AS_USER = """
import json, os, socket, sys
folder, uid, count, *lines = sys.argv[1:]
os.chdir(folder)  # the folders above are closed to this user
os.setgroups([])
os.setgid(65534)
os.setuid(int(uid))
connections = []
for number in range(int(count)):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("host.sock")
    connections.append(connection)
    answers = connection.makefile("rb")
    sent = lines or ['{"id":1,"verb":"hello","schema":"hivetui/1"}']
    try:
        for line in sent:
            connection.sendall(line.encode() + b"\\n")
    except ConnectionError:
        pass
    told = [answers.readline().decode() for line in sent]
    print(json.dumps([json.loads(line) if line else None for line in told]), flush=True)
"""


@dataclass
class Served:
    """A hive, and the socket on which it is served."""

    host: Host
    clients: list[RawClient] = field(default_factory=list)
    """Closed at the end."""

    @property
    def socket(self) -> Path:
        return self.host.paths.host_socket

    @property
    def local(self) -> LocalHive:
        return LocalHive(self.host, OPERATOR)

    async def raw(self) -> RawClient:
        self.clients.append(await RawClient.connect(self.socket))
        return self.clients[-1]

    async def remote(self, role: str | None = None, find_signer: FindSigner | None = None) -> RemoteHive:
        async def connect() -> Connection:
            connected = connect_to_service(self.socket)
            assert connected is not None
            return await over_socket(connected)

        hive = RemoteHive(connect, role, find_signer=find_signer)
        await hive.open()
        return hive

    async def as_user(self, uid: int, *lines: str, connections: int = 1) -> list[list[Any]]:
        """What each of some connections of a process of this user is answered to these lines."""
        argv = [sys.executable, "-c", _AS_USER, str(self.socket.parent), str(uid), str(connections), *lines]
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        return [json.loads(line) for line in output.splitlines()]

    async def proposal(self, name: str) -> int:
        """The number of a new proposal, which costs no agent."""
        return (await self.local.request_spawn(name)).id

    async def state(self, number: int) -> ProposalState:
        return (await self.local.review(number)).proposal.state


@asynccontextmanager
async def serving(host: Host) -> AsyncIterator[Served]:
    """Serve the hive of a host until the end of the block."""
    task = asyncio.create_task(serve(LocalHive(host, OPERATOR), {}))
    while (connected := connect_to_service(host.paths.host_socket)) is None:
        await asyncio.sleep(0.01)
        assert not task.done(), task.exception()
    connected.close()
    served = Served(host)
    try:
        yield served
    finally:
        for client in served.clients:
            client.writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
