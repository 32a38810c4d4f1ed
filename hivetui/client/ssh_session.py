"""The lines of an engine through one channel of an SSH connection, as asyncio's streams."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncssh

from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.text import safe
from hivetui.wire.frames import MAX_ANSWER_BYTES

_MAX_ERROR_BYTES = 4096
_LAST_LINES = 5


class EngineSession(asyncssh.SSHClientSession[bytes]):
    """Passes a channel's data to a stream. Its end is that of the channel: by then the exit status is known."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=MAX_ANSWER_BYTES)
        self._protocol = asyncio.StreamReaderProtocol(self.reader)
        self._channel: Any = None
        self._errors = b""
        self._lost: Exception | None = None
        self.status: str | None = None
        self.has_answered = False

    def new_writer(self) -> asyncio.StreamWriter:
        """The stream into the open channel."""
        loop = asyncio.get_running_loop()
        return asyncio.StreamWriter(cast("asyncio.WriteTransport", self._channel), self._protocol, self.reader, loop)

    @property
    def last_errors(self) -> str:
        """The last lines on stderr, safe to show."""
        lines = quote_output(self._errors).splitlines()[-_LAST_LINES:]
        return " ".join(safe(line.strip()) for line in lines)

    @property
    def loss(self) -> Exception | None:
        """Why the SSH connection ended; None when only the channel did, or nothing has."""
        return self._lost

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The channel is there."""
        self._channel = chan
        self._protocol.connection_made(cast("asyncio.Transport", chan))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Data of stdout or of the socket; what stderr has is kept for the reason of the end."""
        if datatype is not None:
            self._errors = (self._errors + data)[-_MAX_ERROR_BYTES:]
            return
        self.has_answered = True
        self._protocol.data_received(data)

    def exit_status_received(self, status: int) -> None:
        """The command over there has ended."""
        self.status = f"status {status}"

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """A signal ended the command over there."""
        self.status = f"SIG{safe(signal)}"

    def pause_writing(self) -> None:
        """The window of the channel is full."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """There is space in the window again."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed, or the whole connection is lost."""
        self._lost = exc
        self._protocol.connection_lost(None if exc is None else ConnectionResetError(str(exc)))
