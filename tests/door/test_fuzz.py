"""100 000 mutated packets at the port of the door: it lives, lets no stranger in, does nothing, and does not grow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import asyncssh
import pytest
from asyncssh.packet import Boolean, Byte, NameList, SSHPacket, String, UInt32

from tests.conftest import EmbeddedAgent
from tests.door.conftest import OpenDoor, ServedHive, children_of, open_door, write_settings
from tests.door.here import Session
from tests.fuzzing import count_descriptors, damaged, read_hive, resident_kib
from tests.waiting import SECONDS, until

PACKETS = 100_000
_WARM = 10_000
_EACH = 400
"""Packets of one connection that it survives; then come some that it need not."""
_AT_ONCE = 4
_GROWTH_KIB = 48 << 10
_OPEN, _REQUEST, _GLOBAL, _DATA, _ADJUST, _EOF, _CLOSE, _AUTH, _KEXINIT = 90, 98, 80, 94, 93, 96, 97, 50, 20
_IGNORE, _UNIMPLEMENTED, _DEBUG, _CONFIRMATION = 2, 3, 4, 91
"""Numbers of messages (RFC 4250)."""
_ANSWERS = (_UNIMPLEMENTED, 81, 82, _CONFIRMATION, 92, 99, 100)
_UNKNOWN = (*range(8, 20), *range(22, 30))
"""Numbers of no message, which a peer may send at any time and is told so (RFC 4253, 11.4)."""
_UNKNOWN_INSIDE = (*_UNKNOWN, *range(54, 60), *range(83, 90), *range(128, 256))
_CHANNEL = UInt32(0)
_KEXINIT_PACKET = bytes(16) + NameList([b"curve25519-sha256"]) * 10 + Boolean(False) + UInt32(0)
_FORWARD = String("h") + UInt32(22) + String("h") + UInt32(1)
_PACKETS: list[tuple[int, bytes]] = [
    (_OPEN, String("session") + UInt32(0) + UInt32(1 << 20) + UInt32(1 << 15)),
    (_OPEN, String("direct-tcpip") + UInt32(1) + UInt32(9) + UInt32(9) + _FORWARD),
    (
        _REQUEST,
        _CHANNEL + String("pty-req") + b"\1" + String("xterm") + UInt32(80) + UInt32(24) + bytes(8) + String(b"\0"),
    ),
    (_REQUEST, _CHANNEL + String("env") + b"\1" + String("LANG") + String("C")),
    (_REQUEST, _CHANNEL + String("exec") + b"\1" + String("id")),
    (_REQUEST, _CHANNEL + String("subsystem") + b"\1" + String("sftp")),
    (_REQUEST, _CHANNEL + String("window-change") + b"\0" + UInt32(1 << 31) + UInt32(1) + bytes(8)),
    (_REQUEST, _CHANNEL + String("shell") + b"\1"),
    (_GLOBAL, String("tcpip-forward") + b"\1" + String("") + UInt32(0)),
    (_GLOBAL, String("streamlocal-forward@openssh.com") + b"\1" + String("/tmp/x")),
    (_DATA, _CHANNEL + String(b"Q" * 50)),
    (_ADJUST, _CHANNEL + UInt32(1 << 31)),
    (_EOF, _CHANNEL),
    (_CLOSE, _CHANNEL),
    (
        _AUTH,
        String("ada") + String("ssh-connection") + String("publickey") + b"\0" + String("ssh-ed25519") + String("x"),
    ),
    (_AUTH, String("root") + String("ssh-connection") + String("none")),
    (_KEXINIT, _KEXINIT_PACKET),
]
_GLOBALS = (
    *("tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com", "keepalive@openssh.com"),
    *("hostkeys-prove-00@openssh.com", "no-more-sessions@openssh.com"),
)
_CHANNELS = ("session", "direct-tcpip", "direct-streamlocal@openssh.com", "x11", "tun@openssh.com", "forwarded-tcpip")
_REQUESTS = (
    *("exec", "shell", "subsystem", "env", "pty-req", "window-change", "signal", "break", "xon-xoff"),
    *("x11-req", "auth-agent-req@openssh.com", "exit-status"),
)

_IN_NO_NAME = "!$%&*+,/:;=?~ "
_WEIGHTS = (15, 5, 10, 70)
"""How often each way of sending packets is chosen, of a hundred times."""
Way = Callable[[OpenDoor, random.Random], Awaitable[int]]


@pytest.mark.fuzz
@pytest.mark.timeout(900)
async def test_mutated_packets_let_nobody_in_do_nothing_and_cost_nothing(
    place: Path, keys: dict[str, asyncssh.SSHKey], agent: EmbeddedAgent
) -> None:
    """Who logs in may only look, so that keys that are typed into a console do nothing either."""
    write_settings(place, keys, "login_seconds = 5\nmax_sessions_each = 20\n")
    hive = ServedHive(agent, place)
    await asyncio.to_thread(hive.start)
    door = await asyncio.to_thread(open_door, place, keys)
    try:
        before, chance = await read_hive(agent), random.Random(20261127)
        await _send_packets(door, chance, _WARM)
        await _become_quiet(door)
        grown_from, open_before = resident_kib(door.pid), count_descriptors(door.pid)
        sent = await _send_packets(door, chance, PACKETS - _WARM)
        await _become_quiet(door)
        assert sent >= PACKETS - _WARM
        assert resident_kib(door.pid) - grown_from < _GROWTH_KIB
        await _become(lambda: count_descriptors(door.pid) <= open_before)
        assert len(children_of(door.pid)) == 1  # the warm parent
        assert await read_hive(agent) == before
        await _open_console(door, "ada")
        assert not [line for line in door.lines if "Traceback" in line or "\x1b" in line or "a bug" in line]
        logins = [line for line in door.lines if line.startswith("login of")]
        assert not [line for line in logins if "login of lois from" not in line and "login of ada from" not in line]
        assert len([line for line in logins if "login of ada from" in line]) == 1
    finally:
        assert await asyncio.to_thread(door.end) == 0
        hive.engine.end_if_running()


async def _become(is_reached: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, is_reached)


async def _become_quiet(door: OpenDoor) -> None:
    """Wait for the end of consoles and connections."""
    await _become(lambda: not door.consoles())


async def _open_console(door: OpenDoor, user: str) -> None:
    """A login as any other, to the console and its end."""
    connection = await door.connect(user)
    made = await connection.create_session(Session, term_type="xterm", term_size=(100, 30, 0, 0), encoding=None)
    channel, session = cast("tuple[asyncssh.SSHClientChannel[bytes], Session]", made)
    await session.until(b"agents")
    channel.write(b"Q")
    await session.ended()
    assert channel.get_exit_status() == 0
    connection.close()


async def _send_packets(door: OpenDoor, chance: random.Random, count: int) -> int:
    """So many packets over a few connections at once; how many were sent."""
    ways: tuple[Way, ...] = (_before_the_keys, _while_keys_are_made, _before_the_login, _after_the_login)
    sent = 0

    async def send() -> None:
        nonlocal sent
        while sent < count:
            (way,) = chance.choices(ways, _WEIGHTS)
            sent += await way(door, chance)

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))
    return sent


# Before the keys, in the clear


async def _before_the_keys(door: OpenDoor, chance: random.Random) -> int:
    """Packets that are answered, after a version that may be damaged, and then some that end the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    version = b"SSH-2.0-OpenSSH_9.9\r\n"
    is_damaged = chance.random() < 0.2
    survived = 0
    with suppress(OSError):
        writer.write(damaged(chance, version) if is_damaged else version)
        if not is_damaged:
            survived = await _send_clear(reader, writer, chance)
        for _ in range(3):
            kind, content = chance.choice(_PACKETS)
            packet = _in_clear(kind, damaged(chance, content))
            writer.write(damaged(chance, packet) if chance.random() < 0.3 else packet)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), SECONDS)
    writer.close()
    return survived + 1


