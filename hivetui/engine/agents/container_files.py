"""The files and directories on the host that an agent's container needs before it starts."""

from __future__ import annotations

from pathlib import Path

from hivetui.engine.containers import conf, limits
from hivetui.engine.host import files
from hivetui.engine.host.host import Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.errors import BadData


async def write_container_files(host: Host, progress: Progress, name: str) -> None:
    """Make the mount sources and write the configuration and limits, from the settings as they are now."""
    make_mount_sources(host.paths, name)
    conf.write_conf(host, name)
    await limits.write_limits(host, progress, name)


async def recreate_runtime_files(host: Host, progress: Progress, name: str) -> None:
    """Make again what a reboot of the host removed from `/run`: limits that exist are left as they are."""
    make_mount_sources(host.paths, name)
    if not host.paths.limits(name).exists():
        await limits.write_limits(host, progress, name)


def make_mount_sources(paths: Paths, name: str) -> None:
    """Make every directory that the container mounts: systemd-nspawn does not start without them.

    BadData when one is a symbolic link, since what it points at would be mounted.
    """
    for mount in paths.mounts(name):
        source = Path(mount.source)
        _refuse_links(paths, source)
        files.make_directory(source, 0o700 if source == paths.claude(name) else 0o755)


def _refuse_links(paths: Paths, source: Path) -> None:
    """The manager can write below `agents`: by a link there it could mount or create something of the host's."""
    below_agents = (part for part in (source, *source.parents) if paths.agents in part.parents)
    for part in below_agents:
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise BadData(f"{part} is not a directory", "It would be mounted into a container.", "Remove it.")
