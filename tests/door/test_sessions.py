"""Consoles of the door: how many, how they end, and that none reaches another."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import cast

import asyncssh
import pytest

from tests.conftest import EmbeddedAgent
from tests.door.conftest import children_of
from tests.door.here import DoorHere, Session, door_here
from tests.free_names import free_name
from tests.service.served import Served, serving
from tests.waiting import until

pytestmark = pytest.mark.slow
KEYS = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("ada", "lois")}
Opened = Callable[..., AbstractAsyncContextManager[DoorHere]]


@pytest.fixture
async def served(agent: EmbeddedAgent) -> AsyncIterator[Served]:
    async with serving(agent.host) as served:
        yield served


@pytest.fixture
def opened(served: Served) -> Opened:
    """Opens a door to the hive of one agent."""
    return lambda **settings: door_here(served.socket, KEYS, **settings)


@pytest.fixture
async def door(opened: Opened) -> AsyncIterator[DoorHere]:
    async with opened() as door:
        yield door


def consoles() -> list[int]:
    """The processes of consoles: children of the warm parent, which is one of this process."""
    parents = [pid for pid in children_of(os.getpid()) if "hivetui.door.warm_parent" in command_line(pid)]
    return [pid for parent in parents for pid in children_of(parent)]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


async def become(is_reached: Callable[[], bool]) -> None:
    """Wait for a state, while the door goes on."""
    await asyncio.to_thread(until, is_reached)


async def test_an_operator_has_a_limited_number_of_consoles_on_one_connection_too(
    opened: Opened, served: Served
) -> None:
    async with opened(max_sessions_each=2, max_sessions=3) as door:
        connection = await door.connect("ada")
        ours = [await door.console(connection) for _ in range(2)]
        for _, session in ours:
            await session.until(b"agents")
        with pytest.raises(asyncssh.ChannelOpenError):
            await door.console(connection)
        again, third = await door.console(await door.connect("ada"))
        await third.ended()
        assert (b"ada has 2 consoles already" in third.errors, again.get_exit_status()) == (True, 75)
        _, other = await door.console(await door.connect("lois"))
        await other.until(b"agents")
        full, fourth = await door.console(await door.connect("lois"))
        await fourth.ended()
        assert (b"There are too many consoles" in fourth.errors, full.get_exit_status()) == (True, 75)
        ours[0][0].write(b"Q")
        await ours[0][1].ended()
        _, free = await door.console(connection)
        await free.until(b"agents")


async def test_a_console_has_its_own_terminal_and_nothing_of_other_sessions(door: DoorHere) -> None:
    for name in KEYS:
        _, session = await door.console(await door.connect(name))
        await session.until(b"agents")
    first, second = consoles()
    terminals = [terminals_of(pid) for pid in (first, second)]
    assert [len(one) for one in terminals] == [1, 1]
    assert not terminals[0] & terminals[1]
    for pid in (first, second):
        assert os.getsid(pid) == pid
    assert all(len(sockets_of(pid)) <= 3 for pid in (first, second))  # the engine's, and the loop's own pair


def terminals_of(pid: int) -> set[str]:
    return {target for target in targets_of(pid) if target.startswith("/dev/pt")}


def sockets_of(pid: int) -> set[str]:
    return {target for target in targets_of(pid) if target.startswith("socket:")}


def targets_of(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


async def test_a_line_that_is_cut_in_the_middle_of_a_frame_ends_its_console_and_no_other(door: DoorHere) -> None:
    connection = await door.connect("ada")
    channel, session = await door.console(connection)
    other_channel, other = await door.console(await door.connect("lois"))
    await session.until(b"agents")
    await other.until(b"agents")
    assert len(consoles()) == 2
    channel.pause_reading()  # the console is stopped by its terminal, which takes no more
    for _ in range(2000):
        channel.write(b"\x0c")
    connection.abort()
    await become(lambda: len(consoles()) == 1)
    other_channel.write(b"Q")
    await other.ended()
    assert other_channel.get_exit_status() == 0


async def test_a_console_that_does_not_end_by_itself_is_killed(door: DoorHere) -> None:
    connection = await door.connect("ada")
    _, session = await door.console(connection)
    await session.until(b"agents")
    (console,) = consoles()
    os.kill(console, signal.SIGSTOP)
    connection.abort()
    await become(lambda: not consoles())


async def test_the_death_of_a_console_or_of_the_parent_ends_sessions_and_not_the_door(door: DoorHere) -> None:
    channel, session = await door.console(await door.connect("ada"))
    await session.until(b"agents")
    (console,) = consoles()
    os.kill(console, signal.SIGKILL)
    await session.ended()
    assert channel.get_exit_status() == 128 + signal.SIGKILL
    channel, session = await door.console(await door.connect("ada"))
    await session.until(b"agents")
    (console,) = consoles()
    os.kill(int(Path(f"/proc/{console}/stat").read_text().split()[3]), signal.SIGKILL)
    await session.ended()
    assert channel.get_exit_status() == 75
    for _ in range(60):
        channel, session = await door.console(await door.connect("lois"))
        if await is_open(session):
            break
        await asyncio.sleep(0.5)
    assert not session.closed.is_set()


async def is_open(session: Session) -> bool:
    try:
        await session.until(b"agents")
    except AssertionError:
        return False
    return True


async def test_a_console_in_which_nothing_is_typed_is_closed_and_the_terminal_given_back(opened: Opened) -> None:
    async with opened(idle_seconds=8) as door:
        channel, session = await door.console(await door.connect("ada"))
        await session.until(b"agents")
        await session.ended()
        assert session.shown.rindex(b"\x1b[?1049l") > session.shown.rindex(b"\x1b[?1049h")
        assert channel.get_exit_status() == 128 + signal.SIGTERM


async def test_a_client_that_sends_garbage_is_disconnected_and_others_go_on(door: DoorHere) -> None:
    chance = random.Random(9)
    _, session = await door.console(await door.connect("ada"))
    await session.until(b"agents")
    for start in (b"", b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"SSH-1.5-x\r\n", b"\0" * 9000):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        with suppress(OSError):
            writer.write(start + chance.randbytes(20_000) + b"\n")
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 60)
        writer.close()
    assert not session.closed.is_set()
    await door.connect("lois")


async def test_a_size_without_end_is_not_believed(door: DoorHere) -> None:
    channel, session = await door.console(await door.connect("ada"))
    await session.until(b"agents")
    channel.change_terminal_size(2**32 - 1, 2**32 - 1)
    channel.write(b"?")
    await session.until(b"proposals")
    channel.change_terminal_size(0, 0)
    channel.write(b"Q")
    await session.ended()
    assert channel.get_exit_status() == 0


async def test_the_console_gets_the_terminals_colors_and_nothing_else_of_its_environment(door: DoorHere) -> None:
    connection = await door.connect("ada")
    _, plain = await door.console(connection, "xterm")
    await plain.until(b"agents")
    made = await connection.create_session(
        Session, term_type="xterm", term_size=(100, 30, 0, 0), encoding=None, env={"COLORTERM": "truecolor"}
    )
    colored = cast(Session, made[1])
    await colored.until(b"agents")
    assert (b"38;2;" in plain.shown, b"38;2;" in colored.shown) == (False, True)


async def test_a_log_cannot_be_saved_on_the_host(door: DoorHere, agent: EmbeddedAgent) -> None:
    channel, session = await door.console(await door.connect("ada"))
    await session.until(agent.name.encode())
    channel.write(b"4")
    await session.until(b"listening on")
    channel.write(b"s")
    await session.until(b"No such file")


async def test_a_console_goes_on_with_the_next_engine(agent: EmbeddedAgent) -> None:
    async with serving(agent.host) as served:
        stack = AsyncExitStack()
        door = await stack.enter_async_context(door_here(served.socket, KEYS))
        channel, session = await door.console(await door.connect("ada"))
        await session.until(agent.name.encode())
    async with stack:
        channel.write(b"2")
        await session.until(b"Nothing listens")
        async with serving(agent.host) as served:
            await served.proposal(free_name())
            await session.until(b"#1 ")