async def _send_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random) -> int:
    """Packets of no meaning, and of no known number: each of those is answered."""
    packets = [_without_meaning(chance, _UNKNOWN) for _ in range(_EACH)]
    for kind, content in packets:
        writer.write(_in_clear(kind, content))
    expected = len([kind for kind, _ in packets if kind in _UNKNOWN])
    async with asyncio.timeout(SECONDS):
        while not (await reader.readline()).startswith(b"SSH-"):
            pass
        while expected:
            packet = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            expected -= packet[1] == _UNIMPLEMENTED
    return len(packets)


def _in_clear(kind: int, content: bytes) -> bytes:
    payload = Byte(kind) + content
    padding = 8 + -(13 + len(payload)) % 8
    return UInt32(1 + len(payload) + padding) + Byte(padding) + payload + bytes(padding)


def _without_meaning(chance: random.Random, unknown: Sequence[int]) -> tuple[int, bytes]:
    noise = chance.randbytes(chance.randrange(80))
    match chance.randrange(6):
        case 0:
            return _IGNORE, String(noise)
        case 1:
            return _DEBUG, Boolean(chance.random() < 0.5) + String(_word(chance, _REQUESTS)) + String("")
        case 2:
            return _UNIMPLEMENTED, UInt32(chance.randrange(1 << 32))
        case _:
            return chance.choice(unknown), noise


