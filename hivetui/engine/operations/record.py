"""The record of one operation on disk: what it was asked, every entry in order, and where it stands.

`operations/<id>/` holds `request.json`, `record.jsonl` (one `Entry` a line, appended by one writer, the last line may
be torn by a crash), `lock`, `worker.json` (which process does it), `worker.log` (what that process itself said),
`cancel` (somebody asked for its end), `spare` (room for a full disk, until the end), and `now.json` until the end,
`end.json` from then on: the operation as it stands, so that a look at thousands of them reads no record. The entries
are the truth where the two differ.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Command, Completed, Runner
from hivetui.engine.host.runner import command_failed
from hivetui.engine.model.errors import CommandFailed, HiveError, NotFound
from hivetui.engine.model.operations import Entry, EntryKind, Operation, OperationState

MOST_BYTES = 64 * 1024 * 1024
"""Lines beyond this are dropped, but for the last `_END_BYTES` of them, which are written at the end."""
_END_BYTES = 256 * 1024
_SPARE_BYTES = 64 * 1024  # given back to a full disk bit by bit, so that states and steps can still be written
_SPARE_BIT = 8 * 1024  # two blocks: one for the record, one for what stands beside it
_FLUSH_SECONDS = 0.05
_FLUSH_BYTES = 64 * 1024
_SOON_SECONDS, _LATE_SECONDS = 0.03, 0.2  # between two looks at a record: while it grows, after a silence
_CHUNK_BYTES = 128 * 1024
_LONGEST_END = 128 * 1024  # bytes at the end of a record in which its last entry begins


_ENTRIES = TypeAdapter(list[Entry])


class OperationDirectory:
    """The files of one operation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "request.json"
        self.entries = path / "record.jsonl"
        self.lock = path / "lock"
        self.worker = path / "worker.json"
        self.worker_log = path / "worker.log"
        self.cancel = path / "cancel"
        self.now = path / "now.json"
        self.end = path / "end.json"
        self.spare = path / "spare"

    def write(self, operation: Operation) -> None:
        """Keep where the operation stands; at its end nothing else says so any more."""
        data = operation.model_dump_json().encode()
        files.replace(self.end if operation.state.ended else self.now, data)
        if operation.state.ended:
            files.remove(self.now)


