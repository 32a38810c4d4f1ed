"""Names of agents and of their containers, and the web port that follows from a name. Pure.

A name is passed to `check` before it becomes part of a path or a command.
"""

from __future__ import annotations

import re
from functools import lru_cache

from hivetui.engine.model.errors import BadData

MANAGER = "hm1nd"
LONGEST_NAME = 9  # nixos-container allows 11 characters, two of which are the prefix
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?", re.ASCII)
_PREFIX = "h-"
_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619  # FNV-1a, 32 bits (draft-eastlake-fnv, section 5)
_MANAGER_PORT, _FIRST_PORT, _PORTS = 8000, 8100, 900


def problem(name: str) -> str | None:
    """Why `name` cannot be an agent's name, or None."""
    if not name:
        return "a name cannot be empty"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, this one has {len(name)}"
    if not _NAME.fullmatch(name):
        return "a name has letters A-Z a-z, digits, - and _, and starts and ends with a letter or digit"
    return None


def check(name: str) -> str:
    """`name` itself, if it can be an agent's name; else BadData."""
    if why := problem(name):
        raise BadData(f"{name[:40]!r} cannot be the name of an agent", why, "Choose another name, such as alice.")
    return name


def problem_of_new(name: str) -> str | None:
    """Why no agent can be created with this name, or None.

    Stricter than `problem`: systemd-nspawn starts no machine whose name has a `_` ("Invalid machine name"), although
    nixos-container creates it. An existing one can still be listed, stopped and destroyed.
    """
    if why := problem(name):
        return why
    return "systemd-nspawn starts no container whose name has a _" if "_" in name else None


def check_new(name: str) -> str:
    """`name` itself, if an agent can be created with it; else BadData."""
    if why := problem_of_new(check(name)):
        raise BadData(
            f"No agent can be created with the name {name!r}", why, f"Use {name.replace('_', '-')!r} instead."
        )
    return name


def container_of(name: str) -> str:
    """The container of the agent `name`, which has been checked."""
    return name if name == MANAGER else _PREFIX + name


def agent_of(container: str) -> str | None:
    """The agent whose container this is, or None for a container that the engine would not have created."""
    if container == MANAGER:
        return MANAGER
    name = container.removeprefix(_PREFIX)
    return name if name != container and name != MANAGER and problem(name) is None else None


@lru_cache(maxsize=4096)  # port collisions of 900 agents ask 250 000 times
def port_of(name: str) -> int:
    """The web port of the agent `name`: the same on every host."""
    if name == MANAGER:
        return _MANAGER_PORT
    value = _FNV_OFFSET
    for byte in name.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return _FIRST_PORT + value % _PORTS


def page_url(port: int) -> str:
    """The address of an agent's web page at a port of this machine."""
    return f"http://127.0.0.1:{port}/"
