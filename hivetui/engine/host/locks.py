"""Locks between processes: one file each, and in it the story of who holds it.

They are open file description locks (fcntl(2), F_OFD_SETLK). Such a lock belongs to the open file, not to a process:
whoever inherits the descriptor holds it too, the last one to close it frees it, and a kill does that for a process. It
can be asked after without being taken, so that a look never makes somebody else busy. A lock file is never removed
while anybody could be waiting for it, since two processes could then hold two files of one name.
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

_POLL_SECONDS = 0.05
_STORY_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: what for, as which process, since when, for which operation."""

    what: str
    pid: int | None
    since: datetime
    operation: int | None = None


class Lock:
    """A lock that is held for as long as `fd`, or a copy of it in another process, is open."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write_holder(self, what: str, operation: int | None = None) -> None:
        """Write who holds it; a full disk keeps nobody from holding a lock."""
        story = json.dumps({"what": what, "pid": os.getpid(), "operation": operation}).encode()[:_STORY_BYTES]
        with suppress(OSError):
            os.pwrite(self.fd, story, 0)
            os.ftruncate(self.fd, len(story))

    def release(self) -> None:
        """Close our descriptor. Never an unlock: that would free the lock of a worker that inherited it."""
        descriptor, self.fd = self.fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def agent_lock(paths: Paths, name: str) -> Path:
    """The lock of one agent: whoever changes its repos or its container holds it."""
    return paths.locks / f"agent-{names.check(name)}"


def meta_lock(paths: Paths) -> Path:
    """The lock of the meta repo."""
    return paths.locks / "meta"


def acquire(path: Path, holder: str, operation: int | None = None) -> Lock:
    """Take the lock and write that `holder` has it, or Busy at once, with the story of the one who does."""
    lock = Lock(_open(path))
    if not file_lock.try_lock(lock.fd):
        lock.release()
        raise _busy(path)
    lock.write_holder(holder, operation)
    return lock


async def wait_for(path: Path, holder: str, timeout: float | None = None, operation: int | None = None) -> Lock:
    """Take the lock as soon as it is free; Busy after `timeout` seconds."""
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return acquire(path, holder, operation)
        except Busy:
            if until is not None and time.monotonic() >= until:
                raise
        await asyncio.sleep(_POLL_SECONDS)


def adopt(fd: int) -> Lock:
    """The lock whose descriptor this process was started with; from here on it is not handed to our own children."""
    os.set_inheritable(fd, False)
    if not file_lock.try_lock(fd):
        raise Busy("An inherited lock is held by another process", "", "Look who runs: hivetui operations")
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
    """The story in the file of a held lock; None when it is free or nothing readable is there."""
    if is_free(path):
        return None
    try:
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        story = json.loads(path.read_bytes()[:_STORY_BYTES])
        return Holder(str(story["what"]), story.get("pid"), since, story.get("operation"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # its holder is just writing it


def _open(path: Path) -> int:
    files.make_directory(path.parent)
    with files.translate_os_errors(f"The lock {path} could not be opened"):
        return file_lock.open_file(path)


def _busy(path: Path) -> Busy:
    subject = path.name.replace("agent-", "Agent ", 1)
    story = current_holder(path)
    if story is None:
        return Busy(f"{subject} is busy", "Another process holds it.", "Wait for it to end, then try again.")
    why = f"{story.what} holds it since {story.since:%Y-%m-%d %H:%M:%S} UTC (process {story.pid})."
    if story.operation is None:
        return Busy(f"{subject} is busy", why, "Wait for it to end, then try again.")
    return Busy(f"{subject} is busy", why, f"Wait for it; `hivetui operation {story.operation} -f` shows what it does.")
