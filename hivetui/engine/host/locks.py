"""Named locks between processes: one file each, which also says who holds it.

The lock belongs to the open file (see `file_lock`), so a worker that inherits the descriptor holds it too, and a kill
releases it. A lock file is not removed while a process could wait for it: that process would then lock a file that has
lost its name, beside another process with a new file of that name.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hivetui.engine.host import file_lock, files
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.errors import Busy
from hivetui.engine.model.times import format_date_time

_POLL_SECONDS = 0.05
_HOLDER_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """Who holds a lock (`what`, such as "rebuild of iris by ada"), which process, since when, for which operation."""

    what: str
    pid: int | None
    since: datetime
    operation: int | None = None


class Lock:
    """A lock that is held as long as `fd`, or a copy of it in another process, is open."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write_holder(self, what: str, operation: int | None = None) -> None:
        """Write who holds it into the file; on a full disk it is held all the same."""
        content = json.dumps({"what": what, "pid": os.getpid(), "operation": operation}).encode()[:_HOLDER_BYTES]
        with suppress(OSError):
            os.pwrite(self.fd, content, 0)
            os.ftruncate(self.fd, len(content))

    def release(self) -> None:
        """Close our descriptor. Not an unlock, which would also release the lock of a worker that inherited it."""
        descriptor, self.fd = self.fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def agent_lock(paths: Paths, name: str) -> Path:
    """The lock of one agent, required for changes to its repos and its container."""
    return paths.locks / f"agent-{names.check(name)}"


def preview_lock(paths: Paths, proposal: int) -> Path:
    """The lock of the preview of one proposal."""
    return paths.locks / f"preview-{proposal}"


def preview_slot(paths: Paths, number: int) -> Path:
    """One of the locks that previews wait for, so that not too many run at once."""
    return paths.locks / f"previews-{number}"


def meta_lock(paths: Paths) -> Path:
    """The lock of the meta repo."""
    return paths.locks / "meta"


def acquire(path: Path, holder: str, operation: int | None = None) -> Lock:
    """Take the lock for `holder`; if another process holds it, raise Busy, which says who."""
    lock = Lock(_open(path))
    if not file_lock.try_lock(lock.fd):
        lock.release()
        raise _busy(path)
    lock.write_holder(holder, operation)
    return lock


async def wait_for(path: Path, holder: str, timeout: float | None = None, operation: int | None = None) -> Lock:
    """Take the lock as soon as it is free; Busy after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return acquire(path, holder, operation)
        except Busy:
            if deadline is not None and time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_POLL_SECONDS)


def adopt(fd: int) -> Lock:
    """The lock whose descriptor this process inherited; from here on our own children do not inherit it."""
    os.set_inheritable(fd, False)
    if not file_lock.try_lock(fd):
        raise Busy(
            "An inherited lock is held by another process", "", "List the running operations: hivetui operations"
        )
    return Lock(fd)


@contextmanager
def hold_briefly(path: Path) -> Iterator[None]:
    """Hold the lock for the block, waiting for it: only for blocks of milliseconds."""
    descriptor = _open(path)
    try:
        file_lock.lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock; a missing file is free. Tested without taking it, so nobody else becomes busy."""
    return not file_lock.is_locked(path)


def current_holder(path: Path) -> Holder | None:
    """Who holds a lock; None when it is free, or its file is not readable or just being written."""
    if is_free(path):
        return None
    try:
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        content = json.loads(path.read_bytes()[:_HOLDER_BYTES])
        return Holder(str(content["what"]), content.get("pid"), since, content.get("operation"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _open(path: Path) -> int:
    files.make_directory(path.parent)
    with files.translate_os_errors(f"The lock {path} could not be opened"):
        return file_lock.open_file(path)


def _busy(path: Path) -> Busy:
    subject = path.name.replace("agent-", "Agent ", 1).replace("preview-", "The preview of proposal ", 1)
    holder = current_holder(path)
    if holder is None:
        return Busy(f"{subject} is busy", "Another process holds it.", "Wait for it to end, then try again.")
    why = f"{holder.what} has held it since {format_date_time(holder.since)} UTC (process {holder.pid})."
    if holder.operation is None:
        return Busy(f"{subject} is busy", why, "Wait for it to end, then try again.")
    return Busy(f"{subject} is busy", why, f"Wait for it, or follow it with: hivetui operation {holder.operation} -f")
