"""Who is let in, and that there is nothing behind the door but the console."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import String

from hivetui.door.logins import Login, find_login
from tests.door.here import SECONDS, DoorHere, door_here, operator

KEYS = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("ada", "lois", "stranger")}


@pytest.fixture
async def door() -> AsyncIterator[DoorHere]:
    """A door with no engine behind it."""
    async with door_here(Path("/nonexistent/host.sock"), KEYS) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "key", "address", "expected"),
    [
        ("ada", "ada", "192.0.2.7", None),
        ("ada", "ada", "::ffff:192.0.2.7", None),
        ("ada", "ada", "2001:db8::1%eth0", None),
        ("ada", "ada", "192.0.3.7", "does not log in from there"),
        ("ada", "ada", "2001:db8:1::1", "does not log in from there"),
        ("ada", "lois", "192.0.2.7", "not one of this operator"),
        ("ada", "stranger", "192.0.2.7", "not one of this operator"),
        ("root", "ada", "192.0.2.7", "no operator has this name"),
        ("Ada", "ada", "192.0.2.7", "no operator has this name"),
        ("", "ada", "192.0.2.7", "no operator has this name"),
    ],
)
def test_name_key_and_address_of_one_operator_belong_together(
    name: str, key: str, address: str, expected: str | None
) -> None:
    networks = ("192.0.2.0/24", "2001:db8::/48")
    operators = {"ada": operator(KEYS["ada"], networks=networks), "lois": operator(KEYS["lois"])}
    found = find_login(operators, name, KEYS[key].public_data, address)
    if expected is None:
        assert isinstance(found, Login)
        assert (found.operator, found.key) == ("ada", KEYS["ada"].get_fingerprint())
        assert found.address in ("192.0.2.7", "2001:db8::1")
    else:
        assert isinstance(found, str)
        assert expected in found


@pytest.mark.parametrize(("user", "key"), [("ada", "stranger"), ("ada", "lois"), ("root", "ada"), ("[/x]", "ada")])
async def test_a_login_needs_the_name_of_an_operator_and_a_key_of_that_operator(
    door: DoorHere, user: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(asyncssh.DisconnectError):
        await door.connect(user, key)
    await door.connect("ada")  # by now the refused connection is in the log
    assert f"no login from 127.0.0.1, user {user!r}" in capsys.readouterr().err


async def test_from_another_address_an_operator_is_not_let_in() -> None:
    networks = {"operators": {"ada": operator(KEYS["ada"], networks=("192.0.2.0/24",))}}
    async with door_here(Path("/nonexistent"), KEYS, **networks) as door:
        with pytest.raises(asyncssh.PermissionDenied):
            await door.connect("ada")


async def test_no_password_and_no_certificate_lets_in(door: DoorHere) -> None:
    authority = KEYS["ada"]
    certificate = authority.generate_user_certificate(KEYS["stranger"], "x", principals=["ada"])
    for given in ({"password": "x"}, {"client_keys": [(KEYS["stranger"], certificate)]}):
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1", door.port, username="ada", known_hosts=None, config=None, agent_path=None, **given
            )


@pytest.mark.parametrize(
    "offer",
    [
        {"kex_algs": ["diffie-hellman-group14-sha1"]},
        {"encryption_algs": ["aes128-cbc"]},
        {"encryption_algs": ["aes128-ctr"], "mac_algs": ["hmac-sha1"]},
    ],
)
async def test_algorithms_that_are_outdated_are_not_spoken(door: DoorHere, offer: dict[str, list[str]]) -> None:
    with pytest.raises(asyncssh.KeyExchangeFailed):
        await asyncssh.connect(
            "127.0.0.1", door.port, username="ada", client_keys=[KEYS["ada"]], known_hosts=None, config=None, **offer
        )


async def test_after_three_refused_keys_a_connection_is_closed(door: DoorHere) -> None:
    with pytest.raises(asyncssh.DisconnectError) as refused:
        await door.connect("ada", "stranger", "lois", "stranger", "ada")
    assert refused.value.code == asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE
    await door.connect("ada", "stranger", "lois", "ada")


async def test_there_is_nothing_but_the_console(door: DoorHere) -> None:
    """Exec, subsystems, sftp, scp, and forwarding in both directions; the connection lives on."""
    connection = await door.connect()
    asked: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: connection.run("id", check=True),
        lambda: connection.start_sftp_client(),
        lambda: connection.create_process(subsystem="console"),
        lambda: asyncssh.scp("x", (connection, "x")),
        lambda: connection.open_connection("127.0.0.1", 22),
        lambda: connection.open_unix_connection("/run/hyperhive/host.sock"),
        lambda: connection.start_server(_nothing, "127.0.0.1", 0),
        lambda: connection.start_unix_server(_nothing, "/tmp/x"),
        lambda: connection.open_tun(),
    )
    for ask in asked:
        with pytest.raises((asyncssh.Error, asyncssh.ChannelListenError, OSError)):
            await asyncio.wait_for(ask(), SECONDS)
    _, session = await door.console(connection, None)
    await session.ended()
    assert b"needs a terminal" in session.errors


def _nothing(*ends: object) -> None:
    raise AssertionError("nobody can connect")


@pytest.mark.slow
async def test_no_agent_no_x11_and_no_variable_is_taken(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:  # an engine that does not answer: the console waits for it
        silent.bind(str(tmp_path / "host.sock"))
        silent.listen()
        async with door_here(tmp_path / "host.sock", KEYS) as door:
            channel, _ = await door.console(await door.connect())
            for name in ("PATH", "LD_PRELOAD", "PYTHONPATH", "HIVETUI_HIVE__FLAKE", "TERM"):
                assert not await channel._make_request(b"env", String(name), String("x"))
            assert await channel._make_request(b"env", String("LANG"), String("C.UTF-8"))
            assert not await channel._make_request(b"auth-agent-req@openssh.com")
            cookie = String("MIT-MAGIC-COOKIE-1"), String("00" * 16)
            assert not await channel._make_request(b"x11-req", b"\0", *cookie, b"\0\0\0\0")
            channel.close()


@pytest.mark.parametrize("term", [None, "dumb", "../../etc/passwd", "x" * 100])
async def test_without_a_terminal_a_login_is_told_so_and_ends_with_64(door: DoorHere, term: str | None) -> None:
    connection = await door.connect()
    channel, session = await door.console(connection, term)
    await session.ended()
    assert b"The console needs a terminal" in session.errors
    assert channel.get_exit_status() == 64


@pytest.mark.slow
async def test_without_an_engine_a_console_says_so_and_ends_with_69(door: DoorHere) -> None:
    channel, session = await door.console(await door.connect())
    await session.ended()
    told = session.shown.rpartition(b"\x1b[?1049l")[2]
    assert b"The engine of this hive is not there\r\nNothing listens at /nonexistent/host.sock.\r\n" in told
    assert channel.get_exit_status() == 69


@pytest.mark.slow
async def test_connections_that_do_not_log_in_keep_nobody_out() -> None:
    async with door_here(Path("/nonexistent"), KEYS, max_logins=3) as door:
        silent = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(5)]
        await door.connect("ada")
        assert [await _is_closed(reader) for reader, _ in silent] == [True, True, True, False, False]
        for _, writer in silent:
            writer.close()


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether a connection that says nothing is closed; one that is not has only got the version of the server."""
    assert (await asyncio.wait_for(reader.readline(), SECONDS)).startswith(b"SSH-2.0-hivetui_")
    try:
        while await asyncio.wait_for(reader.read(65536), 0.2):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.slow
async def test_who_does_not_log_in_in_time_or_opens_no_console_is_disconnected() -> None:
    async with door_here(Path("/nonexistent"), KEYS, login_seconds=1) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        connection = await door.connect("ada")
        await asyncio.wait_for(reader.read(), SECONDS)
        await asyncio.wait_for(connection.wait_closed(), SECONDS)
        writer.close()


async def test_an_operator_has_a_limited_number_of_connections() -> None:
    async with door_here(Path("/nonexistent"), KEYS, max_sessions_each=2) as door:
        for _ in range(2):
            await door.connect("ada")
        third = await door.connect("ada")
        await asyncio.wait_for(third.wait_closed(), SECONDS)
        await door.connect("lois")
