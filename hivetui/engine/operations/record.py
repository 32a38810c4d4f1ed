"""Writing the record of one operation: the worker's side."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from pydantic_core import PydanticSerializationError, to_json

from hivetui.engine.host import files
from hivetui.engine.host.host import Command, Completed, Runner
from hivetui.engine.host.runner import command_failed
from hivetui.engine.model.errors import CommandFailed, HiveError
from hivetui.engine.model.operations import EntryKind, Operation, OperationState
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.operations import entries
from hivetui.engine.operations.build_progress import BuildProgressFile
from hivetui.engine.operations.directory import OperationDirectory
from hivetui.engine.operations.record_file import RecordFile

MOST_BYTES = 64 * 1024 * 1024
"""Output beyond this is dropped, except for its last `_TAIL_BYTES`, which are written when the operation ends."""
_TAIL_BYTES = 256 * 1024
_FLUSH_SECONDS = 0.05
_FLUSH_BYTES = 64 * 1024


class Record:
    """A `Progress` that writes: lines are collected and written within 50 ms, states and steps durably at once.

    A full disk stops no operation: lines are dropped and counted, and the record says so as soon as it can. `changed`
    is called after every state and step. `runner` has to be set before `run`.
    """

    def __init__(
        self,
        directory: OperationDirectory,
        operation: Operation,
        clock: Callable[[], datetime],
        changed: Callable[[Operation], None] = lambda operation: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.operation = operation
        self.runner: Runner | None = None
        self._directory, self._clock, self._changed = directory, clock, changed
        self._number = entries.last_number(directory)
        self._file = RecordFile(directory)
        self._build = BuildProgressFile(directory, operation.agent)
        self._limit = OutputLimit(most_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._flushed = time.monotonic()

    def step(self, name: str) -> None:
        """Begin a new step."""
        self._build.write()
        self._write_state(step=name)
        self._write_essential(self._entry(EntryKind.STEP, text=name))
        self._changed(self.operation)

    def state(self, state: OperationState, error: str | None = None, rollback_failed: bool = False) -> None:
        """Write a new state; nothing may follow an end. A reader of the entry finds the operation in this state."""
        self._build.write()
        if state.ended:
            self._write_tail()
            self._flush(durable=True)
            self._report_dropped(self._file.take_dropped(at_end=True))
        ended_at = self._clock() if state.ended else None
        self._write_state(state=state, error=error, ended_at=ended_at, rollback_failed=rollback_failed)
        failed_twice = {"rollback_failed": True} if rollback_failed else {}
        self._write_essential(self._entry(EntryKind.STATE, state=state, text=error or "", **failed_twice))
        self._changed(self.operation)

    def say(self, text: str) -> None:
        """Write a message of the engine itself."""
        self.line("engine", text, 0)

    def line(self, stream: str, text: str, cut: int) -> None:
        """Write a line of output; this is a `host.LineSink`."""
        if self._limit.accepts(stream, text, cut):
            self._add(self._entry(EntryKind.LINE, stream=stream, text=text, cut=cut))
        elif self._limit.rejected == 1:
            self._add(self._entry(EntryKind.LINE, stream="engine", text=self._limit.notice))

    async def run(self, command: Command) -> Completed:
        """Run a program with its argv and every line in the record; CommandFailed unless its status is 0."""
        assert self.runner is not None
        self._add(self._entry(EntryKind.COMMAND, argv=command.argv))
        completed = await self.runner.run(command, self.line)
        if completed.status != 0:
            raise self._error_of(completed)
        return completed

    def report_build(self, read: Callable[[], BuildProgress]) -> None:
        """Write how far a build has come, soon."""
        self._build.request(read)

    def close(self) -> None:
        """Write what is collected, and close the file."""
        self._build.write()
        self._flush(durable=True)
        self._file.close(ended=self.operation.state.ended)

    def _error_of(self, completed: Completed) -> CommandFailed:
        """The error for a program that failed; not every program says that the disk is full."""
        error = command_failed(completed)
        if error.fix or (refusal := files.write_refusal("", self._directory.path)) is None:
            return error
        why = f"{error.why}\n{self._directory.path}: {refusal.strerror}"
        return CommandFailed(error.what, why, files.fix_for(refusal))

    def _entry(self, kind: EntryKind, **fields: object) -> bytes:
        """An `Entry` as a line; made without the model, since lines come by the hundred thousand."""
        self._number += 1
        entry = {"number": self._number, "time": self._clock(), "kind": kind, **fields}
        try:
            return to_json(entry) + b"\n"
        except PydanticSerializationError:  # a lone surrogate, for a byte that is not UTF-8
            return to_json(entries.with_exact_text(entry)) + b"\n"

    def _write_essential(self, line: bytes) -> None:
        self._file.add(line, essential=True)
        self._flush(durable=True)

    def _write_tail(self) -> None:
        if self._limit.rejected:
            self._add(self._entry(EntryKind.LINE, stream="engine", text=self._limit.summary))
        for stream, text, cut in self._limit.tail:
            self._add(self._entry(EntryKind.LINE, stream=stream, text=text, cut=cut))

    def _add(self, line: bytes) -> None:
        self._file.add(line)
        if self._file.queued_bytes >= _FLUSH_BYTES or time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self._flush()
        elif self._timer is None:
            with suppress(RuntimeError):  # no event loop is running: the next entry or the close writes it
                self._timer = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def _flush(self, durable: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._file.flush(durable)
        self._report_dropped(self._file.take_dropped())
        self._flushed = time.monotonic()

    def _report_dropped(self, count: int) -> None:
        if count:
            text = f"{count} {'line' if count == 1 else 'lines'} could not be recorded: the disk was full"
            self._file.add(self._entry(EntryKind.LINE, stream="engine", text=text), essential=True)
            self._file.flush()

    def _write_state(self, **changes: object) -> None:
        self.operation = self.operation.model_copy(update=changes)
        with suppress(HiveError):  # a full disk: the entries say the same, so only the end is worth reserved space
            if self.operation.state.ended:
                self._file.reserve.write(lambda: self._directory.write_state(self.operation))
            else:
                self._directory.write_state(self.operation)


class OutputLimit:
    """How much output a record accepts; of what exceeds it, the tail is kept until the operation ends."""

    def __init__(self, most_bytes: int) -> None:
        self._remaining, self._tail_bytes = most_bytes, 0
        self.tail: deque[tuple[str, str, int]] = deque()
        self.rejected = 0

    def accepts(self, stream: str, text: str, cut: int) -> bool:
        """Whether a line still fits; one that does not joins the tail, in place of earlier ones."""
        self._remaining -= len(text) + 1
        if self._remaining >= 0:
            return True
        self.rejected += 1
        self.tail.append((stream, text, cut))
        self._tail_bytes += len(text) + 1
        while self._tail_bytes > _TAIL_BYTES:
            self._tail_bytes -= len(self.tail.popleft()[1]) + 1
        return False

    @property
    def notice(self) -> str:
        """The line at which the record stops."""
        return "The output limit is reached: only the end of the output is kept, and shown once the operation has ended"

    @property
    def summary(self) -> str:
        """The line before the tail."""
        return f"Lines dropped: {self.rejected - len(self.tail)}. The last {len(self.tail)} follow."
