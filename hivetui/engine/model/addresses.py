"""Addresses of other hosts, as `ssh` takes them: [USER@]HOST[:PORT]. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(
    r"(?:(?P<user>[^@]+)@)?(?:\[(?P<bracketed>[^]@]+)\]|(?P<host>[^]\[:@]+))(?::(?P<port>[0-9]{1,5}))?"
)
_FORBIDDEN = frozenset("'\"`$\\;&<>|(){} ")
"""What a ProxyCommand, which a shell may run, would have to quote; OpenSSH refuses the same."""


class Address(NamedTuple):
    """Where to log in; None for what the user's ssh_config says, or ssh's default."""

    host: str
    user: str | None = None
    port: int | None = None


def parse_address(text: str) -> Address:
    """Parse [USER@]HOST[:PORT]; an IPv6 address is in brackets where a port follows. ValueError says what is wrong."""
    if text.count(":") > 1 and "[" not in text:  # an IPv6 address has no port without brackets
        user, _, host = text.rpartition("@")
        return _checked(Address(host, user or None))
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("an address is HOST, USER@HOST or USER@HOST:PORT")
    port = None if match["port"] is None else int(match["port"])
    return _checked(Address(match["bracketed"] or match["host"], match["user"], port))


def _checked(address: Address) -> Address:
    for part in filter(None, (address.host, address.user)):
        if part.startswith("-") or not part.isprintable() or _FORBIDDEN & set(part):
            raise ValueError("a host and a user have no spaces, quotes or shell characters, and do not start with -")
    if address.port is not None and not 1 <= address.port <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return address
