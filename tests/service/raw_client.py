"""A client that sends lines exactly as a test gives them, and reads lines as they come."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

SECONDS = 30.0
_LIMIT = 64 << 20


class RawClient:
    """One connection to the socket of an engine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, socket: Path) -> RawClient:
        return cls(*await asyncio.open_unix_connection(str(socket), limit=_LIMIT))

    async def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send(self, **frame: Any) -> None:
        await self.send_bytes(json.dumps(frame).encode() + b"\n")

    async def receive(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._reader.readline(), SECONDS)
        assert line, "the engine closed the connection"
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def exchange(self, line: str) -> str:
        """Send a line and return the next one that comes, both as they are."""
        await self.send_bytes(line.encode() + b"\n")
        return await self.receive_line()

    async def receive_line(self) -> str:
        """The next line that comes, without its end."""
        line = await asyncio.wait_for(self._reader.readline(), SECONDS)
        assert line.endswith(b"\n"), "the engine closed the connection"
        return line[:-1].decode()

    async def ask(self, **frame: Any) -> dict[str, Any]:
        """Send a frame and return the next one that comes."""
        await self.send(**frame)
        return await self.receive()

    async def settle(self, label: int, is_streaming: bool) -> None:
        """Cancel a stream and take its frames to the end."""
        if is_streaming:
            await self.send(cancel=label)
        while is_streaming:
            is_streaming = not (await self.receive()).get("end")

    async def receive_all(self) -> list[dict[str, Any]]:
        """Every frame until the engine closes the connection."""
        lines = (await asyncio.wait_for(self._reader.read(), SECONDS)).splitlines()
        return [json.loads(line) for line in lines]

    async def is_closed(self) -> bool:
        """Whether the engine closes the connection without another word."""
        return await asyncio.wait_for(self._reader.read(), SECONDS) == b""

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()
