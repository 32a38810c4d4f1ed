"""Peers of other versions are told so in words, and keep what both understand."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hivetui import __version__
from hivetui.client.connection import Connection
from hivetui.client.hive import RemoteHive
from hivetui.client.transports import over_socket
from hivetui.client.unix_socket import connect_to_service
from hivetui.engine import tool_messages
from hivetui.engine.model.schema import SCHEMA
from hivetui.wire import versions
from tests.service.raw_client import RawClient


async def test_a_client_of_another_schema_is_told_so_and_served(client: RawClient) -> None:
    answer = await client.ask(id=1, verb="hello", schema="hivetui/2")
    assert answer["schema"] == SCHEMA
    (told,) = answer["messages"]
    assert f"speaks {SCHEMA}, and its client hivetui/2" in told
    assert (await client.ask(id=2, verb="agents"))["ok"]
    assert "messages" not in await client.ask(id=3, verb="hello", schema=SCHEMA)


@pytest.mark.parametrize("schema", ["hivetui/", "hivetui/x", "hivetui/1 ", "hivetui/1/2", "hivetui/²", "other/1", ""])
async def test_what_is_no_schema_of_ours_is_refused(client: RawClient, schema: str) -> None:
    assert (await client.ask(id=1, verb="hello", schema=schema))["error"]["code"] == 64


def test_what_is_said_of_an_engine_names_both_versions() -> None:
    assert versions.describe_engine({"schema": SCHEMA, "engine": __version__}) is None
    newer = versions.describe_engine({"schema": SCHEMA, "engine": "9.9"})
    assert newer is not None
    assert newer.startswith(f"The engine is hivetui 9.9, and this is {__version__}.")
    other = versions.describe_engine({"schema": "hivetui/2", "engine": "9.9"})
    assert other is not None
    assert f"hivetui 9.9 and speaks hivetui/2 instead of {SCHEMA}" in other


@asynccontextmanager
async def engine_of_version(path: Path, version: str) -> AsyncIterator[None]:
    """A peer that answers as an engine of that version, which has a verb and a member that nobody knows here."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            extra = {"hello": {"schema": SCHEMA, "engine": version, "instance": "i", "role": "decide", "new": 1}}
            known = extra.get(request["verb"], {"warnings": [], "new": 1})
            writer.write(json.dumps({"id": request["id"], "ok": True, **known}).encode() + b"\n")
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield


async def test_an_engine_of_another_version_is_told_of_once(tmp_path: Path) -> None:
    path = tmp_path / "host.sock"

    async def connect() -> Connection:
        connected = connect_to_service(path)
        assert connected is not None
        return await over_socket(connected)

    told: list[str] = []
    async with engine_of_version(path, "9.9"):
        hive = RemoteHive(connect)
        for _ in range(2):  # each over a connection of its own
            with tool_messages.heard_by(told.append):
                assert await hive.warnings() == ()
                assert await hive.warnings() == ()
            await hive.close()
    (text,) = told
    assert text.startswith("The engine is hivetui 9.9")


@pytest.mark.slow
@pytest.mark.parametrize("words", [("warnings",), ("warnings", "--json")])
async def test_a_verb_says_so_on_stderr(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "run/hyperhive/host.sock"
    path.parent.mkdir(parents=True)
    async with engine_of_version(path, "9.9"):
        argv = [sys.executable, "-m", "hivetui", "--root", str(tmp_path), *words]
        ended = await asyncio.to_thread(
            subprocess.run, argv, capture_output=True, text=True, timeout=100, check=True, env=os.environ
        )
    assert ended.stderr.count("The engine is hivetui 9.9") == 1
