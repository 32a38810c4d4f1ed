"""Operations: each is a process of its own, started here with the locks it needs, and known afterwards by its record.

Whoever asks takes the agent's lock and hands the open file to the worker, so that there is no moment without a holder.
From then on the one who asked is a reader like any other: it may be slow, leave or be killed. An operation is dead when
its lock is free and its record has no end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from pathlib import Path

from pydantic import ValidationError

from hivetui.engine.host import files, ids, locks
from hivetui.engine.host.host import Host
from hivetui.engine.host.locks import Lock
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.process_handle import ProcessHandle, kill_session
from hivetui.engine.host.procfs import boot_id
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import Busy, HiveError, NotAllowed, NotFound, Stale, Unavailable
from hivetui.engine.model.operations import Entry, Operation, OperationRequest, OperationState
from hivetui.engine.model.settings import Settings
from hivetui.engine.operations import record
from hivetui.engine.operations.record import OperationDirectory, Record

WORKER = (sys.executable, "-P", "-m", "hivetui.engine.worker")
"""What does an operation unless the host says otherwise; -P: nothing is imported from the working directory."""
_UNIT = "hivetui-operation-"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_ended: dict[Path, Operation] = {}
"""What was read of operations that have ended: they never change again."""


class WorkerRequest(Model):
    """`request.json`: what to do, and how the worker opens the host on which to do it."""

    request: OperationRequest
    root: Path
    embedded: bool
    settings: Settings


class WorkerProcess(Model):
    """`worker.json`: the process that does the operation; number, start and boot together are never another's.

    `scope` is the control group of its transient unit, from the root of the hierarchy; None without one.
    """

    pid: int
    started: int
    boot: str = ""
    scope: str | None = None


def directory_of(paths: Paths, number: int) -> OperationDirectory:
    """Where an operation's files are, whether or not there is such an operation."""
    return OperationDirectory(paths.operations / str(number))


class Reservation:
    """A place for an operation that is not begun yet: its id, its lock, and room on the disk for its record."""

    lock: Lock

    def __init__(self, folder: OperationDirectory) -> None:
        self.folder, self.number, self.taken = folder, int(folder.path.name), False


@contextmanager
def reserve(paths: Paths, what: str) -> Iterator[Reservation]:
    """A place to begin an operation in, so that what is decided for its sake is not decided in vain.

    CannotCreate when there is no room for a record. Nothing is left of it unless an operation is begun there. Its lock
    is held from the beginning, for `what`: a repair that goes by would take it for one that died, and be in the way.
    """
    found = Reservation(_new_folder(paths))
    try:
        with locks.acquire(found.folder.lock, what, found.number) as found.lock:
            with files.translate_os_errors(
                f"{found.folder.path} could not be written"
            ):  # a disk can be full of files too
                for path in (found.folder.entries, found.folder.worker_log):
                    path.touch()
            record.ReservedSpace(found.folder).make()
            yield found
    finally:
        if not found.taken:
            shutil.rmtree(found.folder.path, ignore_errors=True)


def start(
    host: Host, request: OperationRequest, agent_lock: Lock | None = None, at: Reservation | None = None
) -> Operation:
    """Start it detached, `at` a place or one of its own, and tell how it stands: queued. Busy when another holds the
    agent, CannotCreate when there is no room for its record.

    `agent_lock`, if the caller has the agent already, passes to the worker and is closed here; should this raise, it
    stays the caller's.
    """
    what = f"{request.kind.value} of {request.agent} by {request.operator.name}"
    agent = agent_lock or locks.acquire(locks.agent_lock(host.paths, request.agent), what)
    try:
        with nullcontext(at) if at is not None else reserve(host.paths, what) as found:
            operation = _started(host, request, agent, what, found)
    except BaseException:
        if agent_lock is None:
            agent.release()
        raise
    agent.release()
    return operation


def _started(host: Host, request: OperationRequest, agent: Lock, what: str, at: Reservation) -> Operation:
    _end_survivors(host.paths)
    for lock in (agent, at.lock):
        lock.tell(what, at.number)
    operation = _recorded(host, at, request)
    _spawn(host, at.folder, (agent.fd, at.lock.fd))
    at.taken = True
    at.lock.release()
    return operation


def _new_folder(paths: Paths) -> OperationDirectory:
    lost = ids.is_lost(paths, "operation")
    number = ids.next_id(paths, "operation", 1 + max(_ids(paths), default=0) if lost else 0)
    folder = directory_of(paths, number)
    files.make_directory(folder.path)
    return folder


def _recorded(host: Host, at: Reservation, request: OperationRequest) -> Operation:
    """Write what is asked and the first entry."""
    asked = WorkerRequest(request=request, root=host.paths.root, embedded=host.embedded, settings=host.settings)
    data = asked.model_dump_json().encode()
    record.ReservedSpace(at.folder).write_into(lambda: files.replace(at.folder.request, data, 0o600))
    first = Record(at.folder, _queued(at.number, request, host.clock()), host.clock)
    first.state(OperationState.QUEUED)
    first.close()
    return first.operation


