"""The process that does one operation: `python -m hivetui.engine.worker FOLDER AGENT_FD OPERATION_FD`.

It holds the two locks that it was started with, reads `request.json`, opens the host, does the work, and tells all of
it in the record. It ends by itself or by a signal (SIGTERM, SIGINT, SIGHUP): that cancels the work, whose children then
end too. What it says on its own output goes to `worker.log`; a traceback there is a bug.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hivetui.engine.events import event_log
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.procfs import boot_id, process_stat
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import HiveError, Interrupted
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, OperationState
from hivetui.engine.operations.launch import (
    WorkerProcess,
    WorkerRequest,
    load_state,
    own_scope,
    read_request,
    remove_old,
)
from hivetui.engine.operations.record import OperationDirectory, Record
from hivetui.engine.operations.rollback import RollbackFailed

Action = Callable[[Host, Progress, OperationRequest], Awaitable[None]]
BUG = 70  # EX_SOFTWARE of sysexits.h


async def _live(host: Host, progress: Progress, request: OperationRequest) -> None:
    from hivetui.engine.agents import lifecycle

    actions: dict[OperationKind, Action] = {
        OperationKind.SPAWN: lifecycle.spawn,
        OperationKind.START: lifecycle.start,
        OperationKind.STOP: lifecycle.stop,
        OperationKind.RESTART: lifecycle.restart,
        OperationKind.REBUILD: lifecycle.rebuild,
        OperationKind.DESTROY: lifecycle.destroy,
        OperationKind.PURGE: lifecycle.purge,
    }
    await actions[request.kind](host, progress, request)


async def _spawn(host: Host, progress: Progress, request: OperationRequest) -> None:
    """A spawn that was asked for by a proposal ends that proposal too."""
    await (_live if request.proposal is None else _deploy)(host, progress, request)


async def _deploy(host: Host, progress: Progress, request: OperationRequest) -> None:
    from hivetui.engine.deploy import deploy

    await deploy.deploy(host, progress, request)


_OTHERS = {OperationKind.DEPLOY: _deploy, OperationKind.ROLLBACK: _deploy, OperationKind.SPAWN: _spawn}
ACTIONS: Mapping[OperationKind, Action] = {
    kind: _OTHERS.get(kind, _live) for kind in OperationKind if kind is not OperationKind.PREVIEW
}


def main(argv: Sequence[str]) -> int:
    """Do the operation of folder `argv[0]` under the locks open as `argv[1]` and `argv[2]`; its exit status."""
    return run(Path(argv[0]), [int(fd) for fd in argv[1:]])


def open_host(asked: WorkerRequest, environment: Mapping[str, str]) -> Host:
    """The real host on which the operation was requested."""
    from hivetui.engine.host.system_host import real_host

    return real_host(asked.root, asked.settings, environment)


def _with_our_session(host: Host) -> Host:
    """Programs run in our session, by which they are found should we be killed; we lead it and it has no terminal."""
    if isinstance(host.runner, ProcessRunner) and os.getsid(0) == os.getpid():
        return replace(host, runner=host.runner.in_our_session())
    return host


def run(
    folder: Path,
    fds: Sequence[int],
    actions: Mapping[OperationKind, Action] = ACTIONS,
    open_host: Callable[[WorkerRequest, Mapping[str, str]], Host] = open_host,
) -> int:
    """Do the operation in `folder` under the locks open as `fds`; what each kind does is told by `actions`."""
    return asyncio.run(_Worker(OperationDirectory(folder), fds, actions, open_host).run())


class _Outcome(NamedTuple):
    """How the work ended, and the exit status of the worker."""

    state: OperationState
    error: str | None
    status: int
    rollback_failed: bool = False


class _Worker:
    """One operation from its first breath to its end."""

    def __init__(
        self,
        folder: OperationDirectory,
        fds: Sequence[int],
        actions: Mapping[OperationKind, Action],
        open_host: Callable[[WorkerRequest, Mapping[str, str]], Host],
    ) -> None:
        self._folder, self._actions, self._open_host = folder, actions, open_host
        self._locks = [locks.adopt(fd) for fd in fds]
        self._asked = read_request(folder)
        self._places = Paths(self._asked.root)
        self._cancelled = False
        operation = load_state(folder)
        assert operation is not None
        self._record = Record(folder, operation, lambda: datetime.now(UTC), self._tell)

    async def run(self) -> int:
        """Do it, tell its end, and give the exit status."""
        work = asyncio.ensure_future(self._work())
        self._listen(work)
        try:
            outcome = await self._outcome(work)
            for lock in self._locks[:-1]:  # who reads of the end may start the next at once; the last is our own
                lock.release()
            self._record.state(outcome.state, outcome.error, outcome.rollback_failed)
        finally:
            self._record.close()
        self._remove_old()
        return outcome.status

    def _remove_old(self) -> None:
        """At the end of each, since nobody waits for it then."""
        try:
            remove_old(self._places, lambda: datetime.now(UTC), self._asked.settings.deploy.keep_output_days)
        except (HiveError, OSError) as error:  # another worker removes the same, or a place that is read-only by now
            print(f"Old records could not be removed: {error}", file=sys.stderr)

    async def _work(self) -> None:
        self._record.state(OperationState.RUNNING)
        host = _with_our_session(self._open_host(self._asked, os.environ))
        self._record.runner = host.runner
        request = self._asked.request
        await self._actions[request.kind](host, self._record, request)

    async def _outcome(self, work: asyncio.Future[None]) -> _Outcome:
        try:
            await work
        except asyncio.CancelledError:
            return _Outcome(OperationState.CANCELLED, None, Interrupted.code)
        except HiveError as error:
            state = OperationState.CANCELLED if self._cancelled else OperationState.FAILED
            status = Interrupted.code if self._cancelled else error.code
            return _Outcome(state, str(error), status, isinstance(error, RollbackFailed))
        except Exception as error:  # noqa: BLE001  a bug has to end in the record too, and then in the log
            traceback.print_exc()
            return _Outcome(OperationState.FAILED, self._bug(error), BUG)
        return _Outcome(OperationState.SUCCEEDED, None, 0)

    def _bug(self, error: Exception) -> str:
        told = f"{type(error).__name__}: {error}"[:500]
        return f"This is a bug in hivetui\n{told}\nThe traceback is in {self._folder.worker_log}"

    def _listen(self, work: asyncio.Future[None]) -> None:
        """Cancel at the first signal, and only then: what the work does to clean up is not cancelled by a second."""

        def cancel() -> None:
            if not self._cancelled:
                self._cancelled = True
                work.cancel()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, cancel)
        self._say_who()
        if self._folder.cancel.exists():  # asked before anybody could know whom to signal
            cancel()

    def _say_who(self) -> None:
        pid = os.getpid()
        stat = process_stat(pid)
        assert stat is not None
        who = WorkerProcess(pid=pid, started=stat.started, boot=boot_id(), scope=own_scope())
        with suppress(HiveError):  # a full disk: the work goes on, though nobody can cancel it
            files.replace(self._folder.worker, who.model_dump_json().encode())
        operation = self._record.operation
        for lock in self._locks:
            lock.tell(f"{operation.kind.value} of {operation.agent} by {operation.operator}", operation.id)

    def _tell(self, operation: Operation) -> None:
        """One event for the start, each step, and the end."""
        started = operation.state is OperationState.RUNNING and operation.step is None
        ended = EventKind.OPERATION_ENDED if operation.state.ended else EventKind.OPERATION_CHANGED
        operator = self._asked.request.operator
        event = Event(
            time=datetime.now(UTC),
            kind=EventKind.OPERATION_STARTED if started else ended,
            agent=operation.agent,
            proposal=operation.proposal,
            operation=operation.id,
            operator=operator.name,
            source=operator.source,
            text=_sentence(operation),
            data={"kind": operation.kind.value, "state": operation.state.value, "step": operation.step or ""},
        )
        event_log.append(self._places, event)


def _sentence(operation: Operation) -> str:
    state = operation.state.value if operation.state.ended or operation.step is None else operation.step
    return f"{operation.kind.value} of {operation.agent}: {state}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
