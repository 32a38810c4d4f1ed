"""Who may log in: an operator by name, with a key of this operator, from an address that counts. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from hivetui.engine.model.settings import OperatorSection
from hivetui.engine.model.ssh_keys import fingerprint, key_blob


@dataclass(frozen=True)
class Login:
    """An operator who was let in: the name, the address, and the fingerprint of the key."""

    operator: str
    address: str
    key: str


def find_login(operators: Mapping[str, OperatorSection], name: str, key: bytes, address: str) -> Login | str:
    """The login of a user name with a key (its blob) from an address; or why there is none, for the log."""
    operator = operators.get(name)
    if operator is None:
        return "no operator has this name"
    if key not in map(key_blob, operator.keys):
        return "the key is not one of this operator"
    if operator.from_ and not _is_within(address, operator.from_):
        return "this operator does not log in from there"
    return Login(name, plain_address(address), fingerprint(key))


def plain_address(address: str) -> str:
    """An address without its interface; of an IPv4 client on a socket for IPv6, the IPv4 address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    parsed = ipaddress.ip_address(plain_address(address))
    return any(parsed in ipaddress.ip_network(network) for network in networks)