def _word(chance: random.Random, known: Sequence[str]) -> str:
    """A name that is almost a known one."""
    word = list(chance.choice(known))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(word))
        word[place : place + chance.randrange(2)] = chance.choice(_IN_NO_NAME)
    return "".join(word)


# While keys are exchanged, and before the login


class _Damaging(asyncssh.SSHClient):
    """A client that damages some of what it says, from the exchange of keys on."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self.sent = chance, 0

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        send = conn.send_packet

        def damage(kind: int, *parts: bytes, handler: object = None) -> None:
            self.sent += 1
            content = b"".join(parts)
            send(kind, damaged(self._chance, content) if self._chance.random() < 0.3 else content)

        conn.send_packet = damage  # type: ignore[method-assign, assignment]


class _Talking(asyncssh.SSHClient):
    """A client that has much to say between the exchange of keys and its login."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self.sent = chance, 0
        self._connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    async def public_key_auth_requested(self) -> None:
        assert self._connection is not None
        answers = _Answers(self._connection, keeps_login=True)
        await answers.to([_without_meaning(self._chance, _UNKNOWN) for _ in range(_EACH)])
        self.sent += _EACH
        self._connection.send_packet(_AUTH, damaged(self._chance, _PACKETS[-3][1]))


async def _while_keys_are_made(door: OpenDoor, chance: random.Random) -> int:
    return await _fail_to_log_in(door, chance, _Damaging(chance))


async def _before_the_login(door: OpenDoor, chance: random.Random) -> int:
    return await _fail_to_log_in(door, chance, _Talking(chance))


async def _fail_to_log_in(door: OpenDoor, chance: random.Random, client: _Damaging | _Talking) -> int:
    user, key = chance.choice((("ada", "stranger"), ("ada", "lois"), ("root", "ada")))
    with suppress(asyncssh.Error, OSError, TimeoutError, ValueError):
        async with asyncio.timeout(2 if isinstance(client, _Damaging) else SECONDS):
            connection = await asyncssh.connect(
                "127.0.0.1",
                door.port,
                username=user,
                client_keys=[door.keys[key]],
                known_hosts=None,
                agent_path=None,
                config=None,
                client_factory=lambda: client,
            )
        connection.abort()
        raise AssertionError("a stranger was let in")
    return client.sent


# After the login


class _Anywhere(dict[int, object]):
    """The channels of a client that takes whatever comes for any number."""

    def __init__(self, take: Callable[[int, int, SSHPacket], bool]) -> None:
        super().__init__()
        self.process_packet = take

    def __missing__(self, number: int) -> _Anywhere:
        return self

    def log_received_packet(self, *told: object) -> None:
        """Nothing is logged."""


