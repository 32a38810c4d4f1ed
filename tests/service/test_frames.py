"""The rules of frames, word by word: what is refused, with which status, and that nothing was done."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

from hivetui.engine.hive import LocalHive
from hivetui.engine.model.operations import Operator
from hivetui.engine.model.proposals import ProposalState
from hivetui.service.clients import Client
from hivetui.service.connection import MAX_IN_FLIGHT, Connection
from hivetui.service.engine import MAX_CLIENTS
from hivetui.service.hive_service import HiveService
from hivetui.wire.frames import MAX_REQUEST_BYTES
from hivetui.wire.verbs import VERBS, Role
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.free_names import free_name
from tests.service.raw_client import RawClient
from tests.service.served import Served

HASH = "0" * 40


def code(answer: dict[str, Any]) -> int:
    assert answer["ok"] is False
    assert answer["error"]["what"]
    return int(answer["error"]["code"])


async def test_hello_says_who_both_sides_are_and_what_the_client_may_do(client: RawClient) -> None:
    answer = await client.ask(id=1, verb="hello", schema="hivetui/1")
    assert {"schema", "engine", "instance", "hive", "role", "operator", "verbs"} <= set(answer)
    assert (answer["id"], answer["ok"], answer["schema"], answer["role"]) == (1, True, "hivetui/1", "decide")
    assert set(answer["verbs"]) == set(VERBS)
    snapshot = await client.ask(id=2, verb="watch")
    assert snapshot["instance"] == answer["instance"]  # what `after` belongs to is known from hello on
    assert {"agents", "proposals", "operations", "warnings"} <= set(snapshot["snapshot"])


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"verb": "explode"}, 64),
    ({"verb": 7}, 64),
    ({"verb": None}, 64),
    ({"nothing": 1}, 64),
    ({"verb": "agents", "colour": "red"}, 64),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": HASH, "force": True}, 64),
    ({"verb": "deny", "proposal": "ID", "note": "no", "findings": []}, 64),
    ({"verb": "deny", "proposal": "ID"}, 64),
    ({"verb": "deny", "cmd": "deny", "proposal": "ID", "note": "no"}, 64),
    ({"verb": "withdraw", "proposal": "ID", "cancel": 1}, 64),
    ({"verb": "withdraw", "proposal": -1}, 65),
    ({"verb": "withdraw", "proposal": True}, 65),
    ({"verb": "withdraw", "proposal": 1.0}, 65),
    ({"verb": "withdraw", "proposal": "1"}, 65),
    ({"verb": "withdraw", "proposal": (1 << 53) + 1}, 65),
    ({"verb": "withdraw", "proposal": 10**400}, 65),
    ({"verb": "operation", "operation": 10**400}, 65),
    ({"verb": "operation", "operation": 1 << 53}, 66),
    ({"verb": "withdraw", "proposal": 1 << 53}, 66),
    ({"verb": "approve", "proposal": "ID", "commit": "abc", "base": HASH}, 65),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": "HEAD"}, 65),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": HASH, "seen": {"blobs": ["abc"]}}, 65),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": HASH, "seen": {"all": True}}, 65),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": HASH, "seen": [HASH]}, 65),
    ({"verb": "approve", "proposal": "ID", "commit": HASH, "base": HASH, "restart": "no"}, 65),
    ({"verb": "approve", "proposal": "ID", "restart": True}, 65),
    ({"verb": "deny", "proposal": "ID", "note": "no", "signed": {"at": "now", "signatures": ["x"]}}, 65),
    ({"verb": "deny", "proposal": "ID", "note": "no", "signed": {"at": "2026-11-27T19:00:00Z", "signatures": []}}, 65),
    ({"verb": "statement", "decision": "destroy", "proposal": "ID"}, 65),
    ({"verb": "statement", "decision": "deny", "note": "no"}, 64),
    ({"verb": "statement", "decision": "deny", "proposal": "ID", "note": " "}, 65),
    ({"verb": "deny", "proposal": "ID", "note": ["x"]}, 65),
    ({"verb": "deny", "proposal": "ID", "note": "a\0b"}, 65),
    ({"verb": "deny", "proposal": "ID", "note": "\ud800"}, 65),
    ({"verb": "withdraw", "proposal": "ID", "token": "a b"}, 65),
    ({"verb": "withdraw", "proposal": "ID", "token": "a" * 65}, 65),
    ({"verb": "withdraw", "proposal": "ID", "token": "../x"}, 65),
    ({"verb": "outcome", "token": "../x"}, 65),
    ({"verb": "spawn", "name": "a" * 500}, 65),
    ({"verb": "stop", "names": ["../x"]}, 65),
    ({"verb": "destroy", "name": "iris", "purge": True}, 64),
    ({"verb": "destroy", "name": "iris", "purge": True, "confirm": "Iris"}, 64),
    ({"verb": "hello", "schema": "other/1"}, 64),
    ({"verb": "hello", "schema": "hivetui/1", "role": "root"}, 65),
]


async def test_what_is_not_understood_is_refused_and_nothing_is_done(served: Served, client: RawClient) -> None:
    number = await served.proposal(free_name())
    before = await served.local.agents()
    for given, status in REFUSED:
        frame = {key: number if value == "ID" else value for key, value in given.items()}
        answer = await client.ask(id="a", **frame)
        assert (code(answer), answer["id"]) == (status, "a"), given
    assert await served.state(number) is ProposalState.PENDING
    assert [one.name for one in await served.local.agents()] == [one.name for one in before]
    assert [one.id for one in await served.local.operations(ended=True)] == [1]


async def test_a_label_is_a_short_text_or_a_whole_number(client: RawClient) -> None:
    for label in (None, "a" * 65, 1.5, True, [1], {"a": 1}, -1, 10**30):
        answer = await client.ask(id=label, verb="agents")
        assert (code(answer), answer["id"]) == (65, None)
    assert code(await client.ask(verb="agents")) == 65
    assert (await client.ask(id="a" * 64, verb="agents"))["ok"]


UNREADABLE = [
    b"",
    b"\xff\xfe",
    b"{",
    b"[]",
    b"7",
    b'"agents"',
    b"null",
    b'{"id":NaN,"verb":"agents"}',
    b'{"id":1,"verb":"withdraw","proposal":1,"proposal":2}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\0" * 100,
]


async def test_what_cannot_be_parsed_is_one_error_and_the_connection_lives_on(client: RawClient) -> None:
    for line in UNREADABLE:
        await client.send_bytes(line + b"\n" + b'{"id":1,"verb":"outcome","token":"t"}\n')
        assert code(await client.receive()) == 65, line[:60]
        assert (await client.receive())["ok"] is True


async def test_a_line_of_more_than_a_mebibyte_is_one_error(client: RawClient) -> None:
    await client.send_bytes(b'{"id":"' + b"a" * (3 * MAX_REQUEST_BYTES) + b'"}\n{"id":1,"verb":"rules"}\n')
    assert code(await client.receive()) == 65
    assert (await client.receive())["rules"]


async def test_half_a_line_at_the_end_is_said_to_be_no_request(served: Served) -> None:
    number = await served.proposal(free_name())
    client = await served.raw()
    await client.send_bytes(b'{"id":1,"verb":"withdraw","proposal":%d}' % number)
    client.writer.write_eof()
    assert code(await client.receive()) == 65
    assert await client.is_closed()
    assert await served.state(number) is ProposalState.PENDING


async def test_a_client_that_has_said_everything_is_answered_before_the_end(
    served: Served, agent: EmbeddedAgent
) -> None:
    client = await served.raw()
    await client.send_bytes(b'{"id":1,"verb":"watch"}\n{"cmd":"list"}\n{"id":2,"verb":"doctor"}\n')
    client.writer.write_eof()
    frames = await client.receive_all()
    assert [frame["agents"] for frame in frames if frame.get("version") == 1] == [[agent.name]]
    assert [frame["ok"] for frame in frames if frame.get("id") == 2] == [True]
    assert [frame for frame in frames if frame.get("id") == 1][-1]["end"] is True


async def test_an_id_in_flight_is_refused_until_its_stream_has_ended(client: RawClient) -> None:
    assert "snapshot" in await client.ask(id=1, verb="watch")
    refused = await client.ask(id=1, verb="watch")
    assert code(refused) == 64
    assert "end" not in refused  # the stream with this id goes on
    await client.send(cancel=1)
    ended = await client.receive()
    assert (ended["id"], ended["end"]) == (1, True)
    assert "snapshot" in await client.ask(id=1, verb="watch")


async def test_the_thirty_third_request_in_flight_is_told_to_wait(client: RawClient) -> None:
    for number in range(MAX_IN_FLIGHT):
        assert "snapshot" in await client.ask(id=number, verb="watch")
    assert code(await client.ask(id=100, verb="agents")) == 75
    await client.send(cancel=0)
    assert (await client.receive())["end"] is True
    assert (await client.ask(id=100, verb="agents"))["ok"]


async def test_a_stream_that_is_cancelled_at_once_ends(client: RawClient) -> None:
    await client.send_bytes(b'{"id":1,"verb":"watch"}\n{"cancel":1}\n{"id":2,"verb":"agents"}\n')
    frames = [await client.receive() for _ in range(2)]
    assert {(frame["id"], frame.get("end")) for frame in frames} == {(1, True), (2, None)}


async def test_cancelling_what_does_not_run_does_nothing(client: RawClient) -> None:
    for label in (7, "x", None, [1], True, 10**400):
        await client.send(cancel=label)
    assert (await client.ask(id=7, verb="agents"))["ok"]


async def test_a_stream_that_fails_or_is_refused_has_an_end(client: RawClient) -> None:
    for members in ({"operation": 99}, {"operation": "x"}, {"operation": 1, "colour": 1}):
        answer = await client.ask(id=1, verb="operation", **members)
        assert answer["ok"] is False
        assert answer["end"] is True


async def test_a_client_that_never_reads_is_disconnected_and_slows_nobody(served: Served) -> None:
    """In flight as much as it may, on a connection whose patience is short."""
    service = HiveService(LocalHive(served.host, OPERATOR))
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    operator = Operator(name="deaf", uid=0, source="local")
    streams = await asyncio.open_unix_connection(sock=ours)
    connection = asyncio.create_task(Connection(service, Client(operator, Role.DECIDE), *streams, 0.2).run())
    theirs.setblocking(False)
    asking = asyncio.create_task(_ask_for_ever(theirs))
    other = await served.raw()
    while not connection.done():
        assert (await other.ask(id=1, verb="agents"))["ok"]
        await asyncio.wait([connection], timeout=0.01)
    asking.cancel()
    theirs.close()
    await service.close()


async def _ask_for_ever(connection: socket.socket) -> None:
    loop, number = asyncio.get_running_loop(), 0
    while True:
        number += 1
        line = json.dumps({"id": number, "verb": "rules"}).encode() + b"\n"
        await loop.sock_sendall(connection, line)


async def test_the_hundred_and_first_connection_is_told_so_and_closed(served: Served) -> None:
    clients = [await served.raw() for _ in range(MAX_CLIENTS)]
    for client in clients:
        assert (await client.ask(id=1, verb="outcome", token="t"))["ok"]
    surplus = await served.raw()
    assert code(await surplus.receive()) == 75
    assert await surplus.is_closed()
    await clients.pop().close()
    while not (await (await served.raw()).ask(id=2, verb="outcome", token="t"))["ok"]:
        pass  # the engine has not seen yet that one left
    for client in clients:
        assert (await client.ask(id=2, verb="outcome", token="t"))["ok"]


async def test_times_in_answers_are_iso_8601_in_utc(served: Served, client: RawClient) -> None:
    await served.proposal(free_name())
    (row,) = (await client.ask(id=1, verb="proposals"))["proposals"]
    assert row["submitted_at"].endswith("Z")