class Record:
    """The worker's side, a `Progress`: lines are gathered and written within 50 ms, states and steps durably at once.

    A full disk stops no operation: lines are dropped and counted, and the record says so as soon as it can. `changed`
    is told of every state and step.
    """

    def __init__(
        self,
        folder: OperationDirectory,
        operation: Operation,
        clock: Callable[[], datetime],
        changed: Callable[[Operation], None] = lambda operation: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.operation = operation
        self.runner: Runner | None = None
        self._folder, self._clock, self._changed = folder, clock, changed
        self._number = last_number(folder)
        self._file = _Appended(folder)
        self._limit = _Limit(most_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._flushed = time.monotonic()

    def step(self, name: str) -> None:
        """A new step begins."""
        self._stand(step=name)
        self._write_now(self._entry(EntryKind.STEP, text=name))
        self._changed(self.operation)

    def state(self, state: OperationState, error: str | None = None, rollback_failed: bool = False) -> None:
        """Write a new state; nothing may follow an end. A reader of the entry finds the operation in this state."""
        if state.ended:
            self._write_kept_end()
            self._flush(durable=True)
            self._tell_lost(self._file.lost(at_the_end=True))
        ended_at = self._clock() if state.ended else None
        self._stand(state=state, error=error, ended_at=ended_at, rollback_failed=rollback_failed)
        failed_twice = {"rollback_failed": True} if rollback_failed else {}
        self._write_now(self._entry(EntryKind.STATE, state=state, text=error or "", **failed_twice))
        self._changed(self.operation)

    def say(self, text: str) -> None:
        """A line of the engine's own talk."""
        self.line("engine", text, 0)

    def line(self, stream: str, text: str, cut: int) -> None:
        """A line of output; this is a `host.LineSink`."""
        if self._limit.takes(stream, text, cut):
            self._add(self._entry(EntryKind.LINE, stream=stream, text=text, cut=cut))
        elif self._limit.dropped == 1:
            self._add(self._entry(EntryKind.LINE, stream="engine", text=self._limit.announced))

    async def run(self, command: Command) -> Completed:
        """Run a program with its argv and every line in the record; CommandFailed unless it ends with 0."""
        assert self.runner is not None
        self._add(self._entry(EntryKind.COMMAND, argv=command.argv))
        completed = await self.runner.run(command, self.line)
        if completed.status != 0:
            raise self._failed(completed)
        return completed

    def _failed(self, completed: Completed) -> CommandFailed:
        """What to tell of a program that failed; not each says that the disk is full."""
        error = command_failed(completed)
        if error.fix or (refusal := files.write_refusal("", self._folder.path)) is None:
            return error
        return CommandFailed(
            error.what, f"{error.why}\n{self._folder.path}: {refusal.strerror}", files.fix_for(refusal)
        )

    def close(self) -> None:
        """Write what is gathered, and close the file."""
        self._flush(durable=True)
        self._file.close(ended=self.operation.state.ended)

    def _entry(self, kind: EntryKind, **fields: object) -> bytes:
        """An `Entry` as a line; made without the model, since lines come by the hundred thousand."""
        self._number += 1
        entry = {"number": self._number, "time": self._clock(), "kind": kind, **fields}
        try:
            return to_json(entry) + b"\n"
        except PydanticSerializationError:  # half a surrogate pair, as of a file name that is no UTF-8
            text = json.dumps(entry, ensure_ascii=False, default=str)
            return text.encode("utf-8", "replace") + b"\n"

    def _write_now(self, data: bytes) -> None:
        self._file.add(data, essential=True)
        self._flush(durable=True)

    def _write_kept_end(self) -> None:
        if self._limit.dropped:
            self._add(self._entry(EntryKind.LINE, stream="engine", text=self._limit.told))
        for stream, text, cut in self._limit.end:
            self._add(self._entry(EntryKind.LINE, stream=stream, text=text, cut=cut))

    def _add(self, data: bytes) -> None:
        self._file.add(data)
        if self._file.waiting >= _FLUSH_BYTES or time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self._flush()
        elif self._timer is None:
            with suppress(RuntimeError):  # no loop runs: the next entry or the close writes it
                self._timer = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def _flush(self, durable: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._file.flush(durable)
        self._tell_lost(self._file.lost())
        self._flushed = time.monotonic()

    def _tell_lost(self, lost: int) -> None:
        if lost:
            told = f"{lost} lines could not be recorded: the disk was full"
            self._file.add(self._entry(EntryKind.LINE, stream="engine", text=told), essential=True)
            self._file.flush()

    def _stand(self, **changes: object) -> None:
        self.operation = self.operation.model_copy(update=changes)
        with suppress(HiveError):  # a full disk: the entries tell the same, so only the end is worth the spare room
            if self.operation.state.ended:
                self._file.spare.write_into(lambda: self._folder.write(self.operation))
            else:
                self._folder.write(self.operation)


class ReservedSpace:
    """Room on the disk that is kept for the states and steps of one operation: a file beside its record."""

    def __init__(self, folder: OperationDirectory) -> None:
        self._path = folder.spare

    def make(self) -> None:
        """Take all of it; CannotCreate when the disk has not as much."""
        files.replace(self._path, os.urandom(_SPARE_BYTES))  # noise: no file system packs it away

    def is_whole(self) -> bool:
        """Whether all of it is there; what was given away is taken again as soon as the disk has as much."""
        if self._left() < _SPARE_BYTES:
            with suppress(HiveError):
                self.make()
        return self._left() >= _SPARE_BYTES

    def write_into(self, write: Callable[[], None]) -> None:
        """Do a write that has to be done, and give the disk bit by bit of the room until it succeeds."""
        while True:
            try:
                return write()
            except (OSError, HiveError):
                if not self._give():
                    raise

    def end(self) -> None:
        """Nothing more has to be written."""
        with suppress(HiveError):
            files.remove(self._path)

    def _give(self) -> bool:
        """Give a bit of it; the last is the file itself, since a disk can be full of files too."""
        left = self._left()
        try:
            if left > 0:
                os.truncate(self._path, max(0, left - _SPARE_BIT))
            else:
                self._path.unlink()
        except OSError:  # not there, or on a place that is read-only by now
            return False
        return True

    def _left(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


class _Appended:
    """The record's file, open for appending, and what waits to be written to it, in order."""

    def __init__(self, folder: OperationDirectory) -> None:
        with files.translate_os_errors(f"The record {folder.entries} could not be opened"):
            self._fd = os.open(folder.entries, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._torn, self._lost = not _ends_a_line(folder.entries), 0
        self.waiting = 0
        self.spare = ReservedSpace(folder)
        self.spare.is_whole()

    def add(self, data: bytes, essential: bool = False) -> None:
        """Queue an entry; an essential one is tried again until it is written."""
        self._queue.append((data, essential))
        self.waiting += len(data)

    def flush(self, durable: bool = False) -> None:
        """Write what waits. On a full disk lines are dropped, and essential entries get the spare room."""
        if not self.spare.is_whole():
            self._drop_lines()
        try:
            self._write()
        except OSError:
            self._drop_lines()
            with suppress(OSError):
                self.spare.write_into(self._write)
        if durable:
            with suppress(OSError):
                files.sync_descriptor(self._fd)

    def lost(self, at_the_end: bool = False) -> int:
        """How many lines were dropped since it was last asked; 0 until there is room again, or the end is near."""
        if self._queue or not self._lost or not (at_the_end or self.spare.is_whole()):
            return 0
        lost, self._lost = self._lost, 0
        return lost

    def close(self, ended: bool) -> None:
        """Close it; the spare room is of no use after the end."""
        os.close(self._fd)
        if ended:
            self.spare.end()

    def _write(self) -> None:
        while self._queue:
            begin = b"\n" if self._torn else b""
            written = os.write(self._fd, begin + b"".join(data for data, _ in self._queue))
            self._forget(written - len(begin))

    def _forget(self, written: int) -> None:
        """Take from the queue what was written whole; what was written in part is torn and has to come again."""
        while self._queue and written >= len(self._queue[0][0]):
            written -= len(self._queue[0][0])
            self.waiting -= len(self._queue.popleft()[0])
        self._torn = written > 0

    def _drop_lines(self) -> None:
        kept = deque(entry for entry in self._queue if entry[1])
        self._lost += len(self._queue) - len(kept)
        self._queue, self.waiting = kept, sum(len(data) for data, _ in kept)


class _Limit:
    """How much output a record takes; of what is beyond, the end is held back until the operation ends."""

    def __init__(self, most_bytes: int) -> None:
        self._room, self._held = most_bytes, 0
        self.end: deque[tuple[str, str, int]] = deque()
        self.dropped = 0

    def takes(self, stream: str, text: str, cut: int) -> bool:
        """Whether a line still fits; if not, it is held back in place of earlier ones."""
        self._room -= len(text) + 1
        if self._room >= 0:
            return True
        self.dropped += 1
        self.end.append((stream, text, cut))
        self._held += len(text) + 1
        while self._held > _END_BYTES:
            self._held -= len(self.end.popleft()[1]) + 1
        return False

    @property
    def announced(self) -> str:
        """What the record says where it stops."""
        return "There is too much output: from here on only its end is kept, and shown when the operation has ended"

    @property
    def told(self) -> str:
        """What the record says at the end."""
        return f"{self.dropped - len(self.end)} lines were dropped; the last {len(self.end)} follow"


def last_entries(folder: OperationDirectory, of_bytes: int = 1 << 20) -> list[Entry]:
    """The entries at the end of the record; what was torn is left out."""
    try:
        with folder.entries.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - of_bytes))
            return _parsed(file.read().split(b"\n"))
    except FileNotFoundError:
        return []


def last_number(folder: OperationDirectory) -> int:
    """The number of the last entry, 0 for an empty record."""
    return max((entry.number for entry in last_entries(folder)), default=0)


def end_of(folder: OperationDirectory) -> Entry | None:
    """The entry that ends the record, if it has one."""
    last = last_entries(folder, _LONGEST_END)
    return last[-1] if last and is_end(last[-1]) else None


def is_end(entry: Entry) -> bool:
    """Whether nothing follows this entry."""
    return entry.state is not None and entry.state.ended


async def follow(folder: OperationDirectory, after: int = 0) -> AsyncIterator[tuple[Entry, ...]]:
    """Batches of entries above number `after`, from the beginning until the end, or until the worker is dead."""
    with _opened(folder) as file:
        carry, pause = b"", _SOON_SECONDS
        while True:
            dead = locks.is_free(folder.lock)  # asked before reading: what a dead worker wrote is all there
            if chunk := file.read(_CHUNK_BYTES):
                *lines, carry = (carry + chunk).split(b"\n")
                entries = _parsed(lines)
                if batch := tuple(entry for entry in entries if entry.number > after):
                    yield batch
                if entries and is_end(entries[-1]):
                    return
                pause = _SOON_SECONDS
                await asyncio.sleep(0)
            elif dead:
                return
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LATE_SECONDS)


def _opened(folder: OperationDirectory) -> io.FileIO:
    try:
        return io.FileIO(folder.entries)
    except FileNotFoundError as error:  # it ended long ago, and was removed since it was listed
        why, fix = "It ended long ago, and such are removed.", "See which there are: hivetui operations --all"
        raise NotFound(f"The record of operation {folder.path.name} is gone", why, fix) from error


def _parsed(lines: Sequence[bytes]) -> list[Entry]:
    """The entries of whole lines, all at once, or one by one to leave out what a crash or a full disk has torn."""
    try:
        return _ENTRIES.validate_json(b"[" + b",".join(filter(None, lines)) + b"]")
    except ValidationError:
        return list(_readable(lines))


def _readable(lines: Sequence[bytes]) -> Iterator[Entry]:
    for line in lines:
        with suppress(ValidationError):
            yield Entry.model_validate_json(line)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read() in (b"", b"\n")