class _Answers:
    """Counts what a server answers, in place of a client that would object to it."""

    def __init__(self, connection: asyncssh.SSHClientConnection, keeps_login: bool) -> None:
        self._connection, self._keeps_login = connection, keeps_login
        self._process = connection.process_packet
        self._missing = 0
        self._are_there = asyncio.Event()
        self.channel: int | None = None
        connection.process_packet = self._take  # type: ignore[method-assign, assignment]
        if not keeps_login:
            connection._channels = _Anywhere(self._take)  # type: ignore[assignment]

    async def to(self, packets: Sequence[tuple[int, bytes]]) -> None:
        """Send packets, and wait for an answer to each that has one: by then all of them were read."""
        self._are_there.clear()
        self._missing += len([packet for packet in packets if _is_answered(*packet)])
        for kind, content in packets:
            self._connection.send_packet(kind, content)
        async with asyncio.timeout(SECONDS):
            while self._missing:
                self._are_there.clear()
                await self._are_there.wait()

    def _take(self, kind: int, number: int, packet: SSHPacket) -> bool:
        if kind == _CONFIRMATION and self.channel is None:
            packet.get_uint32()
            self.channel = packet.get_uint32()
        if kind in _ANSWERS:
            self._missing -= 1
            self._are_there.set()
            return True
        return bool(self._process(kind, number, packet)) if self._keeps_login else True


def _is_answered(kind: int, content: bytes) -> bool:
    """Whether the peer answers a well-formed packet; of requests those do that want it."""
    if kind in (_GLOBAL, _REQUEST):
        packet = SSHPacket(content[4:] if kind == _REQUEST else content)
        packet.get_string()
        return packet.get_boolean()
    return kind == _OPEN or kind in _UNKNOWN_INSIDE


async def _after_the_login(door: OpenDoor, chance: random.Random) -> int:
    connection = await door.connect("lois")
    answers = _Answers(connection, keeps_login=False)
    await answers.to([_PACKETS[0]])
    assert answers.channel is not None
    await answers.to([_inside(chance, answers.channel) for _ in range(_EACH)])
    with suppress(asyncssh.Error, OSError):
        for _ in range(chance.randrange(3, 12)):
            kind, content = chance.choice(_PACKETS)
            connection.send_packet(kind, damaged(chance, content) if chance.random() < 0.5 else content)
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            connection._send(chance.randbytes(200))
    connection.abort()
    await connection.wait_closed()
    return _EACH + 1


def _inside(chance: random.Random, channel: int) -> tuple[int, bytes]:
    """A packet after the login with an unknown name, an odd value, or no meaning."""
    wants, noise = Boolean(chance.random() < 0.5), chance.randbytes(chance.randrange(80))
    match chance.randrange(8):
        case 0:
            return _without_meaning(chance, _UNKNOWN_INSIDE)
        case 1 | 2:
            return _GLOBAL, String(_word(chance, _GLOBALS)) + wants + noise
        case 3:
            sizes = UInt32(chance.randrange(1 << 32)) + UInt32(chance.randrange(1 << 32)) + UInt32(1 << 15)
            return _OPEN, String(_word(chance, _CHANNELS)) + sizes + noise
        case 4 | 5:
            return _REQUEST, UInt32(channel) + String(_word(chance, _REQUESTS)) + wants + noise
        case 6:
            return _REQUEST, UInt32(channel) + _odd_request(chance, wants)
        case _:
            return _DATA, UInt32(channel) + String(noise[:20])


def _odd_request(chance: random.Random, wants: bytes) -> bytes:
    numbers = b"".join(UInt32(chance.randrange(1 << 32)) for _ in range(4))
    noise = chance.randbytes(chance.randrange(40))
    word = _word(chance, _REQUESTS)
    requests: list[tuple[str, bytes]] = [
        ("window-change", numbers),
        ("env", String(noise) + String(noise)),
        ("env", String(chance.choice(("LANG", "PATH", "LD_PRELOAD"))) + String(noise)),
        ("exec", String(word)),
        ("subsystem", String(word)),
        ("signal", String(word)),
        ("x11-req", noise),
        ("auth-agent-req@openssh.com", noise),
        ("pty-req", String(word) + numbers + String(b"\0")),
    ]
    name, content = chance.choice(requests)
    return String(name) + wants + content
