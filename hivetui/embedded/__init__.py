"""The embedded host: a whole host in a folder, for a demo, for tests and for people without NixOS.

The same engine drives it as a real host. What differs is the programs it is given: small real programs that live here
play nixos-container, systemctl, machinectl and journalctl with the same command lines, files and exit statuses; nix
is the real one where it works, else it is played too. An agent is a real process that answers HTTP and writes a log.

What it is not: there is no isolation. Agents run as the user who started them, limits are shown and not enforced, and
the scripts of an agent's services are built and not run. An embedded hive is for configurations of one's own.

The programs start often, so they import this package without anything from outside the standard library: what needs
more is imported by `open_embedded` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hivetui.engine.host.host import Host
    from hivetui.engine.model.settings import Settings


def open_embedded(folder: Path, settings: Settings) -> Host:
    """The embedded host in `folder`, made when it is not there; idempotent, and safe for several processes at once.

    Raises CannotCreate or NotAllowed when the folder cannot be made, Unavailable when a program it was made for is
    gone, BadConfiguration for a wrong variable (`HIVETUI_EMBEDDED_NIX`: real or stand-in; how many seconds a build
    takes: `HIVETUI_EMBEDDED_BUILD_SECONDS`; both count when the folder is made).
    """
    from hivetui.embedded.opening import open_folder

    return open_folder(folder, settings)


def remove_embedded(folder: Path) -> None:
    """End every agent of the embedded host and remove its folder, the read-only files of its store too."""
    from hivetui.embedded.removing import remove

    end_agents(folder)
    remove(folder)


def end_agents(folder: Path) -> None:
    """End every agent that runs in the embedded host `folder`, and return when they are gone."""
    from hivetui.embedded.folder import Folder
    from hivetui.embedded.units import stop_all

    stop_all(Folder(folder))
