"""Web ports: which agents share one, and who listens on one already.

The agents of a hive are on the host's network, so a port that is taken is taken for all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

from hivetui.engine.containers.units import UnitState, unit_states
from hivetui.engine.host import locks
from hivetui.engine.host.host import Host
from hivetui.engine.host.locks import Lock
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.model import names
from hivetui.engine.model.errors import Busy
from hivetui.engine.model.names import LONGEST_NAME, agent_of, container_of, port_of, problem

PROC = Path("/proc")
_LISTEN = "0A"  # TCP_LISTEN in the kernel's include/net/tcp_states.h
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_ENDINGS = ("2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "x", "y", "z")
_DEEPEST = 64  # processes between a listener and the one that the unit began


@dataclass(frozen=True)
class Listener:
    """Who listens on a port: processes as (pid, name); empty when the kernel does not tell this user."""

    processes: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """In words, for a message."""
        named = ", ".join(f"{name} (process {pid})" for pid, name in self.processes)
        return named or "a process that the kernel does not name"


def parse_tcp(text: str) -> dict[int, set[int]]:
    """The listening ports of a table of /proc/net/tcp or tcp6 with the inodes of their sockets (proc_net_tcp)."""
    found: dict[int, set[int]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            found.setdefault(int(fields[1].rpartition(":")[2], 16), set()).add(int(fields[9]))
    return found


def listeners(host: Host, ports: Collection[int] | None = None, proc: Path = PROC) -> dict[int, Listener]:
    """Who listens on which TCP port of the host, of all ports or of these. Costs little when nobody does."""
    del host  # the embedded host's agents listen on this machine too
    found: dict[int, set[int]] = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for port, inodes in parse_tcp((proc / "net" / table).read_text("ascii")).items():
                if ports is None or port in ports:
                    found.setdefault(port, set()).update(inodes)
    owners = _owners(set().union(*found.values()), proc) if found else {}
    return {port: _listener(inodes, owners) for port, inodes in found.items()}


def _listener(inodes: set[int], owners: Mapping[int, set[tuple[int, str]]]) -> Listener:
    return Listener(tuple(sorted({process for inode in inodes for process in owners.get(inode, ())})))


def _owners(inodes: set[int], proc: Path) -> dict[int, set[tuple[int, str]]]:
    """The processes (pid, name) that hold these sockets, as far as the kernel lets this user see."""
    found: dict[int, set[tuple[int, str]]] = {}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            for inode in inodes.intersection(_sockets(folder)):
                name = (folder / "comm").read_text("utf-8", "replace").strip()
                found.setdefault(inode, set()).add((int(folder.name), name))
    return found


def _sockets(folder: Path) -> Iterator[int]:
    for descriptor in (folder / "fd").iterdir():
        with suppress(OSError):
            if found := _SOCKET.fullmatch(str(descriptor.readlink())):
                yield int(found[1])


def collisions(agents: Iterable[str]) -> dict[int, tuple[str, ...]]:
    """The ports that more than one of these agents has, with their names sorted."""
    by_port: dict[int, list[str]] = {}
    for name in sorted(set(agents)):
        by_port.setdefault(port_of(name), []).append(name)
    return {port: tuple(sharing) for port, sharing in sorted(by_port.items()) if len(sharing) > 1}


def free_names(name: str, taken: Collection[str]) -> tuple[str, ...]:
    """Three names near `name` that nobody has, and whose ports nobody has."""
    used = {port_of(other) for other in taken}
    return tuple(islice((n for n in _near(name) if n not in taken and port_of(n) not in used), 3))


def _near(name: str) -> Iterator[str]:
    for count in (1, 2):
        for ending in map("".join, product(_ENDINGS, repeat=count)):
            candidate = name[: LONGEST_NAME - count] + ending
            if problem(candidate) is None and candidate != name:
                yield candidate


async def require_free(host: Host, name: str, states: Mapping[str, UnitState], proc: Path = PROC) -> None:
    """Refuse (Busy) while another running agent has this agent's port, or a process that is not its own listens on it.

    `states` is a sweep, by container name.
    """
    port, running = port_of(names.check(name)), sorted(_running(states) - {name})
    for other in running:
        if port_of(other) == port:
            way_out = f"Stop {other} (hivetui stop {other}), or take another name for one of them"
            raise _taken(name, port, f"agent {other} has the same port and is running", way_out)
    listener = listeners(host, {port}, proc).get(port)
    if listener and not _is_own(listener, states.get(container_of(name), UnitState()), proc):
        raise _taken(name, port, f"{listener.text} listens on it", "End that process, or take another name")


def reserve_port(host: Host, name: str) -> Lock:
    """Keep the port of this agent from all that are about to be started, until the lock is released; else Busy.

    A look at what runs says nothing of two that begin at the same time.
    """
    port = port_of(names.check(name))
    path = host.paths.locks / f"port-{port}"
    try:
        return locks.acquire(path, f"agent {name}")
    except Busy as busy:
        other = locks.current_holder(path)
        why = f"{other.what if other else 'another agent'} has the same port and is just being started or built"
        raise _taken(name, port, why, "Wait for that to end, or take another name for one of them") from busy


@asynccontextmanager
async def hold_port(host: Host, name: str) -> AsyncIterator[None]:
    """Reserve the agent's port for the block, in which its container is started; Busy while the port is taken."""
    with reserve_port(host, name):
        await require_free(host, name, await unit_states(host))
        yield


def _running(states: Mapping[str, UnitState]) -> set[str]:
    return {name for container, state in states.items() if state.up and (name := agent_of(container))}


def _taken(name: str, port: int, why: str, way_out: str) -> Busy:
    near = ", ".join(free_names(name, (name,)))
    return Busy(f"Port {port}, which agent {name} needs, is taken", why, f"{way_out}; near {name} are: {near}.")


def _is_own(listener: Listener, unit: UnitState, proc: Path) -> bool:
    """Whether all of the listener's processes descend from the unit's; if none is named, whether the unit is up."""
    if unit.main_pid is None:
        return False
    return all(unit.main_pid in _ancestry(pid, proc) for pid, _ in listener.processes)


def _ancestry(pid: int, proc: Path) -> Iterator[int]:
    """A process and those it comes from (proc_pid_stat, field 4)."""
    for _ in range(_DEEPEST):
        yield pid
        stat = process_stat(pid, proc)
        if stat is None or stat.parent <= 1:
            return
        pid = stat.parent
