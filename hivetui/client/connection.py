"""One connection to an engine: requests and streams over it, side by side, and its loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

from hivetui.client.unix_socket import ANSWER_SECONDS
from hivetui.engine.model.errors import HiveError, Unavailable
from hivetui.wire import errors, frames
from hivetui.wire.frames import Json

_QUEUED_FRAMES = 256
"""Frames of one stream that wait for its reader; then nothing more is read, and the engine waits too."""


class ConnectionLost(Unavailable):
    """The connection ended before the answer; what was asked for may have been done."""

    def __init__(self, why: str = "The engine ended, or the line to it is gone.") -> None:
        super().__init__("The connection to the engine was lost", why, "Operations go on. Try again.")


class Connection:
    """Requests of one client. `describe_end` says why the other side ended, if more is known than that it did.

    It returns an error of its own where the connection was of no use from the beginning. `patience` are the seconds
    that the other side may take to say hello.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        describe_end: Callable[[], str | HiveError] = lambda: "",
        patience: float = ANSWER_SECONDS,
    ) -> None:
        self._reader, self._writer, self._describe_end = reader, writer, describe_end
        self.patience = patience
        self._next = 0
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._streams: dict[int, asyncio.Queue[Json | None]] = {}
        self._refusal: HiveError | None = None
        self._reading = asyncio.create_task(self._read())

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked over it any more."""
        return self._reading.done()

    async def forward(self, port: int) -> int:
        """The port of this machine at which a port of the engine's machine answers; here, they are the same."""
        return port

    async def request(self, verb: str, **members: Any) -> Json:
        """The answer to a request, without members that are None; its error is raised, or ConnectionLost."""
        number = self._begin()
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(number, verb, members)
            return _checked(await answer)
        finally:
            self._answers.pop(number, None)

    async def stream(self, verb: str, **members: Any) -> AsyncGenerator[Json, None]:
        """The frames of a stream to its end; its error is raised, or ConnectionLost. Closing it cancels it there."""
        number = self._begin()
        queue = self._streams[number] = asyncio.Queue(_QUEUED_FRAMES)
        has_ended = False
        try:
            await self._send(number, verb, members)
            while (frame := await queue.get()) is not None:
                has_ended = bool(frame.get("end")) or not frame.get("ok")
                _checked(frame)
                if frame.get("cancelled"):  # not by this client, which would read no more
                    raise ConnectionLost("The engine has ended the stream before all of it was sent.")
                if has_ended:
                    return
                yield frame
            has_ended = True
            raise self._lost()
        finally:
            self._streams.pop(number, None)
            while not queue.empty():
                queue.get_nowait()  # the reader of the connection may wait for room in it
            if not has_ended:
                with suppress(HiveError):
                    await self._write({"cancel": number})

    async def close(self) -> None:
        """Close it; what is in flight ends with ConnectionLost."""
        self._reading.cancel()
        self._writer.close()
        await asyncio.gather(self._reading, return_exceptions=True)
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def _begin(self) -> int:
        if self.is_lost:
            raise self._lost()
        self._next += 1
        return self._next

    async def _send(self, number: int, verb: str, members: dict[str, Any]) -> None:
        given = {name: value for name, value in members.items() if value is not None}
        await self._write({"id": number, "verb": verb, **given})

    async def _write(self, frame: Json) -> None:
        try:
            self._writer.write(frames.encode(frame))
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise self._lost() from error

    async def _read(self) -> None:
        """Give each frame to the request that it belongs to, until the end."""
        try:
            while True:
                frame = frames.decode(await self._reader.readuntil(b"\n"))
                await self._deliver(frame)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, HiveError):
            pass
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(self._lost())
            for queue in self._streams.values():
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(None)

    async def _deliver(self, frame: Json) -> None:
        number = frame.get("id")
        if number is None and "error" in frame:  # this connection is refused
            self._refusal = errors.from_json(frame["error"])
        elif isinstance(number, int) and (queue := self._streams.get(number)) is not None:
            await queue.put(frame)
        elif isinstance(number, int) and (answer := self._answers.get(number)) is not None and not answer.done():
            answer.set_result(frame)

    def _lost(self) -> HiveError:
        if self._refusal is not None:
            return self._refusal
        end = self._describe_end()
        return end if isinstance(end, HiveError) else ConnectionLost(*filter(None, [end]))


async def answer_in_time(connection: Connection, verb: str, **members: Any) -> Json:
    """The answer of an engine that has just accepted; Unavailable after the connection's patience."""
    try:
        return await asyncio.wait_for(connection.request(verb, **members), connection.patience)
    except TimeoutError as error:
        why = f"It accepted the connection and said nothing for {connection.patience:.0f} s."
        raise Unavailable("The engine does not answer", why, "See its log: journalctl -u hivetui") from error


def _checked(frame: Json) -> Json:
    if frame.get("ok"):
        return frame
    raise errors.from_json(frame.get("error") or {})
