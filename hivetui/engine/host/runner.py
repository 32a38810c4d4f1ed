"""`ProcessRunner`, the one `Runner`: every child has a process group of its own and is always waited for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hivetui.engine import tool_messages
from hivetui.engine.host import files, waiting
from hivetui.engine.host.child import Child
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.host.output import OutputPipe
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import CommandFailed

T = TypeVar("T")

_DRAIN_SECONDS = 1.0  # how long output is still read from descendants that a program left running
_STDERR_BYTES = 16 * 1024  # kept of a streamed program's messages
_ERROR_LINES, _ERROR_CHARACTERS = 15, 4000


class ProcessRunner:
    """Runs programs: `environment` is for commands without one of their own, `grace` the seconds before SIGKILL.

    Each child has a session of its own, so that none can reach our terminal. With `in_our_session`, for a process that
    leads a session without a terminal, it only has its own group: what outlives us is then found by our session.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, grace: float = 5.0, in_our_session: bool = False
    ) -> None:
        self._environment = None if environment is None else dict(environment)
        self._grace, self._in_our_session = grace, in_our_session

    def in_our_session(self) -> ProcessRunner:
        """A copy for a process that leads a session without a terminal."""
        return ProcessRunner(self._environment, self._grace, in_our_session=True)

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        """See `Runner.run`."""
        child = Child(command, self._environment, self._in_our_session)
        output = OutputPipe("stdout", child.stdout, command.keep, sink)
        errors = OutputPipe("stderr", child.stderr, command.keep, sink, command.translate)
        reading = _start_reading(output, errors)
        timed_out = False
        try:
            async with asyncio.timeout(command.timeout):
                with waiting.noted(command):
                    await _wait_end(child, reading)
        except TimeoutError:
            timed_out = True
        finally:
            await self._end_uninterrupted(child, reading, kill_strays=True)
        if sink is None and child.status == 0:
            tool_messages.report(command.argv, errors.tail)
        return Completed(command, child.status, output.tail, errors.tail, timed_out)

    async def stream(self, command: Command, sink: LineSink | None = None) -> AsyncGenerator[bytes, None]:
        """See `Runner.stream`."""
        child = Child(command, self._environment, self._in_our_session)
        output = OutputPipe("stdout", child.stdout, 0)
        errors = OutputPipe("stderr", child.stderr, _STDERR_BYTES, sink, command.translate)
        reading = _start_reading(errors)
        timed_out = False
        try:
            while chunk := await _wait_within(command, output.read_chunk()):
                yield chunk
            await _wait_within(command, _wait_end(child, reading))
        except TimeoutError:
            timed_out = True
        finally:
            # Many streams may close at once, when a screen is left: reading /proc takes 20 ms, which would add up.
            await self._end_uninterrupted(child, reading, kill_strays=False)
        if timed_out:
            raise CommandFailed(f"`{_shown(command)}` was stopped: it wrote nothing for {command.timeout:g} seconds")
        if child.status:
            raise command_failed(Completed(command, child.status, b"", errors.tail))
        if sink is None:
            tool_messages.report(command.argv, errors.tail)

    async def _end_uninterrupted(self, child: Child, reading: asyncio.Future[Any], kill_strays: bool) -> None:
        try:
            await _run_uninterrupted(self._end(child, reading, kill_strays))
        finally:
            child.abandon()

    async def _end(self, child: Child, reading: asyncio.Future[Any], kill_strays: bool) -> None:
        """End the program, read what it wrote meanwhile, and release its descriptors."""
        try:
            was_running = await child.end(self._grace, kill_strays)
            await asyncio.wait([reading], timeout=_DRAIN_SECONDS if was_running else 0)
        finally:  # also when the event loop shuts down, which cancels every task
            reading.cancel()
            await asyncio.wait([reading])
            await child.close()


async def run_checked(host: Host, command: Command) -> Completed:
    """Run without a sink; CommandFailed unless the status is 0."""
    completed = await host.runner.run(command)
    if completed.status != 0:
        raise command_failed(completed)
    return completed


def command_failed(completed: Completed) -> CommandFailed:
    """The error for a program whose status is not 0: its name, how it ended, and the end of its messages."""
    output = quote_output(completed.stderr.strip() or completed.stdout.strip())
    why = "\n".join(output.splitlines()[-_ERROR_LINES:])[-_ERROR_CHARACTERS:]
    # Its text is all there is to judge by: where it wrote is not known here, and a program that filled a disk has freed
    # it again when it has ended (nix deletes the build, git its pack), so that statvfs finds room. A builder that only
    # says so gets wrong advice, and nothing depends on the fix. Who knows the directory looks there: `write_refusal`.
    disk_full = files.disk_full_error(output)
    what = f"`{_shown(completed.command)}` {_describe_end(completed)}"
    return CommandFailed(what, why, files.fix_for(disk_full) if disk_full else "")


def _shown(command: Command) -> str:
    """The program without its directory and what starts it, and its first two arguments; of git those of its verb."""
    start = tool_messages.program_index(command.argv)
    program, words = Path(command.argv[start]).name, list(command.argv[start + 1 :])
    while program == "git" and words and words[0].startswith("-"):
        del words[: 2 if words[0] in ("-c", "-C") else 1]
    return " ".join((program, *words[:2]))


def _describe_end(completed: Completed) -> str:
    if completed.timed_out:
        return f"was stopped: it took longer than {completed.command.timeout:g} seconds"
    if completed.status >= 0:
        return f"ended with status {completed.status}"
    return f"was killed by {describe_signal(-completed.status)}"


def describe_signal(number: int) -> str:
    """The name of a signal, as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _start_reading(*pipes: OutputPipe) -> asyncio.Future[Any]:
    reading = asyncio.gather(*(pipe.read_all() for pipe in pipes))
    reading.add_done_callback(_retrieve_exception)
    return reading


def _retrieve_exception(reading: asyncio.Future[Any]) -> None:
    """`_wait_end` raises what a sink raised; if nobody awaits it any more, asyncio must not log it either."""
    if not reading.cancelled():
        reading.exception()


async def _wait_end(child: Child, reading: asyncio.Future[Any]) -> None:
    """Wait for the program and its output, but only briefly for output of descendants that it left running."""
    await asyncio.wait([child.exited, reading], return_when=asyncio.FIRST_COMPLETED)
    if reading.done():
        reading.result()  # a sink that raised ends the program
    await asyncio.wait([child.exited])
    await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
    if reading.done():
        reading.result()


async def _wait_within(command: Command, work: Coroutine[Any, Any, T]) -> T:
    """What a streaming command does next, which is noted as waited for; TimeoutError after the time it has for it."""
    async with asyncio.timeout(command.timeout):
        with waiting.noted(command):
            return await work


async def _run_uninterrupted(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` to its end even when the caller is cancelled meanwhile; then raise the cancellation."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    task.result()
