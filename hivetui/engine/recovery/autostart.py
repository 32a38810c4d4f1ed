"""After a reboot of the host, starts the agents that should run, each by an operation.

A file with the kernel's boot id marks that it was done since the reboot, so that the first engine that is opened does
it and no other. An agent that is stopped or fails later is left as it is.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hivetui.engine.agents import intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.host import files, locks, procfs
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import Busy
from hivetui.engine.model.operations import OperationKind, OperationRequest, Operator
from hivetui.engine.operations import launch


async def start_after_reboot(host: Host, operator: Operator) -> tuple[str, ...]:
    """Start them unless it was done since the reboot; the names of the agents for which an operation was started.

    Where hivetui has no state yet, no agent is to start and nothing is written: a verb that reads creates nothing.
    """
    marker, boot = _marker(host.paths), procfs.boot_id().encode()
    if not host.paths.engine.is_dir() or _contains(marker, boot):
        return ()
    files.make_directory(host.paths.locks)
    with suppress(Busy), locks.acquire(host.paths.locks / "start-after-boot", "start after a reboot"):
        if _contains(marker, boot):  # another engine did it meanwhile
            return ()
        started = await _start_all(host, operator)
        files.replace(marker, boot)
        return started
    return ()


def mark_new_hive(paths: Paths) -> None:
    """Before the first agent of a hive is created: there is nothing to start after the last reboot."""
    if not paths.engine.is_dir():
        files.make_directory(paths.engine)
        files.replace(_marker(paths), procfs.boot_id().encode())


def _marker(paths: Paths) -> Path:
    return paths.engine / "started-after-boot"


def _contains(marker: Path, boot: bytes) -> bool:
    return marker.exists() and marker.read_bytes().strip() == boot


async def _start_all(host: Host, operator: Operator) -> tuple[str, ...]:
    known = intent.names_with_intent(host.paths)
    wanted = [name for name in known if intent.read(host.paths, name).wanted is Wanted.RUNNING]
    states = await units.unit_states(host) if wanted else {}
    down = [name for name in wanted if _is_down(states.get(names.container_of(name)))]
    return tuple(name for name in down if _start(host, name, operator))


def _is_down(unit: UnitState | None) -> bool:
    return unit is not None and unit.state in (AgentState.STOPPED, AgentState.FAILED)


def _start(host: Host, name: str, operator: Operator) -> bool:
    with suppress(Busy):  # another operation is at work on it
        launch.start(host, OperationRequest(kind=OperationKind.START, agent=name, operator=operator))
        return True
    return False
