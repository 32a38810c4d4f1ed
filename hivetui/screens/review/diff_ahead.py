"""Reads the diff of a pending proposal while its review is still being loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

_WAITING = 64
"""Chunks that are held before the review is there; git waits with the rest."""


class DiffAhead:
    """The chunks of `source`, which is read from now on; `close` ends it early."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self._arrived: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_WAITING)
        self._reading = asyncio.create_task(self._read(source))

    async def _read(self, source: AsyncGenerator[bytes, None]) -> None:
        end: Exception | None = None
        try:
            async for chunk in source:
                await self._arrived.put(chunk)
        except Exception as error:  # noqa: BLE001  (raised by whoever reads; a bug would leave them waiting otherwise)
            end = error
        finally:
            await source.aclose()
        await self._arrived.put(end)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """What has come and what comes; raises the error of `source`."""
        while (chunk := await self._arrived.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        """Stop reading."""
        self._reading.cancel()
