"""A worker that runs a shell command as an operation, and what the tests read of its record."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hivetui.engine.host import locks
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.operations import (
    Entry,
    EntryKind,
    Operation,
    OperationKind,
    OperationRequest,
    OperationState,
    Operator,
)
from hivetui.engine.operations import record, store
from hivetui.engine.operations.directory import OperationDirectory, directory_of
from hivetui.engine.operations.record import Record

WORKER = """
import asyncio, sys
from pathlib import Path
from hivetui.engine import worker
from hivetui.engine.model.errors import BadData
from hivetui.engine.host.host import Command
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.operations.rollback import RollbackFailed

async def shell(host, progress, request):
    progress.step("shell")
    await progress.run(Command(("sh", "-c", request.note)))

async def refuse(host, progress, request):
    raise BadData("It cannot be", "because of that", "do this")

async def fail_twice(host, progress, request):
    raise RollbackFailed("It did not start", "The rollback failed too", "repair")

async def bug(host, progress, request):
    raise ZeroDivisionError("a bug of ours")

async def flood(host, progress, request):
    for number in range(int(request.note)):
        progress.say(f"line {number}")

actions = {
    OperationKind.REBUILD: shell, OperationKind.SPAWN: refuse, OperationKind.START: bug, OperationKind.STOP: flood,
    OperationKind.RESTART: fail_twice,
}
sys.exit(worker.run(Path(sys.argv[1]), [int(fd) for fd in sys.argv[2:]], actions))
"""


STARTER = """
import os, sys
from pathlib import Path
from hivetui.engine.operations import launch
from hivetui.engine.host.host import Host, Tools
from hivetui.engine.model.operations import OperationRequest
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.settings import Settings

root, script, request = Path(sys.argv[1]), sys.argv[2], OperationRequest.model_validate_json(sys.argv[3])
tools, worker = Tools(systemd_run=None), (sys.executable, script)
host = Host(Paths(root), Settings(), ProcessRunner(), tools, environment=dict(os.environ), worker=worker)
print(launch.start(host, request).id, flush=True)
sys.stdin.read()
"""


OPERATOR = Operator(name="ada", uid=1000, source="local")


def make_request(
    note: str = "true", kind: OperationKind = OperationKind.REBUILD, agent: str = "iris"
) -> OperationRequest:
    return OperationRequest(kind=kind, agent=agent, operator=OPERATOR, note=note)


async def read_entries(paths: Paths, number: int) -> list[Entry]:
    return [entry async for batch in store.follow(paths, number) for entry in batch]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(0.01)


def lines(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries if entry.kind is EntryKind.LINE]


def states(entries: list[Entry]) -> list[OperationState]:
    return [entry.state for entry in entries if entry.state is not None]


def started_by_another(paths: Paths, script: Path, request: OperationRequest) -> int:
    """Start an operation from a process of its own, which is then killed."""
    argv = (sys.executable, "-c", STARTER, str(paths.root), str(script), request.model_dump_json())
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        number = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    return number


def unlocked(paths: Paths, number: int) -> bool:
    return locks.is_free(directory_of(paths, number).lock)


def open_record(directory: OperationDirectory, most_bytes: int = record.MOST_BYTES) -> Record:
    directory.path.mkdir(parents=True, exist_ok=True)
    operation = Operation(
        id=1,
        kind=OperationKind.REBUILD,
        agent="iris",
        proposal=None,
        state=OperationState.QUEUED,
        step=None,
        started_at=datetime.now(UTC),
        ended_at=None,
        operator="ada",
        error=None,
    )
    return Record(directory, operation, lambda: datetime.now(UTC), most_bytes=most_bytes)


def allow_no_other_file(disk: Path) -> None:
    """Limit a disk to the files that it has; a worker may write another one between the count and the limit."""
    for _ in range(100):
        stat = os.statvfs(disk)
        limit = ("mount", "-o", f"remount,nr_inodes={stat.f_files - stat.f_ffree}", disk)
        if subprocess.run(limit, check=False).returncode == 0:
            return
    raise AssertionError(f"the files of {disk} could not be limited")


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
