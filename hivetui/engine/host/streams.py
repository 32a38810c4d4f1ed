"""The output of a program in chunks, as its reader asks for it: a reader that is slow holds the program up, and one
that leaves ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import IO

from hivetui.engine.host.host import Command
from hivetui.engine.model.errors import CommandFailed, Unavailable

CHUNK_BYTES = 256 * 1024
_TELLING_BYTES = 4000


async def stream_output(command: Command) -> AsyncGenerator[bytes, None]:
    """What `command` writes to its standard output, at most `CHUNK_BYTES` at once.

    CommandFailed at the end unless its status is 0, Unavailable when it could not begin. The process group is ended
    whenever the reader closes this or is cancelled, and after `command.timeout` seconds between two chunks.
    """
    with os.fdopen(os.memfd_create("stderr"), "w+b") as said:
        process = _start(command, said)
        assert process.stdout is not None
        try:
            while chunk := await _chunk(process.stdout, command.timeout):
                yield chunk
            status = await asyncio.to_thread(process.wait)
        finally:
            _end(process)
        if status:
            said.seek(0)
            raise CommandFailed(f"{command.argv[0]} ended with status {status}", _text(said.read(_TELLING_BYTES)))


def _start(command: Command, said: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        what = f"{command.argv[0]} could not be run"
        raise Unavailable(what, error.strerror or str(error), "Look with: hivetui doctor") from error


async def _chunk(pipe: IO[bytes], timeout: float | None) -> bytes:
    """The next bytes of `pipe`, b"" at its end."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        async with asyncio.timeout(timeout):
            await ready.wait()
    except TimeoutError as error:
        raise CommandFailed("The difference took too long", f"Nothing came for {timeout:g} seconds.") from error
    finally:
        loop.remove_reader(pipe.fileno())
    return os.read(pipe.fileno(), CHUNK_BYTES)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").strip()
