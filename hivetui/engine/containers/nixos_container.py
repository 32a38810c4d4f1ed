"""What `nixos-container` and the system profile do with an agent's container: create, switch, start, stop, destroy."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from hivetui.engine.containers import conf, limits, units
from hivetui.engine.host import files, scratch
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import CommandFailed, OperationFailed, Unavailable
from hivetui.engine.model.names import check, container_of
from hivetui.engine.nix import argv, build

_TIMEOUT_SECONDS = 300.0
_POLL_SECONDS = 0.5
_MACHINE_GONE_SECONDS = 15.0
"""How long machined may take to forget the name of a container that has stopped."""


def create_arguments(paths: Paths, name: str) -> tuple[str, ...]:
    """The arguments of `nixos-container create` for an agent at the commit that meta has locked."""
    flake = f"{paths.meta}#{name}"
    return ("create", container_of(check(name)), "--flake", flake, *argv.SAFETY, "--no-update-lock-file")


async def create(host: Host, progress: Progress, name: str) -> Path:
    """Create the container of an agent from meta and return the store path of its system; OperationFailed."""
    timeout = float(host.settings.deploy.build_timeout)
    with scratch.scratch_directory(host.paths) as directory:
        await progress.run(_command(host, *create_arguments(host.paths, name), cwd=directory, timeout=timeout))
    system = system_of(host, name)
    if system is None:
        raise OperationFailed(f"The new container {container_of(name)} has no system", "Its profile is missing.", "")
    return system


async def set_profile(host: Host, progress: Progress, name: str, system: Path) -> None:
    """Make `system` the system of an agent's stopped container; OperationFailed unless the profile then holds it."""
    files.make_directory(host.paths.profile(check(name)).parent)
    await build.set_profile(host, progress, host.paths.profile(name), system)
    actual = system_of(host, name)
    if actual != system:
        raise OperationFailed(
            f"The container {container_of(name)} does not have the system that was built for it",
            f"Its profile holds {actual}, expected {system}.",
            f"Rebuild it: hivetui rebuild {name}",
        )


def system_of(host: Host, name: str) -> Path | None:
    """The store path that the container's profile holds, or None without one.

    The profile is a link to a generation beside it, and that is a link into the store.
    """
    link = host.paths.profile(check(name))
    for _ in range(3):
        try:
            target = link.parent / link.readlink()
        except OSError:
            return None
        if target.parent != link.parent:
            return target
        link = target
    return None


async def start(host: Host, progress: Progress, name: str) -> None:
    """Start the container and wait until its guest has booted; CommandFailed."""
    await units.reset_failed(host, name)  # otherwise systemd refuses a sixth start within ten seconds
    await progress.run(_command(host, "start", container_of(check(name))))


async def stop(host: Host, progress: Progress, name: str) -> None:
    """Stop the container, unless it is stopped already, and wait until its machine name is free again."""
    await progress.run(_command(host, "stop", container_of(check(name))))
    await units.reset_failed(host, name)
    await _wait_until_machine_is_gone(host, name)


async def destroy(host: Host, progress: Progress, name: str) -> None:
    """Stop and remove the container and its limits; what is missing is not an error.

    OperationFailed for a container that the host's own configuration declares.
    """
    if host.paths.conf(check(name)).exists():
        conf.read_conf(host.paths, name)
        with suppress(CommandFailed):  # nixos-container destroy ends what does not stop
            await stop(host, progress, name)
    await progress.run(_command(host, "destroy", container_of(name)))
    await limits.remove_limits(host, progress, name)
    await units.reset_failed(host, name)


async def _wait_until_machine_is_gone(host: Host, name: str) -> None:
    """Wait until machined no longer knows the container: until then systemd-nspawn refuses to start it."""
    command = Command((*host.tools.machinectl, "show", container_of(name), "--property=State"), timeout=30.0)
    deadline = asyncio.get_running_loop().time() + _MACHINE_GONE_SECONDS
    with suppress(Unavailable):
        while (await host.runner.run(command)).status == 0:
            if asyncio.get_running_loop().time() > deadline:
                raise OperationFailed(
                    f"The container {container_of(name)} has stopped, but its machine still exists",
                    f"machinectl still lists it after {_MACHINE_GONE_SECONDS:g} seconds.",
                    f"Look at: machinectl status {container_of(name)}",
                )
            await asyncio.sleep(_POLL_SECONDS)


def _command(host: Host, *args: str, cwd: Path | None = None, timeout: float = _TIMEOUT_SECONDS) -> Command:
    return Command((*host.tools.nixos_container, *args), cwd=cwd, timeout=timeout)
