"""The directory of one operation, `operations/<id>/`, and the small files in it.

    request.json   what was asked, and how the worker opens the host (`WorkerRequest`)
    record.jsonl   one `Entry` a line, appended by one writer; a crash may tear the last line
    lock           held by the worker while it lives
    worker.json    which process performs the operation (`WorkerProcess`)
    worker.log     the worker's own output
    cancel         exists once a cancellation was requested
    progress.json  how far its build has come (`BuildProgress`)
    spare          space reserved for a full disk, until the end (`ReservedSpace`)
    now.json       the state until the end, and
    end.json       the state from then on, so that listing thousands of operations reads no record

Where the state and the record differ, the record is right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hivetui.engine.host import files
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.base import Model
from hivetui.engine.model.errors import NotFound
from hivetui.engine.model.operations import Operation, OperationRequest
from hivetui.engine.model.settings import Settings


class WorkerRequest(Model):
    """`request.json`: the request, and what the worker needs to open the host on which to perform it."""

    request: OperationRequest
    root: Path
    embedded: bool
    settings: Settings


class WorkerProcess(Model):
    """`worker.json`: PID, start time in clock ticks since boot, and boot id together identify one process.

    `scope` is the control group of its transient unit, relative to the root of the hierarchy; None without one.
    """

    pid: int
    started: int
    boot: str = ""
    scope: str | None = None


class OperationDirectory:
    """The files of one operation, whether or not they exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "request.json"
        self.entries = path / "record.jsonl"
        self.lock = path / "lock"
        self.worker = path / "worker.json"
        self.worker_log = path / "worker.log"
        self.cancel = path / "cancel"
        self.now = path / "now.json"
        self.end = path / "end.json"
        self.progress = path / "progress.json"
        self.spare = path / "spare"

    @property
    def number(self) -> int:
        """The id of the operation."""
        return int(self.path.name)

    def write_state(self, operation: Operation) -> None:
        """Replace the state on disk; the final one also removes the file of those before it."""
        # A field that earlier versions refuse is written only where it says something; progress has a file of its own.
        left_out = {"progress"} if operation.rollback_failed else {"progress", "rollback_failed"}
        data = operation.model_dump_json(exclude=left_out).encode()
        files.replace(self.end if operation.state.ended else self.now, data)
        if operation.state.ended:
            files.remove(self.now)

    def read_request(self) -> WorkerRequest:
        """The contents of `request.json`; NotFound when it is missing or unreadable."""
        try:
            return WorkerRequest.model_validate_json(_known_settings(self.request.read_bytes()))
        except (OSError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            raise not_found(self.number) from error

    def read_worker(self) -> WorkerProcess:
        """The contents of `worker.json`. OSError or ValidationError when it is missing or damaged."""
        return WorkerProcess.model_validate_json(self.worker.read_bytes())


def directory_of(paths: Paths, number: int) -> OperationDirectory:
    """The directory of an operation, whether or not it exists."""
    return OperationDirectory(paths.operations / str(number))


def all_directories(paths: Paths, newest_first: bool = False) -> Iterator[OperationDirectory]:
    """The directories of all operations on disk, in the order of their ids."""
    return (directory_of(paths, number) for number in sorted(numbers(paths), reverse=newest_first))


def numbers(paths: Paths) -> Iterator[int]:
    """The ids of all operations on disk, in no particular order."""
    with suppress(FileNotFoundError), os.scandir(paths.operations) as entries:
        yield from (int(entry.name) for entry in entries if entry.name.isdecimal())


def not_found(number: int) -> NotFound:
    """The error for an id that no operation has."""
    return NotFound(f"There is no operation {number}", "", "List them with: hivetui operations --all")


def _known_settings(request: bytes) -> bytes:
    """A request without sections of settings that this version does not know: another version may have written it."""
    content = json.loads(request)
    if isinstance(content, dict) and isinstance(content.get("settings"), dict):
        known = {name: section for name, section in content["settings"].items() if name in Settings.model_fields}
        content["settings"] = known
    return json.dumps(content).encode()
