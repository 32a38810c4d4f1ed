"""Starting and cancelling operations.

Whoever starts one takes the agent's lock and passes the open file on to the worker, so that there is no moment without
a holder. From then on the caller is a reader like any other: it may be slow, leave or be killed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from hivetui.engine.host import files, ids, locks
from hivetui.engine.host.host import Host
from hivetui.engine.host.locks import Lock
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import HiveError, Stale
from hivetui.engine.model.operations import Operation, OperationRequest, OperationState
from hivetui.engine.operations import interrupted, store, worker_process
from hivetui.engine.operations.directory import OperationDirectory, WorkerRequest, directory_of, numbers
from hivetui.engine.operations.record import Record
from hivetui.engine.operations.reserved_space import ReservedSpace


class Reservation:
    """An operation that has not started: its id, its lock, and disk space for its record.

    `is_used` is set by `start`; the directory of one that is not used is removed.
    """

    lock: Lock

    def __init__(self, directory: OperationDirectory) -> None:
        self.directory, self.number, self.is_used = directory, directory.number, False


@contextmanager
def reserve(paths: Paths, holder: str) -> Iterator[Reservation]:
    """Reserve an operation, so that a decision is not made for one that then cannot start.

    CannotCreate when the disk has no space for a record. The lock is held by `holder` from the beginning; otherwise a
    repair would take the reservation for a dead operation.
    """
    reservation = Reservation(_create_directory(paths))
    directory = reservation.directory
    try:
        with locks.acquire(directory.lock, holder, directory.number) as reservation.lock:
            with files.translate_os_errors(f"{directory.path} could not be written"):
                for path in (directory.entries, directory.worker_log):  # a disk can run out of inodes too
                    path.touch()
            ReservedSpace(directory).create()
            yield reservation
    finally:
        if not reservation.is_used:
            shutil.rmtree(directory.path, ignore_errors=True)


def start(
    host: Host, request: OperationRequest, agent_lock: Lock | None = None, reservation: Reservation | None = None
) -> Operation:
    """Start an operation detached from this process, and return its state: queued.

    Busy when another process holds the agent, CannotCreate when the disk has no space for the record. `agent_lock`, if
    the caller already holds the agent, passes to the worker and is closed here; if this raises, it stays the caller's.
    """
    holder = f"{request.kind.value} of {request.agent} by {request.operator.name}"
    agent = agent_lock or locks.acquire(locks.agent_lock(host.paths, request.agent), holder)
    try:
        with nullcontext(reservation) if reservation is not None else reserve(host.paths, holder) as reserved:
            operation = _start_reserved(host, request, agent, holder, reserved)
    except BaseException:
        if agent_lock is None:
            agent.release()
        raise
    agent.release()
    return operation


def cancel(paths: Paths, number: int) -> None:
    """Ask the worker of an operation to end; how it ends is in its record. Stale when it has ended already."""
    directory = directory_of(paths, number)
    if (state := store.read(paths, number).state).ended:
        fix = f"See how it ended: hivetui operation {number}"
        raise Stale(f"Operation {number} cannot be cancelled", f"It has already ended: {state.value}.", fix)
    try:
        with files.translate_os_errors(f"{directory.cancel} could not be created"):
            directory.cancel.touch()  # for a worker that has not written its PID yet, and looks for this then
    except HiveError:
        if not directory.worker.exists():
            raise
    with suppress(FileNotFoundError):
        worker_process.terminate(directory.read_worker())


def _start_reserved(
    host: Host, request: OperationRequest, agent: Lock, holder: str, reservation: Reservation
) -> Operation:
    interrupted.kill_leftovers(host.paths)
    for lock in (agent, reservation.lock):
        lock.write_holder(holder, reservation.number)
    operation = _write_request(host, reservation, request)
    worker_process.spawn(host, reservation.directory, (agent.fd, reservation.lock.fd))
    reservation.is_used = True
    reservation.lock.release()
    return operation


def _create_directory(paths: Paths) -> OperationDirectory:
    lost = ids.is_lost(paths, "operation")
    number = ids.next_id(paths, "operation", 1 + max(numbers(paths), default=0) if lost else 0)
    directory = directory_of(paths, number)
    files.make_directory(directory.path)
    return directory


def _write_request(host: Host, reservation: Reservation, request: OperationRequest) -> Operation:
    """Write the request and the first entry of the record."""
    directory = reservation.directory
    worker_request = WorkerRequest(
        request=request, root=host.paths.root, embedded=host.embedded, settings=host.settings
    )
    data = worker_request.model_dump_json().encode()
    ReservedSpace(directory).write(lambda: files.replace(directory.request, data, 0o600))
    record = Record(directory, store.queued(directory.number, request, host.clock()), host.clock)
    record.state(OperationState.QUEUED)
    record.close()
    return record.operation
