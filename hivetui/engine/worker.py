"""The process that performs one operation: `python -m hivetui.engine.worker DIRECTORY AGENT_FD OPERATION_FD`.

It holds the two locks whose descriptors it inherits, reads `request.json`, opens the host, does the work, and records
all of it. It ends by itself or at a signal (SIGTERM, SIGINT, SIGHUP), which cancels the work and ends its children. Its
own output goes to `worker.log`; a traceback there is a bug.
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

from hivetui.engine import python_warnings, tool_messages
from hivetui.engine.events import event_log
from hivetui.engine.host import files, locks
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import BadData, HiveError, Interrupted
from hivetui.engine.model.events import Event, EventKind
from hivetui.engine.model.operations import Operation, OperationKind, OperationRequest, OperationState
from hivetui.engine.operations import store, worker_process
from hivetui.engine.operations.directory import OperationDirectory, WorkerRequest
from hivetui.engine.operations.record import Record
from hivetui.engine.operations.rollback import RollbackFailed

Action = Callable[[Host, Progress, OperationRequest], Awaitable[None]]
BUG = 70  # EX_SOFTWARE of sysexits.h


async def _lifecycle(host: Host, progress: Progress, request: OperationRequest) -> None:
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


async def _spawn_or_deploy(host: Host, progress: Progress, request: OperationRequest) -> None:
    """A spawn that a proposal asked for is a deploy: it has to give that proposal its final state."""
    await (_lifecycle if request.proposal is None else _deploy)(host, progress, request)


async def _deploy(host: Host, progress: Progress, request: OperationRequest) -> None:
    from hivetui.engine.deploy import deploy

    await deploy.deploy(host, progress, request)


async def _preview(host: Host, progress: Progress, request: OperationRequest) -> None:
    from hivetui.engine.agents import preview

    await preview.preview(host, progress, request)


_OTHERS = {
    OperationKind.DEPLOY: _deploy,
    OperationKind.ROLLBACK: _deploy,
    OperationKind.SPAWN: _spawn_or_deploy,
    OperationKind.PREVIEW: _preview,
}
ACTIONS: Mapping[OperationKind, Action] = {kind: _OTHERS.get(kind, _lifecycle) for kind in OperationKind}


def main(argv: Sequence[str]) -> int:
    """Perform the operation in directory `argv[0]` under the locks open as `argv[1]` and `argv[2]`; its exit status."""
    return run(Path(argv[0]), [int(fd) for fd in argv[1:]])


def open_host(request: WorkerRequest, environment: Mapping[str, str]) -> Host:
    """The real host on which the operation was requested; BadData for a request on an embedded host."""
    if request.embedded:  # a console of another version may start this program in place of the embedded host's
        why = f"{request.root} is an embedded hive, and this program would work on the real host."
        raise BadData("The operation was not started", why, "Close the console and open it again.")
    from hivetui.engine.host.system_host import real_host

    return real_host(request.root, request.settings, environment)


def _with_our_session(host: Host) -> Host:
    """Run programs in our session, by which they are found if we are killed; we lead it and it has no terminal."""
    if isinstance(host.runner, ProcessRunner) and os.getsid(0) == os.getpid():
        return replace(host, runner=host.runner.in_our_session())
    return host


def run(
    directory: Path,
    fds: Sequence[int],
    actions: Mapping[OperationKind, Action] = ACTIONS,
    open_host: Callable[[WorkerRequest, Mapping[str, str]], Host] = open_host,
) -> int:
    """Perform the operation in `directory` under the locks open as `fds`, by the action of its kind; exit status."""
    python_warnings.hide()  # what a worker writes is shown if it dies
    return asyncio.run(_Worker(OperationDirectory(directory), fds, actions, open_host).run())


class _Outcome(NamedTuple):
    """How the work ended, and the exit status of the worker."""

    state: OperationState
    error: str | None
    status: int
    rollback_failed: bool = False


class _Worker:
    """One operation, from the adoption of its locks to its end."""

    def __init__(
        self,
        directory: OperationDirectory,
        fds: Sequence[int],
        actions: Mapping[OperationKind, Action],
        open_host: Callable[[WorkerRequest, Mapping[str, str]], Host],
    ) -> None:
        self._directory, self._actions, self._open_host = directory, actions, open_host
        self._locks = [locks.adopt(fd) for fd in fds]
        self._request = directory.read_request()
        self._paths = Paths(self._request.root)
        self._cancelled = False
        operation = store.load_state(directory)
        assert operation is not None
        self._record = Record(directory, operation, lambda: datetime.now(UTC), self._publish_event)

    async def run(self) -> int:
        """Perform it, record its end, and return the exit status."""
        work = asyncio.ensure_future(self._work())
        self._cancel_on_signal(work)
        try:
            outcome = await self._outcome(work)
            for lock in self._locks[:-1]:  # a reader of the end may start the next operation at once; the last is ours
                lock.release()
            self._record.state(outcome.state, outcome.error, outcome.rollback_failed)
        finally:
            self._record.close()
        self._remove_old()
        return outcome.status

    def _remove_old(self) -> None:
        """Remove records that have expired; at the end of an operation, because nobody waits for it then."""
        try:
            store.remove_old(self._paths, lambda: datetime.now(UTC), self._request.settings.deploy.keep_output_days)
        except (HiveError, OSError) as error:  # another worker removes the same, or the disk is read-only
            print(f"Old records could not be removed: {error}", file=sys.stderr)

    async def _work(self) -> None:
        self._record.state(OperationState.RUNNING)
        host = _with_our_session(self._open_host(self._request, os.environ))
        self._record.runner = host.runner
        request = self._request.request.model_copy(update={"operation": self._record.operation.id})
        with tool_messages.heard_by(lambda text: self._record.line("stderr", text, 0)):
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
        except Exception as error:  # noqa: BLE001  a bug has to end the record too; its traceback is in the log
            traceback.print_exc()
            return _Outcome(OperationState.FAILED, self._describe_bug(error), BUG)
        return _Outcome(OperationState.SUCCEEDED, None, 0)

    def _describe_bug(self, error: Exception) -> str:
        message = f"{type(error).__name__}: {error}"[:500]
        return f"This is a bug in hivetui\n{message}\nThe traceback is in {self._directory.worker_log}"

    def _cancel_on_signal(self, work: asyncio.Future[None]) -> None:
        """Cancel the work at the first signal; a second one must not cancel its clean-up."""

        def cancel() -> None:
            if not self._cancelled:
                self._cancelled = True
                work.cancel()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, cancel)
        self._publish_process()
        if self._directory.cancel.exists():  # requested before anybody could know our PID
            cancel()

    def _publish_process(self) -> None:
        """Write our PID, for cancellation, and the holder of our locks, which was the process that started us."""
        data = worker_process.this_process().model_dump_json().encode()
        with suppress(HiveError):  # a full disk: the work goes on, although nobody can cancel it
            files.replace(self._directory.worker, data)
        operation = self._record.operation
        for lock in self._locks:
            lock.write_holder(f"{operation.kind.value} of {operation.agent} by {operation.operator}", operation.id)

    def _publish_event(self, operation: Operation) -> None:
        """Append an event to the event log: for the start, each step, and the end."""
        started = operation.state is OperationState.RUNNING and operation.step is None
        ended = EventKind.OPERATION_ENDED if operation.state.ended else EventKind.OPERATION_CHANGED
        operator = self._request.request.operator
        event = Event(
            time=datetime.now(UTC),
            kind=EventKind.OPERATION_STARTED if started else ended,
            agent=operation.agent,
            proposal=operation.proposal,
            operation=operation.id,
            operator=operator.name,
            source=operator.source,
            text=_event_text(operation),
            data={"kind": operation.kind.value, "state": operation.state.value, "step": operation.step or ""},
        )
        event_log.append(self._paths, event)


def _event_text(operation: Operation) -> str:
    state = operation.state.value if operation.state.ended or operation.step is None else operation.step
    return f"{operation.kind.value} of {operation.agent}: {state}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
