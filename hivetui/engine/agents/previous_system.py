"""Putting another system into a container, and the previous one back when that fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.agents import container_files, intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import health, nixos_container, units
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.steps import StepName


@dataclass(frozen=True)
class Snapshot:
    """What a container had before: the system in its profile (None without one), and whether it ran."""

    system: Path | None
    ran: bool


async def take_snapshot(host: Host, name: str) -> Snapshot:
    """What the agent's container has now. A failed one that is meant to run counts as running: it is to run again."""
    state = units.state_of(await units.unit_states(host), name)
    crashed = state.state is AgentState.FAILED and intent.read(host.paths, name).wanted is Wanted.RUNNING
    return Snapshot(system=nixos_container.system_of(host, name), ran=state.is_up or crashed)


async def switch_and_start(host: Host, progress: Progress, name: str, system: Path) -> None:
    """Stop the container, put `system` into it, start it, and see that it stays up; OperationFailed."""
    progress.step(StepName.STOP)
    await nixos_container.stop(host, progress, name)
    progress.step(StepName.SWITCH)
    await nixos_container.set_profile(host, progress, name, system)
    progress.step(StepName.START)
    await health.start_and_verify(host, progress, name, host.settings.deploy.health_seconds)


async def restore_previous(host: Host, progress: Progress, name: str, previous: Snapshot) -> None:
    """Bring the container back to `previous`: its system, running if it ran, else stopped.

    What is so already is not touched, so this may be repeated. OperationFailed when the previous system does not
    come up either.
    """
    progress.step(StepName.RESTORE)
    if previous.system is not None and nixos_container.system_of(host, name) != previous.system:
        await nixos_container.stop(host, progress, name)
        await nixos_container.set_profile(host, progress, name, previous.system)
    state = units.state_of(await units.unit_states(host), name)
    if previous.ran and state.active != "active":
        await nixos_container.stop(host, progress, name)
        await container_files.recreate_runtime_files(host, progress, name)
        await health.start_and_verify(host, progress, name, host.settings.deploy.health_seconds)
    elif state.is_up and not previous.ran:
        await nixos_container.stop(host, progress, name)
