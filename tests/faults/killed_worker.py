"""A worker that kills itself at the point that the variable KILL_AT names; tests run it instead of the engine's own.

before:STEP, after:STEP   around one of the nine steps of a deploy
step:NAME                 once that step of any operation is in the record
command:N                 before its N-th program is started
during:N                  while its N-th program runs, which goes on for as long as it can
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from hivetui.embedded.worker import open_host
from hivetui.engine import worker
from hivetui.engine.deploy import steps
from hivetui.engine.deploy.steps import DeployRun, Step, StepAction
from hivetui.engine.host.host import Command, Completed, LineSink
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.operations.record import Record

_POINT = os.environ["KILL_AT"]
_KIND, _, _WHICH = _POINT.partition(":")
_STARTED_SECONDS = 0.05  # for a program to begin its work
_numbers = count(1)
_run, _step = ProcessRunner.run, Record.step


def die() -> None:
    """Kill this process, so that nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed(step: Step) -> Step:
    """The step; if KILL_AT names it, it kills the process before or after its action."""
    return replace(step, act=_around(step.act)) if step.name == _WHICH else step


def _around(act: StepAction) -> StepAction:
    async def around(run: DeployRun) -> DeployRun:
        if _KIND == "before":
            die()
        done = await act(run)
        if _KIND == "after":
            die()
        return done

    return around


async def run(self: ProcessRunner, command: Command, sink: LineSink | None = None) -> Completed:
    """Like `ProcessRunner.run`, but kills the process at the program that KILL_AT names."""
    number = next(_numbers)
    if f"command:{number}" == _POINT:
        die()
    if f"during:{number}" == _POINT:
        asyncio.get_running_loop().call_later(_STARTED_SECONDS, die)
    return await _run(self, command, sink)


def step(self: Record, name: str) -> None:
    """Like `Record.step`, but then kills the process if KILL_AT names the step."""
    _step(self, name)
    if f"step:{name}" == _POINT:
        die()


if __name__ == "__main__":
    steps.STEPS = tuple(map(killed, steps.STEPS))
    ProcessRunner.run = run  # type: ignore[method-assign]
    Record.step = step  # type: ignore[method-assign]
    fds = [int(fd) for fd in sys.argv[2:]]
    sys.exit(worker.run(Path(sys.argv[1]), fds, open_host=open_host))
