"""Which host a --host means, and the ways to the engine there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hivetui.engine.model.addresses import Address, parse_address
from hivetui.engine.model.errors import WrongUsage
from hivetui.engine.model.places import HOST_SOCKET
from hivetui.engine.model.settings import HostSection

_SOCKET = f"/{HOST_SOCKET}"
_COMMAND = ("hivetui", "engine", "--stdio")


@dataclass(frozen=True)
class Destination:
    """A host as it was named, where to log in, and what is tried there: first the socket, then the command."""

    name: str
    address: Address
    socket: str | None
    command: tuple[str, ...] | None

    def read_only(self) -> Destination:
        """The same with an engine that changes nothing, where a command starts one."""
        return self if self.command is None else replace(self, command=(*self.command, "--read-only"))


def find_destination(name: str, hosts: Mapping[str, HostSection]) -> Destination:
    """The host of `[hosts.NAME]`, else the SSH destination of that name. WrongUsage for what can be neither."""
    section = hosts.get(name, HostSection())
    try:
        address = parse_address(section.address or name)
    except ValueError as error:
        fix = "Use: --host [USER@]HOST[:PORT], or the NAME of a [hosts.NAME] in the settings."
        why = f"{str(error)[:1].upper()}{str(error)[1:]}."
        raise WrongUsage(f"--host {name!r} is not understood", why, fix) from error
    if section.socket is None and section.command is None:
        return Destination(name, address, _SOCKET, _COMMAND)
    return Destination(name, address, section.socket, section.command)
