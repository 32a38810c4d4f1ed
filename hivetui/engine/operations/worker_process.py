"""The process that performs one operation: how it is started, found again, and ended.

It is a `Popen` of its own and not run by `Host.runner`, because it has to outlive the process that starts it, also when
that process ends its children at a forced exit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path

from pydantic import ValidationError

from hivetui.engine.host import files
from hivetui.engine.host.host import Host
from hivetui.engine.host.process_handle import ProcessHandle, kill_session
from hivetui.engine.host.procfs import boot_id, process_stat
from hivetui.engine.model.errors import NotAllowed, Unavailable
from hivetui.engine.operations.directory import OperationDirectory, WorkerProcess

DEFAULT_WORKER = (sys.executable, "-P", "-m", "hivetui.engine.worker")
"""The argv of a worker unless the host has another; -P: nothing is imported from the working directory."""
_UNIT = "hivetui-operation-"
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def spawn(host: Host, directory: OperationDirectory, fds: tuple[int, int]) -> None:
    """Start the worker of an operation; it is told its directory and the descriptors of its locks, nothing else."""
    argv = (*_scope_argv(host, directory), *(host.worker or DEFAULT_WORKER), str(directory.path), *map(str, fds))
    modules = os.pathsep.join(entry for entry in sys.path if entry)
    with files.translate_os_errors(f"{directory.worker_log} could not be written"):
        log = directory.worker_log.open("ab")
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
        raise Unavailable("The operation could not be started", why, "Check this host with: hivetui doctor") from error
    threading.Thread(target=process.wait, daemon=True, name=f"operation-{directory.number}").start()  # reaps it


def _scope_argv(host: Host, directory: OperationDirectory) -> tuple[str, ...]:
    """On a systemd host a transient unit of its own, so that the end of our session or service does not end it.

    systemd-run --scope replaces itself by the program (exec), so the descriptors stay open.
    """
    if host.embedded or host.tools.systemd_run is None:
        return ()
    suffix = "" if host.paths.root == Path("/") else "-" + blake2s(bytes(host.paths.root), digest_size=4).hexdigest()
    unit = f"--unit={_UNIT}{directory.number}{suffix}"
    return (*host.tools.systemd_run, "--scope", "--quiet", "--collect", unit, "--")


def this_process() -> WorkerProcess:
    """What identifies the calling process, a worker."""
    pid = os.getpid()
    stat = process_stat(pid)
    assert stat is not None
    return WorkerProcess(pid=pid, started=stat.started, boot=boot_id(), scope=_own_scope())


def _own_scope() -> str | None:
    """The control group of the transient unit that `spawn` started this process in, None if it made none."""
    with suppress(OSError):
        path = Path("/proc/self/cgroup").read_text().strip().rpartition("0::/")[2]
        return path if Path(path).name.startswith(_UNIT) and path.endswith(".scope") else None
    return None


def terminate(worker: WorkerProcess) -> None:
    """Ask a worker to end, by SIGTERM; NotAllowed when it runs as another user."""
    try:
        ProcessHandle(worker.pid, worker.started).send_signal(signal.SIGTERM)
    except PermissionError as error:
        what = "The operation could not be cancelled"
        raise NotAllowed(what, "It runs as another user.", "Do it as root.") from error


def wait_for_exit(directory: OperationDirectory, seconds: float) -> None:
    """Wait at most so long until the worker of an operation has exited, which it does soon after the operation ends."""
    with suppress(OSError, ValidationError):
        worker = directory.read_worker()
        if worker.boot == boot_id():
            ProcessHandle(worker.pid, worker.started).send_signal(0, seconds)


def kill_leftovers(directory: OperationDirectory) -> None:
    """Kill what a dead worker left running: its programs are in its transient unit and in its session."""
    with suppress(OSError, ValidationError):
        worker = directory.read_worker()
        if worker.scope is not None:
            _kill_control_group(_CONTROL_GROUPS / worker.scope)
        if worker.boot == boot_id():  # after a reboot nothing is left, and its PID may belong to another process
            kill_session(worker.pid, worker.started)


def _kill_control_group(path: Path) -> None:
    """By cgroup.kill of cgroup v2 (Linux 5.14), which also reaches programs that started a session of their own."""
    with suppress(OSError):  # it was removed with its last process, or this host does not have it
        (path / "cgroup.kill").write_text("1")
