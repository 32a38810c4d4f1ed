"""The health check: start a container and see that it stays up, or report what its log says about why not."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from hivetui.engine.containers import nixos_container, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import CommandFailed, OperationFailed, Unavailable
from hivetui.engine.model.names import container_of

_POLL_SECONDS = 0.5
_LOG_LINES = 12
"""How many lines of the container's log an error quotes."""
_START_MESSAGE = re.compile(r"Starting .*[Cc]ontainer\b")
"""What systemd logs when it starts a unit with the description of a container."""
_CAUSE = re.compile(r"(?i)\b(?:panic|error|fatal|no such|cannot|could not|denied|broken)\b")


async def start_and_verify(host: Host, progress: Progress, name: str, seconds: float) -> None:
    """Start the container and see that it stays up for `seconds`; else OperationFailed with the end of its log."""
    try:
        await nixos_container.start(host, progress, name)
    except CommandFailed as error:
        raise await _did_not_come_up(host, name, error.what) from error
    first = await _state(host, name)
    end = asyncio.get_running_loop().time() + seconds
    while True:
        now = await _state(host, name)
        if now.active != "active" or now.restarts != first.restarts or now.main_pid != first.main_pid:
            raise await _did_not_come_up(host, name, f"It came up but did not stay up: {now.active} ({now.sub})")
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return
        await asyncio.sleep(min(_POLL_SECONDS, left))


async def _state(host: Host, name: str) -> UnitState:
    return units.state_of(await units.unit_states(host), name)


async def _did_not_come_up(host: Host, name: str, why: str) -> OperationFailed:
    """The error with the likely cause first: the last line of the log that reads like one."""
    lines = _since_start(await _last_lines(host, name))
    cause = [line.strip() for line in lines if _CAUSE.search(line)][-1:]
    reasons = "\n".join((*cause, why, *(f"  {line}" for line in lines)))
    return OperationFailed(
        f"The container {container_of(name)} did not come up", reasons, f"Look at its log: hivetui logs {name}"
    )


def _since_start(lines: list[str]) -> list[str]:
    """Only the lines since the container was last started, if that is among them."""
    starts = [number for number, line in enumerate(lines) if _START_MESSAGE.match(line)]
    return lines[starts[-1] :] if starts else lines


async def _last_lines(host: Host, name: str) -> list[str]:
    """The end of the unit's journal, or nothing if it cannot be read: that must not hide the failure to report."""
    arguments = ("-u", units.unit_of(name), "-n", str(_LOG_LINES), "-o", "cat", "--no-pager", "--quiet")
    with suppress(Unavailable):
        completed = await host.runner.run(Command((*host.tools.journalctl, *arguments), timeout=30.0))
        return quote_output(completed.stdout).splitlines() if completed.status == 0 else []
    return []
