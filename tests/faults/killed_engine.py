"""`hivetui engine` that kills itself once a test has told it at which point, by SIGUSR1; tests run it as the service.

The variable KILL_AT names the point, counted from the signal on:

command:N   before its N-th program is started
during:N    while its N-th program runs
before:W:N  before the N-th program that has the word W in its arguments is started
after:W:N   after it has ended
replaced:N  after its N-th file is replaced
synced:N    after what it has written, or renamed, is made durable for the N-th time
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from hivetui import cli
from hivetui.engine.host import files
from hivetui.engine.host.host import Command, Completed, LineSink
from hivetui.engine.host.runner import ProcessRunner

_POINT = os.environ["KILL_AT"]
_WORD = _POINT.split(":")[1]
_STARTED_SECONDS = 0.02  # for a program to begin its work
_run, _replace, _sync = ProcessRunner.run, files.replace, files.sync_descriptor
_programs, _words, _files, _syncs = count(1), count(1), count(1), count(1)
_counts = False


def die() -> None:
    """Kill this process, so that nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def start_counting(*_: object) -> None:
    """From now on programs and files count."""
    global _counts
    _counts = True


async def run(self: ProcessRunner, command: Command, sink: LineSink | None = None) -> Completed:
    """Like `ProcessRunner.run`, but kills the engine at the program that KILL_AT names."""
    number = next(_programs) if _counts else 0
    place = _number_of_word(command)
    if _POINT in (f"command:{number}", f"before:{place}"):
        die()
    if f"during:{number}" == _POINT:
        asyncio.get_running_loop().call_later(_STARTED_SECONDS, die)
    completed = await _run(self, command, sink)
    if f"after:{place}" == _POINT:
        die()
    return completed


def _number_of_word(command: Command) -> str:
    """The word of KILL_AT and the number of this program among those that have it; "" for one that does not."""
    is_one = _counts and _WORD in command.argv
    return f"{_WORD}:{next(_words)}" if is_one else ""


def replace(path: Path, *rest: Any, **options: Any) -> None:
    """Like `files.replace`, but then kills the engine if KILL_AT names the file."""
    _replace(path, *rest, **options)
    if _counts and f"replaced:{next(_files)}" == _POINT:
        die()


def sync_descriptor(descriptor: int) -> None:
    """Like `files.sync_descriptor`, but then kills the engine if KILL_AT names it."""
    _sync(descriptor)
    if _counts and f"synced:{next(_syncs)}" == _POINT:
        die()


if __name__ == "__main__":
    ProcessRunner.run = run  # type: ignore[method-assign]
    files.replace = replace
    files.sync_descriptor = sync_descriptor
    signal.signal(signal.SIGUSR1, start_counting)
    sys.exit(cli.main(sys.argv[1:]))
