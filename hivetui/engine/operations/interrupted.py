"""Operations whose worker died before it wrote an end: how they are found, marked, and cleaned up after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from hivetui.engine.host import files, locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import Busy
from hivetui.engine.model.operations import Operation
from hivetui.engine.operations import entries, store, worker_process
from hivetui.engine.operations.directory import OperationDirectory, all_directories
from hivetui.engine.operations.record import Record


def dead_operations(paths: Paths) -> tuple[Operation, ...]:
    """Operations that a crash has ended and that are not marked yet, oldest first; they read as interrupted."""
    states = (store.load_state(directory) for directory in _dead_directories(paths))
    return tuple(operation for operation in states if operation is not None)


def mark_interrupted(paths: Paths, clock: Callable[[], datetime]) -> tuple[Operation, ...]:
    """Write the end `interrupted` into the record of every dead operation, and return them."""
    marked = (_mark(directory, clock) for directory in _dead_directories(paths))
    return tuple(operation for operation in marked if operation is not None)


def kill_leftovers(paths: Paths) -> None:
    """Kill what dead operations left running: it would go on beside an operation that starts now."""
    for directory in _dead_directories(paths):
        worker_process.kill_leftovers(directory)


def _dead_directories(paths: Paths) -> list[OperationDirectory]:
    unfinished = [d for d in all_directories(paths) if not d.end.exists() and d.entries.exists()]
    return [directory for directory in unfinished if locks.is_free(directory.lock)]


def _mark(directory: OperationDirectory, clock: Callable[[], datetime]) -> Operation | None:
    """Settle one dead operation; None when there is nothing to mark, or another process does it."""
    with suppress(Busy), locks.acquire(directory.lock, "settling a dead operation", directory.number):
        operation = store.load_state(directory)
        if operation is None and _is_unused_reservation(directory):
            shutil.rmtree(directory.path, ignore_errors=True)
        if operation is None or directory.end.exists():
            return None
        if entries.end_of(directory) is not None:  # killed between the end of its record and that of its state
            directory.write_state(store.state_from_record(directory, operation))
            return None
        worker_process.kill_leftovers(directory)
        interrupted = store.state_from_record(directory, operation)
        record = Record(directory, interrupted, clock)
        record.state(interrupted.state, interrupted.error)
        record.close()
        for temporary in directory.path.glob(".*.tmp"):  # of a write that the worker did not finish
            files.remove(temporary)
        return record.operation
    return None


def _is_unused_reservation(directory: OperationDirectory) -> bool:
    """Whether the process that reserved it was killed before it asked for anything."""
    return not directory.request.exists() and not entries.last_entries(directory)
