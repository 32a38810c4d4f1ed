"""The output of a child process: a pipe that is read in large chunks, split into lines, and kept up to a limit."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import IO

from hivetui.engine.host.host import LineSink, LineTranslator

CHUNK_BYTES = 256 * 1024
LONGEST_LINE = 64 * 1024
"""Bytes of one line that are kept; what exceeds them is dropped and counted."""
LONGEST_TRANSLATED = 1024 * 1024
"""The same of a line that is translated, which may stand for many."""
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that never start a character


class OutputPipe:
    """One output pipe of a child process.

    `keep` bounds the bytes of `tail`. `sink` gets every line under the name of the stream, with surrogates for
    bytes that are not UTF-8; a line longer than `LONGEST_LINE` is cut, so memory stays bounded whatever the program
    writes. With `translate`, `sink` and `tail` get what that makes of each line.
    """

    def __init__(
        self,
        name: str,
        pipe: IO[bytes],
        keep: int,
        sink: LineSink | None = None,
        translate: LineTranslator | None = None,
    ) -> None:
        self._name, self._pipe, self._keep = name, pipe, keep
        self._sink = sink if translate is None else self._translated(translate, sink)
        self._longest = LONGEST_LINE if translate is None else LONGEST_TRANSLATED
        self._keeps_chunks = translate is None
        self._kept, self._partial, self._cut = bytearray(), b"", 0
        os.set_blocking(pipe.fileno(), False)

    @property
    def tail(self) -> bytes:
        """The last `keep` bytes that were read."""
        return bytes(self._kept[max(0, len(self._kept) - self._keep) :])

    async def read_all(self) -> None:
        """Read until every process that holds the other end has closed it."""
        while chunk := await self.read_chunk():
            if self._keeps_chunks:
                self._keep_tail(chunk)
            if self._sink is not None:
                self._split(chunk, self._sink)
        if self._sink is not None and self._partial:
            self._emit(self._partial.decode("utf-8", "surrogateescape"), self._sink)

    async def read_chunk(self) -> bytes:
        """The next bytes, at most `CHUNK_BYTES`; b"" at the end."""
        while True:
            await wait_readable(self._pipe.fileno())
            with suppress(BlockingIOError):
                return os.read(self._pipe.fileno(), CHUNK_BYTES)

    def _keep_tail(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 2 * self._keep:
            del self._kept[: len(self._kept) - self._keep]

    def _split(self, chunk: bytes, sink: LineSink) -> None:
        complete, newline, partial = chunk.rpartition(b"\n")
        if newline:
            first, more, others = complete.partition(b"\n")
            self._extend_partial(first)
            self._emit(self._partial.decode("utf-8", "surrogateescape"), sink)
            if more:
                for line in others.decode("utf-8", "surrogateescape").split("\n"):
                    self._emit(line, sink)
        self._extend_partial(partial)

    def _extend_partial(self, part: bytes) -> None:
        """Add to the line that has no end yet, up to the limit; what exceeds it is counted in characters."""
        space = self._longest - len(self._partial)
        while 0 < space < len(part) and part[space] in _CONTINUATION:
            space -= 1  # never cut inside a character
        self._partial += part[:space]
        self._cut += len(part[space:].translate(None, _CONTINUATION))

    def _emit(self, line: str, sink: LineSink) -> None:
        text, cut = line.removesuffix("\r"), self._cut
        self._partial, self._cut = b"", 0
        sink(self._name, *_shorten(text, cut, self._longest))

    def _translated(self, translate: LineTranslator, sink: LineSink | None) -> LineSink:
        """A sink that keeps the translation of each line, and passes it to `sink`."""

        def take(name: str, line: str, line_cut: int) -> None:
            for whole, whole_cut in translate(line, line_cut):
                text, cut = _shorten(whole, whole_cut, LONGEST_LINE)
                self._keep_tail(text.encode("utf-8", "surrogateescape") + b"\n")
                if sink is not None:
                    sink(name, text, cut)

        return take


def _shorten(text: str, cut: int, longest: int) -> tuple[str, int]:
    """At most so many characters of a line, and how many have been cut from it in all."""
    return (text, cut) if len(text) <= longest else (text[:longest], cut + len(text) - longest)


async def wait_readable(descriptor: int) -> None:
    """Wait until reading from the descriptor would not block; a pidfd becomes readable when its process exits."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
