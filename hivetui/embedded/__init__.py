"""The embedded host: a whole host in one directory, for a demo, for tests and for people without NixOS.

The same engine runs on it as on a real host. Only the programs differ: stand-ins for nixos-container, systemctl,
machinectl and journalctl, which have the command lines, files and exit statuses of the real ones. The real nix is used
where it works; otherwise it has a stand-in too. An agent is a real process that answers HTTP and writes a log.

There is no isolation: agents run as the user who started them, of the limits only that of the memory is enforced, and
the scripts of an agent's services are built and never run. An embedded hive is for configurations that one trusts.

The stand-ins start often and without site-packages, so this module imports nothing else; `open_embedded` imports what
it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hivetui.engine.host.host import Host
    from hivetui.engine.model.settings import Settings


def open_embedded(root: Path, settings: Settings) -> Host:
    """The embedded host in the directory `root`, created if it is missing; idempotent, also for several processes.

    Raises CannotCreate or NotAllowed when the directory cannot be created, Unavailable when the nix it was created
    with is gone, and BadConfiguration for a wrong variable. `HIVETUI_EMBEDDED_NIX` (`real` or `stand-in`) and
    `HIVETUI_EMBEDDED_BUILD_SECONDS` (the duration of a build) count when the directory is created.
    """
    from hivetui.embedded.host import open_host

    return open_host(root, settings)


def remove_embedded(root: Path) -> None:
    """Stop every agent of the embedded host and remove its directory."""
    from hivetui.embedded.creation import remove

    end_agents(root)
    remove(root)


def end_agents(root: Path) -> None:
    """Stop every agent of the embedded host, and return when their processes have ended."""
    from hivetui.embedded.layout import Layout
    from hivetui.embedded.units import stop_all

    stop_all(Layout(root))