def _queued(number: int, request: OperationRequest, now: datetime) -> Operation:
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


def _spawn(host: Host, folder: OperationDirectory, fds: tuple[int, int]) -> None:
    """Start the worker: its folder and the locks' descriptors are its arguments, and nothing else ties it to us."""
    argv = (*_scope(host, folder), *(host.worker or WORKER), str(folder.path), *map(str, fds))
    modules = os.pathsep.join(entry for entry in sys.path if entry)
    with files.translate_os_errors(f"{folder.worker_log} could not be written"):
        log = folder.worker_log.open("ab")
    try:
        with log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**host.environment, "PYTHONPATH": modules},
                start_new_session=True,
                pass_fds=fds,
            )
    except OSError as error:
        why = f"{argv[0]}: {error.strerror}"
        raise Unavailable("The operation could not be started", why, "Run hivetui doctor.") from error
    threading.Thread(target=process.wait, daemon=True, name=f"operation-{folder.path.name}").start()  # no zombie


def _scope(host: Host, folder: OperationDirectory) -> tuple[str, ...]:
    """A transient unit of its own on a systemd host, so that the end of our session or service is not the worker's.

    A scope is run by systemd-run itself, by exec, and keeps the descriptors.
    """
    if host.embedded or host.tools.systemd_run is None:
        return ()
    other = "" if host.paths.root == Path("/") else "-" + blake2s(bytes(host.paths.root), digest_size=4).hexdigest()
    unit = f"--unit={_UNIT}{folder.path.name}{other}"
    return (*host.tools.systemd_run, "--scope", "--quiet", "--collect", unit, "--")


def read(paths: Paths, number: int) -> Operation:
    """How an operation stands; NotFound when there is none of this id."""
    folder = directory_of(paths, number)
    operation = load_state(folder)
    if operation is None:
        raise NotFound(f"There is no operation {number}", "", "See which there are: hivetui operations --all")
    if not operation.state.ended and record.end_of(folder) is not None:  # a full disk: its worker is on its way out
        return _by_its_record(folder, operation)
    return operation


def list_operations(paths: Paths, ended: bool) -> tuple[Operation, ...]:
    """What runs, newest first; with `ended`, also what ran."""
    folders = (directory_of(paths, number) for number in sorted(_ids(paths), reverse=True))
    found = (load_state(folder) for folder in folders if ended or not folder.end.exists())
    return tuple(operation for operation in found if operation and (ended or not operation.state.ended))


def request_of(paths: Paths, number: int) -> OperationRequest:
    """What an operation was asked to do."""
    return read_request(directory_of(paths, number)).request


