"""A session of the SSH door beside a console that is started on the host, both with the service of the same hive."""

from __future__ import annotations

import asyncio
import sys
from statistics import median
from time import monotonic

import asyncssh
import pytest

from tests.bench.conftest import Figure, Record
from tests.bench.test_start import environment, milliseconds_until
from tests.conftest import EmbeddedAgent
from tests.door.here import door_here
from tests.service.served import serving

__all__ = ["environment"]
pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ROUNDS = 7


async def test_the_first_frame_of_a_session(record: Record, environment: dict[str, str], agent: EmbeddedAgent) -> None:
    keys = {"ada": asyncssh.generate_private_key("ssh-ed25519")}
    cold_argv = [sys.executable, "-m", "hivetui", "--embedded", str(agent.host.paths.root)]
    name = agent.name.encode()
    ours, cold = [], []
    async with serving(agent.host) as served, door_here(served.socket, keys) as door:
        for _ in range(ROUNDS + 1):  # the first compiles and imports
            connection = await door.connect("ada")
            began = monotonic()
            channel, session = await door.console(connection)
            await session.until(name)
            ours.append((monotonic() - began) * 1000)
            channel.write(b"Q")
            await session.ended()
            connection.close()
            await connection.wait_closed()
            cold += await asyncio.to_thread(milliseconds_until, environment, cold_argv, name)
    peer = "hivetui, with a service"
    record(
        Figure(
            "SSH door: login to the first frame with agents", "ms", median(ours[1:]), None, peer, median(cold[1:]), 0.3
        )
    )
