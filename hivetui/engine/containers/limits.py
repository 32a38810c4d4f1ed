"""The resource limits of a container: a drop-in of its unit. It is below `/run`, so a reboot of the host removes it."""

from __future__ import annotations

from contextlib import suppress

from hivetui.engine.containers import units
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.model.names import check
from hivetui.engine.model.settings import LimitsSection


def limits_text(limits: LimitsSection) -> bytes:
    """The content of the drop-in (systemd.resource-control(5))."""
    return f"[Service]\nMemoryMax={limits.memory_max}\nCPUQuota={limits.cpu_quota}\n".encode()


async def write_limits(host: Host, progress: Progress, name: str) -> None:
    """Write the drop-in of an agent's container and make systemd read it."""
    path = host.paths.limits(check(name))
    files.make_directory(path.parent)
    files.replace(path, limits_text(host.settings.limits_of(name)))
    await progress.run(units.systemctl(host, "daemon-reload"))


async def remove_limits(host: Host, progress: Progress, name: str) -> None:
    """Remove the drop-in, if it exists, and make systemd read that."""
    path = host.paths.limits(check(name))
    if not path.exists():
        return
    files.remove(path)
    with suppress(OSError):  # another drop-in, which is not the engine's, keeps the directory
        path.parent.rmdir()
    await progress.run(units.systemctl(host, "daemon-reload"))