def read_request(folder: OperationDirectory) -> WorkerRequest:
    """The whole of `request.json`."""
    try:
        return WorkerRequest.model_validate_json(folder.request.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotFound(f"There is no operation {folder.path.name}", "", "See: hivetui operations --all") from error


async def follow(paths: Paths, number: int, after: int = 0) -> AsyncIterator[tuple[Entry, ...]]:
    """The entries above number `after` in batches, from the first until the end; a dead worker ends it as well."""
    read(paths, number)
    async for batch in record.follow(directory_of(paths, number), after):
        yield batch


def cancel(paths: Paths, number: int) -> None:
    """Ask the worker to end; Stale when the operation has ended. What it does then, its record tells."""
    folder = directory_of(paths, number)
    if (state := read(paths, number).state).ended:
        raise Stale(f"Operation {number} has ended already", f"It is {state.value}.", "")
    try:
        files.replace(folder.cancel, b"")  # for a worker that has not told who it is, and looks for this when it has
    except HiveError:
        if not folder.worker.exists():
            raise
    with suppress(FileNotFoundError):
        _terminate(WorkerProcess.model_validate_json(folder.worker.read_bytes()))


def _terminate(worker: WorkerProcess) -> None:
    try:
        ProcessHandle(worker.pid, worker.started).send_signal(signal.SIGTERM)
    except PermissionError as error:
        raise NotAllowed(
            "The operation could not be cancelled", "It runs as another user.", "Do it as root."
        ) from error


def dead_operations(paths: Paths) -> tuple[Operation, ...]:
    """Those that a crash has ended and nobody has settled yet, oldest first; they read as interrupted."""
    found = (load_state(folder) for folder in _without_end(paths) if locks.is_free(folder.lock))
    return tuple(operation for operation in found if operation is not None)


def mark_interrupted(paths: Paths, clock: Callable[[], datetime]) -> tuple[Operation, ...]:
    """Write the end `interrupted` into the record of every dead operation, and tell which they were."""
    settled = (_settle(folder, clock) for folder in _without_end(paths))
    return tuple(operation for operation in settled if operation is not None)


def _without_end(paths: Paths) -> list[OperationDirectory]:
    folders = [directory_of(paths, number) for number in sorted(_ids(paths))]
    return [folder for folder in folders if not folder.end.exists() and folder.entries.exists()]


def _end_survivors(paths: Paths) -> None:
    """End what dead operations left running: it would go on working beside the one that is about to start."""
    for folder in _without_end(paths):
        if locks.is_free(folder.lock):
            _end_what_is_left(folder)


def _end_what_is_left(folder: OperationDirectory) -> None:
    """A worker's programs are in its transient unit and in its session, and both outlive a worker that is killed."""
    with suppress(OSError, ValidationError):
        worker = WorkerProcess.model_validate_json(folder.worker.read_bytes())
        if worker.scope is not None:
            _kill_group(_CONTROL_GROUPS / worker.scope / "cgroup.kill")
        if worker.boot == boot_id():  # a power cut ends all of them, and gives their numbers to others
            kill_session(worker.pid, worker.started)


def _kill_group(kill: Path) -> None:
    """By cgroup.kill of cgroup v2 (Linux 5.14): what a program moved to another session is in there too."""
    with suppress(OSError):  # gone with its last process, or a host without it
        kill.write_text("1")


def own_scope() -> str | None:
    """The control group of the transient unit that this process was started in, if `start` made one."""
    with suppress(OSError):
        path = Path("/proc/self/cgroup").read_text().strip().rpartition("0::/")[2]
        return path if Path(path).name.startswith(_UNIT) and path.endswith(".scope") else None
    return None


def _settle(folder: OperationDirectory, clock: Callable[[], datetime]) -> Operation | None:
    if not locks.is_free(folder.lock):
        return None
    with suppress(Busy), locks.acquire(folder.lock, "settling a dead operation", int(folder.path.name)):
        operation = load_state(folder)
        if operation is None and _was_never_begun(folder):
            shutil.rmtree(folder.path, ignore_errors=True)
        if operation is None or folder.end.exists():
            return None
        if record.end_of(folder) is not None:  # it ended, and was killed before it said so in the other file
            folder.write(_by_its_record(folder, operation))
            return None
        _end_what_is_left(folder)
        dead_operations = _by_its_record(folder, operation)
        last = Record(folder, dead_operations, clock)
        last.state(dead_operations.state, dead_operations.error)
        last.close()
        return last.operation
    return None


def _was_never_begun(folder: OperationDirectory) -> bool:
    """Whether it is a place whose holder was killed before anything was asked for in it."""
    return not folder.request.exists() and not record.last_entries(folder)


def remove_old(paths: Paths, clock: Callable[[], datetime], days: int) -> tuple[int, ...]:
    """Remove the records of operations that ended more than `days` ago; their ids."""
    before = clock() - timedelta(days=days)
    return tuple(number for number in sorted(_ids(paths)) if _removed(directory_of(paths, number), before))


def _removed(folder: OperationDirectory, before: datetime) -> bool:
    last = folder.end if folder.end.exists() else folder.path  # the end is written once; without one, what is there
    if datetime.fromtimestamp(last.stat().st_mtime, UTC) >= before or not locks.is_free(folder.lock):
        return False
    with files.translate_os_errors(f"{folder.path} could not be removed"):
        shutil.rmtree(folder.path)
    _ended.pop(folder.path, None)
    return True


def _ids(paths: Paths) -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir(paths.operations) as entries:
        yield from (int(entry.name) for entry in entries if entry.name.isdecimal())


def load_state(folder: OperationDirectory) -> Operation | None:
    """How the operation of a folder stands, by the file that says so or, where that is behind, by its record."""
    if folder.path in _ended:
        return _ended[folder.path]
    operation = _stands(folder.end)
    if operation is not None:
        return _ended.setdefault(folder.path, operation)
    dead_operations = locks.is_free(folder.lock)
    operation = _stands(folder.now) or _stands(folder.end) or _asked(folder)
    if operation is None or operation.state.ended or not dead_operations:
        return operation
    return _by_its_record(folder, operation)


def _stands(path: Path) -> Operation | None:
    try:
        return Operation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _asked(folder: OperationDirectory) -> Operation | None:
    """What is known of an operation whose standing was never written: the disk was full."""
    entries = record.last_entries(folder)
    if not entries:
        return None
    with suppress(HiveError):
        return _queued(int(folder.path.name), read_request(folder).request, entries[0].time)
    return None


def _by_its_record(folder: OperationDirectory, operation: Operation) -> Operation:
    """The end that a dead worker still wrote, or interrupted."""
    if (end := record.end_of(folder)) is not None:
        changes = {"state": end.state, "error": end.text or None, "ended_at": end.time}
        return operation.model_copy(update={**changes, "rollback_failed": end.rollback_failed})
    entries = record.last_entries(folder)
    state, last = OperationState.INTERRUPTED, entries[-1].time if entries else operation.started_at
    return operation.model_copy(update={"state": state, "error": _death(folder), "ended_at": last})


def _death(folder: OperationDirectory) -> str:
    """What is known about why a worker ended without a word: the end of what it said itself."""
    told = "The process that did it ended without a word: it was killed, or the host went down."
    with suppress(OSError):
        said = folder.worker_log.read_bytes()[-2000:].decode("utf-8", "backslashreplace").strip()
        return f"{told}\n{said}".strip()
    return told
