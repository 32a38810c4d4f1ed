"""2 000 mutated packets at the port of the door: it lives, lets no stranger in, and does not grow."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import Boolean, Byte, NameList, String, UInt32

from tests.door.conftest import OpenDoor, open_door, write_settings
from tests.waiting import until

PACKETS = 2000
_WARM = 200
_GROWTH_KIB = 48 << 10
_OPEN, _REQUEST, _GLOBAL, _DATA, _ADJUST, _EOF, _CLOSE, _AUTH, _KEXINIT = 90, 98, 80, 94, 93, 96, 97, 50, 20
"""Numbers of messages (RFC 4250)."""
_CHANNEL = UInt32(0)
_KEXINIT_PACKET = bytes(16) + NameList([b"curve25519-sha256"]) * 10 + Boolean(False) + UInt32(0)
_PACKETS: list[tuple[int, bytes]] = [
    (_OPEN, String("session") + UInt32(0) + UInt32(1 << 20) + UInt32(1 << 15)),
    (
        _OPEN,
        String("direct-tcpip") + UInt32(1) + UInt32(9) + UInt32(9) + String("h") + UInt32(22) + String("h") + UInt32(1),
    ),
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


@pytest.mark.fuzz
@pytest.mark.timeout(600)
async def test_mutated_packets_let_nobody_in_and_cost_nothing(place: Path, keys: dict[str, asyncssh.SSHKey]) -> None:
    write_settings(place, keys, "login_seconds = 5\nmax_sessions_each = 20\n")
    door = await asyncio.to_thread(open_door, place, keys)
    try:
        chance = random.Random(20261127)
        await _send_packets(door, chance, _WARM)
        grown_from = _resident_kib(door)
        await _send_packets(door, chance, PACKETS - _WARM)
        (await door.connect("ada")).abort()
        await asyncio.to_thread(until, lambda: not door.consoles())
        assert _resident_kib(door) - grown_from < _GROWTH_KIB
        assert not [line for line in door.lines if "Traceback" in line or "\x1b" in line]
        assert not [line for line in door.lines if line.startswith("login of") and "login of ada from" not in line]
    finally:
        assert await asyncio.to_thread(door.end) == 0


async def _send_packets(door: OpenDoor, chance: random.Random, count: int) -> None:
    sent = 0
    while sent < count:
        way = chance.choice((_before_the_keys, _before_the_login, _after_the_login))
        sent += await way(door, chance)


async def _before_the_keys(door: OpenDoor, chance: random.Random) -> int:
    """Packets in the clear, after a version that may be damaged too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    version = b"SSH-2.0-OpenSSH_9.9\r\n"
    with suppress(OSError):
        writer.write(_damaged(chance, version) if chance.random() < 0.2 else version)
        for _ in range(3):
            kind, content = chance.choice(_PACKETS)
            payload = Byte(kind) + _damaged(chance, content)
            padding = 8 + -(13 + len(payload)) % 8
            packet = UInt32(1 + len(payload) + padding) + Byte(padding) + payload + bytes(padding)
            writer.write(_damaged(chance, packet) if chance.random() < 0.3 else packet)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return 3


class _Damaging(asyncssh.SSHClient):
    """A client that damages some of what it says, from the exchange of keys on."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self.sent = chance, 0

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        send = conn.send_packet

        def damage(kind: int, *parts: bytes, handler: object = None) -> None:
            self.sent += 1
            content = b"".join(parts)
            send(kind, _damaged(self._chance, content) if self._chance.random() < 0.3 else content)

        conn.send_packet = damage  # type: ignore[method-assign, assignment]


async def _before_the_login(door: OpenDoor, chance: random.Random) -> int:
    client = _Damaging(chance)
    user, key = chance.choice((("ada", "stranger"), ("ada", "lois"), ("root", "ada")))
    with suppress(asyncssh.Error, OSError, TimeoutError, ValueError):
        connection = await asyncio.wait_for(
            asyncssh.connect(
                "127.0.0.1",
                door.port,
                username=user,
                client_keys=[door.keys[key]],
                known_hosts=None,
                agent_path=None,
                config=None,
                client_factory=lambda: client,
            ),
            2,
        )
        connection.abort()
        raise AssertionError("a stranger was let in")
    return client.sent


async def _after_the_login(door: OpenDoor, chance: random.Random) -> int:
    connection = await door.connect("ada")
    sent = 0
    with suppress(asyncssh.Error, OSError):
        for _ in range(chance.randrange(5, 40)):
            kind, content = chance.choice(_PACKETS)
            connection.send_packet(kind, _damaged(chance, content) if chance.random() < 0.5 else content)
            sent += 1
            await asyncio.sleep(0)
    connection.abort()
    await connection.wait_closed()
    return sent


def _damaged(chance: random.Random, content: bytes) -> bytes:
    data = bytearray(content or b"\0")
    place = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[place] = chance.randrange(256)
        case 1:
            del data[place:]
        case 2:
            data[place:place] = chance.randbytes(8)
        case 3:
            data[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        case 4:
            data *= 2
    return bytes(data)


def _resident_kib(door: OpenDoor) -> int:
    lines = Path(f"/proc/{door.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
