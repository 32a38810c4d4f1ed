"""What the user's own ~/.ssh/config says about a host, read by asyncssh, where OpenSSH understands it differently."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncssh

from hivetui.engine.model.addresses import Address, parse_address
from hivetui.engine.model.errors import BadConfiguration

_CORRECT = "Correct ~/.ssh/config."


def load_options(address: Address) -> asyncssh.SSHClientConnectionOptions:
    """The options for a host, without its keys. BadConfiguration for a file that asyncssh cannot read."""
    try:
        # config=() is the user's own file; the default of this class, unlike that of `connect`, is none
        return asyncssh.SSHClientConnectionOptions(config=(), client_keys=None, **_named(address))
    except (ValueError, OSError) as error:
        raise BadConfiguration(f"The SSH settings for {address.host} cannot be used", f"{error}.", _CORRECT) from error


def login_arguments(address: Address, options: asyncssh.SSHClientConnectionOptions) -> dict[str, Any]:
    """What `asyncssh.connect` is given besides the options that it reads itself.

    An identity file that does not exist is left out, as by OpenSSH; asyncssh would not connect.
    """
    identities = options.config.get("IdentityFile")
    if not isinstance(identities, list):
        return _named(address)
    suffixes = ("", ".pub") if options.config.get("IdentitiesOnly") else ("",)  # the key of a .pub is in the agent
    candidates = [[f"{Path(name).expanduser()}{suffix}" for suffix in suffixes] for name in map(str, identities)]
    existing = [next(filter(_is_readable, paths), None) for paths in candidates]
    return {**_named(address), "client_keys": [path for path in existing if path], "ignore_encrypted": True}


def jumps(options: asyncssh.SSHClientConnectionOptions) -> list[Address]:
    """The hosts of ProxyJump, the first one to log in to first."""
    if not isinstance(options.tunnel, str):
        return []
    try:
        return [parse_address(jump.strip().removeprefix("ssh://")) for jump in options.tunnel.split(",")]
    except ValueError as error:
        raise BadConfiguration(f"ProxyJump {options.tunnel!r} is not understood", f"{error}.", _CORRECT) from error


def _named(address: Address) -> dict[str, Any]:
    return {"host": address.host, "username": address.user or (), "port": address.port or ()}


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK)
