"""One client's connection: its frames are read one after another, and its requests answered side by side."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

from hivetui.engine import tool_messages
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.errors import BadData, HiveError, TryAgain, WrongUsage
from hivetui.service import hyperhive, streams
from hivetui.service.clients import Client, hello_answer
from hivetui.service.hive_service import HiveService
from hivetui.wire import errors, frames, verbs
from hivetui.wire.frames import Json
from hivetui.wire.verbs import Request

MAX_IN_FLIGHT = 32
STALL_SECONDS = 60.0
"""A client that takes nothing for this long is disconnected; until then only its own requests wait for it."""


class Connection:
    """Answers one client until it leaves. What it has begun in the hive goes on; its streams end."""

    def __init__(
        self, service: HiveService, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._service, self._client = service, client
        self._reader, self._writer = reader, writer
        self._running: dict[str | int, asyncio.Task[None]] = {}
        self._streams: dict[str | int, asyncio.Task[None]] = {}
        self._hyperhive = hyperhive.Conversation(service, lambda: self._client, self._send)

    @property
    def _hive(self) -> LocalHive:
        return self._service.hive.acting_for(self._client.operator)

    async def run(self) -> None:
        """Read requests until the client leaves, or sends a line that is too long."""
        try:
            while (line := await self._read_line()) is not None:
                await self._take(line)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            await self._end()

    async def _read_line(self) -> bytes | None:
        """The next line; None at the end, and for half a line, which is no request."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            why = f"It is longer than {frames.MAX_REQUEST_BYTES} bytes."
            error = BadData("The request could not be read", why, "Send shorter lines; this connection is closed.")
            await self._send({"ok": False, "error": errors.to_json(error)})
            return None

    async def _take(self, line: bytes) -> None:
        """Start what a line asks for, or answer what is wrong with it."""
        try:
            frame = frames.decode(line)
        except HiveError as error:
            await self._send({"ok": False, "error": errors.to_json(error)})
            return
        if "cmd" in frame and "verb" not in frame:
            await self._hyperhive.take(frame)
            return
        if "cancel" in frame and "verb" not in frame:
            self._cancel(frame["cancel"])
            return
        try:
            await self._begin(frame)
        except HiveError as error:
            await self._send({"id": _shown_label(frame), "ok": False, "error": errors.to_json(error)})

    async def _begin(self, frame: Json) -> None:
        if "cmd" in frame:
            raise WrongUsage("A frame has `cmd` or `verb`, not both", "Each belongs to another protocol.", "Send one.")
        label = verbs.label_of(frame)
        verb = verbs.find_verb(frame)
        self._client.require(verb)
        request = verbs.parse_request(frame, verb, label)
        if label in self._running:
            raise WrongUsage(f"The id {label!r} is in flight", "Its request has not ended.", "Use another id.")
        if len(self._running) >= MAX_IN_FLIGHT:
            why = f"{MAX_IN_FLIGHT} requests of this connection are in flight."
            raise TryAgain("This is one request too many", why, "Wait for one of them to end.")
        if verb.name == "hello":  # in order: what follows it has the role that it asked for
            self._client = self._client.after_hello(request)
            await self._send(self._ok(label, hello_answer(self._client, self._hive, self._service.instance)))
            return
        self._running[label] = task = asyncio.create_task(self._answer(request))
        if verb.stream:
            self._streams[label] = task
            task.add_done_callback(lambda _: self._streams.pop(label, None))

    def _cancel(self, label: object) -> None:
        """End a stream; what does not run needs no end, and what acts on the hive is not stopped half way."""
        if isinstance(label, (str, int)) and (task := self._streams.get(label)) is not None:
            task.cancel()

    async def _answer(self, request: Request) -> None:
        """Answer one request with its frames or its error."""
        end: Json = {"end": True} if request.verb.stream else {}
        try:
            if request.verb.stream:
                await self._stream(request)
            else:
                end = await self._carry_out(request)
        except HiveError as error:
            await self._try_send({"id": request.id, "ok": False, **end, "error": errors.to_json(error)})
        except asyncio.CancelledError:
            self._running.pop(request.id, None)
            await self._try_send(self._ok(request.id, {"end": True, "cancelled": True}))
            raise
        except (ConnectionError, TimeoutError):
            self._writer.close()
        except Exception as bug:  # noqa: BLE001  (one request must not end the engine)
            failure = errors.to_json(self._service.log_bug(bug))
            await self._try_send({"id": request.id, "ok": False, **end, "error": failure})
        else:
            self._running.pop(request.id, None)
            await self._try_send(self._ok(request.id, end))
        finally:
            self._running.pop(request.id, None)

    async def _stream(self, request: Request) -> None:
        async with aclosing(streams.stream(self._hive, request)) as stream:
            async for frame in stream:
                await self._send(self._ok(request.id, frame))

    async def _carry_out(self, request: Request) -> Json:
        with tool_messages.collected() as messages:
            answer = await self._service.answer(self._hive, self._client, request)
        return {**answer, "messages": messages} if messages else answer

    @staticmethod
    def _ok(label: str | int, content: Json) -> Json:
        return {"id": label, "ok": True, **content}

    async def _send(self, frame: Json) -> None:
        """Send a frame, and wait until the client has taken enough of what was sent."""
        if self._writer.is_closing():
            raise ConnectionResetError
        self._writer.write(frames.encode(frame))
        await asyncio.wait_for(self._writer.drain(), STALL_SECONDS)

    async def _try_send(self, frame: Json) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self._send(frame)

    async def _end(self) -> None:
        running = [*self._running.values(), *self._hyperhive.tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._writer.close()
        with suppress(ConnectionError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), STALL_SECONDS)


def _shown_label(frame: Json) -> str | int | None:
    try:
        return verbs.label_of(frame)
    except BadData:
        return None
