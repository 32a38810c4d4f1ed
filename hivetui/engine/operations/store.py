"""The operations of a hive as they are on disk: their states, requests and records, and when they are removed.

An operation is dead when its lock is free and its record has no end; it then reads as interrupted.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Entry, Operation, OperationRequest, OperationState
from hivetui.engine.operations import entries
from hivetui.engine.operations.build_progress import with_progress
from hivetui.engine.operations.directory import OperationDirectory, all_directories, directory_of, not_found

_OLD_ROLLBACK_FAILED = re.compile(r"^Taking it back failed too: ", re.MULTILINE)
"""How records that were written before there was the field `rollback_failed` say it."""
_FIELD_EXISTS_SINCE = datetime(2026, 11, 27, tzinfo=UTC)
"""Later records are taken at their field: an agent can make a build print that sentence."""
_ended: dict[Path, tuple[tuple[int, int], Operation]] = {}
"""Operations that have ended, by directory, each with the inode and time of its file: it is written once, so it is read
once. Another hive may be created in the same directory."""


def read(paths: Paths, number: int) -> Operation:
    """The state of one operation; NotFound when there is none of this id."""
    directory = directory_of(paths, number)
    operation = load_state(directory)
    if operation is None:
        raise not_found(number)
    if not operation.state.ended and entries.end_of(directory) is not None:  # on a full disk only the record says so
        return with_progress(directory, state_from_record(directory, operation))
    return operation


def list_operations(paths: Paths, ended: bool) -> tuple[Operation, ...]:
    """The running operations, newest first; with `ended`, also those that have ended."""
    directories = all_directories(paths, newest_first=True)
    operations = (load_state(directory) for directory in directories if ended or not directory.end.exists())
    return tuple(operation for operation in operations if operation and (ended or not operation.state.ended))


async def follow(paths: Paths, number: int, after: int = 0, wait: bool = True) -> AsyncIterator[tuple[Entry, ...]]:
    """Batches of the entries with a number above `after`, until the operation ends or its worker is dead.

    Without `wait`, until the last entry that is there now. NotFound when there is no operation of this id.
    """
    read(paths, number)
    async for batch in entries.follow(directory_of(paths, number), after, wait):
        yield batch


def remove_old(paths: Paths, clock: Callable[[], datetime], days: int) -> tuple[int, ...]:
    """Remove the records of operations that ended more than `days` ago, and return their ids."""
    before = clock() - timedelta(days=days)
    return tuple(directory.number for directory in all_directories(paths) if _remove_if_old(directory, before))


def _remove_if_old(directory: OperationDirectory, before: datetime) -> bool:
    dated = directory.end if directory.end.exists() else directory.path  # the end is written once, and dates it
    if datetime.fromtimestamp(dated.stat().st_mtime, UTC) >= before or not locks.is_free(directory.lock):
        return False
    with files.translate_os_errors(f"{directory.path} could not be removed"):
        shutil.rmtree(directory.path)
    _ended.pop(directory.path, None)
    return True


def load_state(directory: OperationDirectory) -> Operation | None:
    """The state of an operation, from its state file or, where that is behind, from its record; None without one."""
    if (operation := _load_end(directory)) is not None:
        return operation
    is_dead = locks.is_free(directory.lock)  # tested before the files are read, which then hold all it has written
    operation = _read_state(directory.now) or _read_state(directory.end) or _state_from_request(directory)
    if operation is not None and is_dead and not operation.state.ended:
        operation = state_from_record(directory, operation)
    return operation and with_progress(directory, operation)


def queued(number: int, request: OperationRequest, now: datetime) -> Operation:
    """The first state of an operation."""
    return Operation(
        id=number,
        kind=request.kind,
        agent=request.agent,
        proposal=request.proposal,
        state=OperationState.QUEUED,
        step=None,
        started_at=now,
        ended_at=None,
        operator=request.operator.name,
        error=None,
    )


def state_from_record(directory: OperationDirectory, operation: Operation) -> Operation:
    """The state of an operation whose worker is dead: the end in its record, or interrupted if it has none."""
    if (end := entries.end_of(directory)) is not None:
        changes = {"state": end.state, "error": end.text or None, "ended_at": end.time}
        return operation.model_copy(update={**changes, "rollback_failed": end.rollback_failed})
    written = entries.last_entries(directory)
    ended_at = written[-1].time if written else operation.started_at
    changes = {"state": OperationState.INTERRUPTED, "error": _cause_of_death(directory), "ended_at": ended_at}
    return operation.model_copy(update=changes)


def _load_end(directory: OperationDirectory) -> Operation | None:
    """The final state, None while there is none."""
    cached = _ended.get(directory.path)
    try:
        stat = directory.end.stat()
    except OSError:
        return cached[1] if cached is not None and not directory.path.exists() else None  # its record was removed
    identity = (stat.st_ino, stat.st_mtime_ns)
    if cached is not None and cached[0] == identity:
        return cached[1]
    operation = _read_state(directory.end)
    if operation is not None:
        operation = with_progress(directory, operation)
        _ended[directory.path] = (identity, operation)
    return operation


def _read_state(path: Path) -> Operation | None:
    try:
        operation = Operation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    is_old = operation.ended_at is not None and operation.ended_at < _FIELD_EXISTS_SINCE
    if is_old and _OLD_ROLLBACK_FAILED.search(operation.error or ""):
        return operation.model_copy(update={"rollback_failed": True})
    return operation


def _state_from_request(directory: OperationDirectory) -> Operation | None:
    """The state of an operation whose state was never written because the disk was full."""
    written = entries.last_entries(directory)
    if not written:
        return None
    with suppress(HiveError):
        return queued(directory.number, directory.read_request().request, written[0].time)
    return None


def _cause_of_death(directory: OperationDirectory) -> str:
    """What is known about a worker that wrote no end: the last of its own output."""
    known = "Its process ended without a result: it was killed, or the host went down."
    with suppress(OSError):
        output = quote_output(directory.worker_log.read_bytes()[-2000:]).strip()
        return f"{known}\n{output}".strip()
    return known
