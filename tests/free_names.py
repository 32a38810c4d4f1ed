"""Agent names for tests whose port is free, and is given to no other test process as long as it may be used.

All agents of a machine share 900 ports (`names.port_of`), so two test processes that only looked for listeners would
soon choose the same one. A lock file per port decides.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import string
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from hivetui.engine.containers import ports
from hivetui.engine.model import names

_FOLDER = Path(tempfile.gettempdir()) / f"hivetui-test-ports-{os.getuid()}"
_AT_ONCE = 100
"""Ports that one process keeps: more than the agents of one test module, few enough for eight processes."""
_held: deque[tuple[int, int]] = deque()
"""Ports and the descriptors of their locked files, oldest first."""
_kept: set[int] = set()
"""Ports that this process keeps to its end; nothing closes their descriptors."""


def free_name() -> str:
    return free_names(1)[0]


def free_names(count: int) -> list[str]:
    """Names with a free port each."""
    return list(itertools.islice((name for name in _random_names() if _reserve(names.port_of(name))), count))


def keep_ports(agents: list[str]) -> None:
    """Keep the ports of these free names to the end of this process."""
    wanted = {names.port_of(name) for name in agents}
    _kept.update(wanted)
    for held in [held for held in _held if held[0] in wanted]:
        _held.remove(held)


def two_names_with_one_port() -> tuple[str, str]:
    """Two names with the same port, which is free."""
    first = free_name()
    return first, name_with_the_port_of(first)


def name_with_the_port_of(agent: str) -> str:
    """Another name with the port of an agent."""
    port = names.port_of(agent)
    return next(name for name in _random_names() if names.port_of(name) == port and name != agent)


def _random_names() -> Iterable[str]:
    while True:
        yield "t" + "".join(random.choices(string.ascii_lowercase, k=5))


def _reserve(port: int) -> bool:
    """Whether nobody listens on the port and this process now holds its lock."""
    if port in _kept or any(port == held for held, _ in _held):
        return False
    _FOLDER.mkdir(exist_ok=True)
    descriptor = os.open(_FOLDER / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    if ports.listeners({port}):
        os.close(descriptor)
        return False
    _held.append((port, descriptor))
    if len(_held) > _AT_ONCE:
        os.close(_held.popleft()[1])
    return True
