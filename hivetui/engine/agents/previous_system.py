"""Putting another system into a container, and the previous one back when that fails; neither if it has it already."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hivetui.engine.agents import container_files, intent
from hivetui.engine.agents.intent import Wanted
from hivetui.engine.containers import drift, health, nixos_container, units
from hivetui.engine.containers.units import UnitState
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


async def is_in_place(host: Host, name: str, system: Path, runs: bool) -> bool:
    """Whether nothing would change if `system` was put into the container and started, or stopped unless it `runs`.

    It is in the profile; the configuration and the limits are what the engine would write; and the container was
    started with them, or is stopped.
    """
    state = units.state_of(await units.unit_states(host), name)
    if nixos_container.system_of(host, name) != system:
        return False
    if not (_was_started_with(state, host.paths.profile(name), host.paths.conf(name)) if runs else not state.is_up):
        return False
    return drift.drifted_files(host, name, state.is_up) == ()


def _was_started_with(state: UnitState, *paths: Path) -> bool:
    """Whether the container is up and was started after these were last written, by whomever; links are not followed.

    systemd gives the start in whole seconds.
    """
    if state.active != "active" or state.since is None:
        return False
    with suppress(FileNotFoundError):
        return max(int(path.lstat().st_mtime) for path in paths) <= state.since.timestamp()
    return False


def report_unchanged(progress: Progress, name: str) -> None:
    """Say in the record that nothing is restarted, and how to restart it nevertheless."""
    progress.step(StepName.UNCHANGED)
    progress.say(f"{name} already has the system that was built, so nothing is stopped or started.")
    progress.say(f"To restart it all the same: hivetui restart {name}")


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
