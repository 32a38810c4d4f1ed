"""The file `progress.json` of an operation: how far its build has come, replaced while it runs, kept with the record.

It decides nothing, and is worth nothing after a crash: it is replaced atomically, and not durably.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from pydantic import ValidationError

from hivetui.engine.host import files
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.operations import Operation, OperationState
from hivetui.engine.model.progress import BuildProgress
from hivetui.engine.operations.directory import OperationDirectory

_SECONDS = 0.5
"""Between two writes: every reader of the live state is told each of them."""
_LOOKED_AT = 500
"""So many earlier operations are searched for the last build of an agent."""


class BuildProgressFile:
    """Writes the progress of one operation: at most every `_SECONDS`, and only when it has changed."""

    def __init__(self, directory: OperationDirectory, agent: str) -> None:
        self._directory, self._agent = directory, agent
        self._read: Callable[[], BuildProgress] | None = None
        self._written: BuildProgress | None = None
        self._written_at = 0.0
        self._last_seconds: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def request(self, read: Callable[[], BuildProgress]) -> None:
        """Write what `read` gives, now or soon."""
        self._read = read
        wait = self._written_at + _SECONDS - time.monotonic()
        if wait <= 0:
            self.write()
        elif self._timer is None:
            with suppress(RuntimeError):  # no event loop is running: the next step or the end writes it
                self._timer = asyncio.get_running_loop().call_later(wait, self.write)

    def write(self) -> None:
        """Write what was requested and is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._read is None:
            return
        if self._written is None:
            self._last_seconds = find_last_seconds(self._directory, self._agent)
        progress = self._read().model_copy(update={"last_seconds": self._last_seconds})
        self._read, self._written_at = None, time.monotonic()
        if progress != self._written:
            with suppress(HiveError):  # a full disk: the build goes on
                files.replace_unsynced(self._directory.progress, progress.model_dump_json().encode())
            self._written = progress


def read_progress(directory: OperationDirectory) -> BuildProgress | None:
    """The progress of an operation's build, None if it built nothing or it cannot be read."""
    try:
        return BuildProgress.model_validate_json(directory.progress.read_bytes())
    except (OSError, ValidationError):
        return None


def with_progress(directory: OperationDirectory, operation: Operation) -> Operation:
    """An operation with the progress of its build, which ended with it at the latest."""
    progress = read_progress(directory)
    if progress is not None and operation.state.ended and progress.ended_at is None:
        nothing = {"building": 0, "builds": (), "fetching": (), "waits_for": None}
        progress = progress.model_copy(update={"ended_at": operation.ended_at, **nothing})
    return operation if progress is None else operation.model_copy(update={"progress": progress})


def find_last_seconds(directory: OperationDirectory, agent: str) -> float | None:
    """How long the last build of an agent before this operation took that built something and succeeded."""
    for number in range(directory.number - 1, max(0, directory.number - 1 - _LOOKED_AT), -1):
        earlier = OperationDirectory(directory.path.with_name(str(number)))
        progress = read_progress(earlier)
        if progress is None or progress.ended_at is None or not progress.built:
            continue
        with suppress(OSError, ValidationError):
            end = Operation.model_validate_json(earlier.end.read_bytes())
            if end.agent == agent and end.state is OperationState.SUCCEEDED:
                return (progress.ended_at - progress.started_at).total_seconds()
    return None
