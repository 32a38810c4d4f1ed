"""One client's connection: its frames are read one after another, and its requests answered side by side."""

from __future__ import annotations

import asyncio
import select
from contextlib import aclosing, suppress
from typing import Any

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
_CLOSE_SECONDS = 2.0
"""How long the last frames may take to a client that is disconnected."""
_HIGH_WATER_BYTES = 64 << 10
_LOOK_SECONDS = 1.0
_ENDLESS = ("watch", "figures")


class Connection:
    """Answers one client until it leaves. What it has begun in the hive goes on; its streams end."""

    def __init__(
        self,
        service: HiveService,
        client: Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._service, self._client = service, client
        self._reader, self._writer, self._stall_seconds = reader, writer, stall_seconds
        self._running: dict[str | int, asyncio.Task[None]] = {}
        self._streams: dict[str | int, asyncio.Task[None]] = {}
        self._endless: set[asyncio.Task[None]] = set()
        self._lost = asyncio.Event()
        self._is_ending = False
        self._hyperhive = hyperhive.Conversation(service, lambda: self._client, self._send)

    @property
    def _hive(self) -> LocalHive:
        return self._service.hive.acting_for(self._client.operator)

    async def run(self) -> None:
        """Answer requests until the client leaves, or has taken nothing for too long."""
        reading, losing = asyncio.create_task(self._read()), asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait([reading, losing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                await self._end([reading, losing])
            except asyncio.CancelledError:
                self._writer.transport.abort()  # the whole engine ends
                raise

    async def _read(self) -> None:
        """Take requests to the end of the input, and answer what was asked for before it."""
        with suppress(ConnectionError):
            while (line := await self._read_line()) is not None:
                await self._take(line)
            await self._answer_rest()

    async def _read_line(self) -> bytes | None:
        """The next line that is not too long; None at the end. Half a line there is no request, and is said to be."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                await self._refuse_line("Its last line has no end.", "End each line with a line feed.")
            return None
        except asyncio.LimitOverrunError:
            await self._refuse_line(f"It is longer than {frames.MAX_REQUEST_BYTES} bytes.", "Send shorter lines.")
            return await self._read_line() if await self._skip_line() else None

    async def _skip_line(self) -> bool:
        """Read past a line that is too long; False when the input ends in it."""
        while True:
            try:
                await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as overrun:
                await self._reader.readexactly(overrun.consumed)
            except asyncio.IncompleteReadError:
                return False
            else:
                return True

    async def _refuse_line(self, why: str, fix: str) -> None:
        await self._answer_unreadable(BadData("The request could not be read", why, fix))

    async def _answer_unreadable(self, error: HiveError) -> None:
        """Say what is wrong with a line; to a client of hyperhive in its form, and after the answers before it."""
        if self._hyperhive.is_spoken:
            await self._hyperhive.take(error)
        else:
            await self._send({"ok": False, "error": errors.to_json(error)})

    async def _answer_rest(self) -> None:
        """Finish what was asked for before the end of the input, for a client that still listens."""
        for task in self._endless:
            task.cancel()
        rest: set[asyncio.Task[None]] = {asyncio.create_task(self._hyperhive.finish()), *self._running.values()}
        while rest and not self._has_left():
            _, rest = await asyncio.wait(rest, timeout=_LOOK_SECONDS)
        for task in rest:
            task.cancel()

    def _has_left(self) -> bool:
        """Whether the client has closed the connection altogether, and not only for sending."""
        connection = self._writer.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return self._writer.is_closing()
        poll = select.poll()
        poll.register(connection.fileno(), 0)
        return bool(poll.poll(0))

    async def _take(self, line: bytes) -> None:
        """Start what a line asks for, or answer what is wrong with it."""
        try:
            frame = frames.decode_request(line)
        except HiveError as error:
            await self._answer_unreadable(error)
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
            await self._send(
                {"id": _shown_label(frame), "ok": False, **self._end_of(frame), "error": errors.to_json(error)}
            )

    def _end_of(self, frame: Json) -> Json:
        """The mark of a last frame for a stream that was refused; not for one whose id another stream has."""
        verb = frame.get("verb")
        is_stream = isinstance(verb, str) and verb in verbs.VERBS and verbs.VERBS[verb].stream
        return {"end": True} if is_stream and _shown_label(frame) not in self._streams else {}

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
            await self._send(self._ok(label, hello_answer(self._client, self._hive, request.members["schema"])))
            return
        self._running[label] = task = asyncio.create_task(self._answer(request))
        if verb.stream:
            self._streams[label] = task
            task.add_done_callback(lambda _: self._streams.pop(label, None))
        if verb.name in _ENDLESS or request.get("follow"):
            self._endless.add(task)
            task.add_done_callback(self._endless.discard)
        await asyncio.sleep(0)  # a task that is cancelled before it runs would end without a word

    def _cancel(self, label: object) -> None:
        """End a stream; what does not run needs no end, and what acts on the hive is not stopped half way."""
        if (
            isinstance(label, (str, int))
            and not isinstance(label, bool)
            and (task := self._streams.get(label)) is not None
        ):
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
            await self._answer_last(request, {"ok": False, **end, "error": errors.to_json(error)})
        except asyncio.CancelledError:
            if not self._is_ending:  # else it would look whole to its client, which has to ask the next engine
                await self._answer_last(request, {"ok": True, **end, "cancelled": True})
            raise
        except ConnectionError:
            self._running.pop(request.id, None)
        except Exception as bug:  # noqa: BLE001  (one request must not end the engine)
            failure = errors.to_json(self._service.log_bug(bug))
            await self._answer_last(request, {"ok": False, **end, "error": failure})
        else:
            await self._answer_last(request, {"ok": True, **end})

    async def _answer_last(self, request: Request, content: Json) -> None:
        """Send the last frame of a request, whose id is free from then on."""
        self._running.pop(request.id, None)
        with suppress(ConnectionError):
            await self._send({"id": request.id, **content})

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
        """Send a frame, and wait until the client has taken enough of what was sent; ConnectionError if it does not."""
        if self._writer.is_closing():
            raise ConnectionResetError
        self._writer.write(frames.encode(frame))
        try:
            if self._writer.transport.get_write_buffer_size() >= _HIGH_WATER_BYTES:
                await asyncio.wait_for(self._writer.drain(), self._stall_seconds)
        except ConnectionError:
            self._lost.set()
            raise
        except TimeoutError as error:
            self._writer.transport.abort()  # what is buffered is dropped: it would wait for this client for ever
            self._lost.set()
            raise ConnectionResetError from error

    async def _end(self, own: list[asyncio.Task[Any]]) -> None:
        self._is_ending, self._stall_seconds = True, _CLOSE_SECONDS
        running = [*own, *self._running.values(), *self._hyperhive.tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await close(self._writer, _CLOSE_SECONDS)


async def close(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Close a connection when what was sent is taken, or after this time."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), seconds)
    except TimeoutError:
        writer.transport.abort()
    except ConnectionError:
        pass


def _shown_label(frame: Json) -> str | int | None:
    try:
        return verbs.label_of(frame)
    except BadData:
        return None
