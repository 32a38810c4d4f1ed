"""Web ports: which agents share one, and which processes listen on one already.

All agents use the host's network, so a port that one process listens on is taken for all of them.
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
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.errors import Busy
from hivetui.engine.model.names import LONGEST_NAME, agent_of, container_of, port_of, problem

PROC = Path("/proc")
_LISTEN = "0A"
"""TCP_LISTEN in the kernel's include/net/tcp_states.h."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_SUFFIXES = ("2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "x", "y", "z")
_MAX_ANCESTORS = 64
"""How many processes may be between a listener and the main process of its unit."""


@dataclass(frozen=True)
class Listener:
    """The processes that listen on a port, as (pid, name); empty when this user may not see them."""

    processes: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """The processes as a phrase for a message."""
        phrase = ", ".join(f"{name} (process {pid})" for pid, name in self.processes)
        return phrase or "a process of another user"


def parse_tcp(text: str) -> dict[int, set[int]]:
    """The listening ports in /proc/net/tcp or tcp6, with the inodes of their sockets (proc_pid_net(5))."""
    inodes: dict[int, set[int]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            inodes.setdefault(int(fields[1].rpartition(":")[2], 16), set()).add(int(fields[9]))
    return inodes


def listeners(ports: Collection[int] | None = None, proc: Path = PROC) -> dict[int, Listener]:
    """The processes that listen on TCP ports of this machine, by port; only on `ports`, unless that is None.

    Finding the processes behind the sockets is the expensive part, and is skipped when nothing listens.
    """
    sockets: dict[int, set[int]] = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for port, inodes in parse_tcp((proc / "net" / table).read_text("ascii")).items():
                if ports is None or port in ports:
                    sockets.setdefault(port, set()).update(inodes)
    owners = _owners(set().union(*sockets.values()), proc) if sockets else {}
    return {port: _listener(inodes, owners) for port, inodes in sockets.items()}


def _listener(inodes: set[int], owners: Mapping[int, set[tuple[int, str]]]) -> Listener:
    return Listener(tuple(sorted({process for inode in inodes for process in owners.get(inode, ())})))


def _owners(inodes: set[int], proc: Path) -> dict[int, set[tuple[int, str]]]:
    """The processes (pid, name) that hold each of these sockets, as far as this user may see."""
    owners: dict[int, set[tuple[int, str]]] = {}
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            for inode in inodes.intersection(_sockets(process)):
                name = quote_output((process / "comm").read_bytes()).strip()
                owners.setdefault(inode, set()).add((int(process.name), name))
    return owners


def _sockets(process: Path) -> Iterator[int]:
    """The inodes of the sockets that a process has open."""
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):
            if match := _SOCKET.fullmatch(str(descriptor.readlink())):
                yield int(match[1])


def collisions(agents: Iterable[str]) -> dict[int, tuple[str, ...]]:
    """The ports that several of these agents share, with the names of those agents, sorted."""
    by_port: dict[int, list[str]] = {}
    for name in sorted(set(agents)):
        by_port.setdefault(port_of(name), []).append(name)
    return {port: tuple(sharing) for port, sharing in sorted(by_port.items()) if len(sharing) > 1}


def free_names(name: str, taken: Collection[str]) -> tuple[str, ...]:
    """Three names similar to `name` that are not taken and whose ports no taken name has."""
    used = {port_of(other) for other in taken}
    return tuple(islice((n for n in _similar(name) if n not in taken and port_of(n) not in used), 3))


def _similar(name: str) -> Iterator[str]:
    for count in (1, 2):
        for suffix in map("".join, product(_SUFFIXES, repeat=count)):
            candidate = name[: LONGEST_NAME - count] + suffix
            if problem(candidate) is None and candidate != name:
                yield candidate


def require_free(name: str, states: Mapping[str, UnitState], proc: Path = PROC) -> None:
    """Busy while another running agent has this agent's port, or a process that is not its own listens on it.

    `states` are the units by container name, read just now.
    """
    port, running = port_of(names.check(name)), sorted(_running(states) - {name})
    for other in running:
        if port_of(other) == port:
            fix = f"Stop {other} (hivetui stop {other})"
            raise _port_taken(name, port, f"Agent {other} has the same port and is running.", fix, states)
    listener = listeners({port}, proc).get(port)
    if listener and not _is_own(listener, states.get(container_of(name), UnitState()), proc):
        raise _port_taken(name, port, f"Listening on it: {listener.text}.", "End that process", states)


def reserve_port(host: Host, name: str) -> Lock:
    """Lock the agent's port until the lock is released; Busy while an agent with the same port is being started.

    `require_free` alone would let two agents pass that are started at the same time.
    """
    port = port_of(names.check(name))
    path = host.paths.locks / f"port-{port}"
    try:
        return locks.acquire(path, f"agent {name}")
    except Busy as busy:
        holder = locks.current_holder(path)
        other = holder.what if holder else "another agent"
        why = f"It is reserved for {other}, which is being built or started."
        raise _port_taken(name, port, why, "Wait for that to end") from busy


@asynccontextmanager
async def hold_port(host: Host, name: str) -> AsyncIterator[None]:
    """Reserve the agent's port for the block, in which its container is started; Busy while the port is taken."""
    with reserve_port(host, name):
        require_free(name, await unit_states(host))
        yield


def _running(states: Mapping[str, UnitState]) -> set[str]:
    return {name for container, state in states.items() if state.is_up and (name := agent_of(container))}


def _port_taken(name: str, port: int, why: str, fix: str, containers: Iterable[str] = ()) -> Busy:
    what = f"Port {port}, which agent {name} needs, is taken"
    if name == names.MANAGER:  # only under this name is it the manager, and its port is fixed
        return Busy(what, why, f"{fix}.")
    taken = {name, *filter(None, map(agent_of, containers))}
    similar = ", ".join(free_names(name, taken))
    return Busy(what, why, f"{fix}, or use another name, such as {similar}.")


def _is_own(listener: Listener, unit: UnitState, proc: Path) -> bool:
    """Whether all of the listener's processes descend from the unit's main process.

    If this user may not see them, they are taken for the unit's own as long as it is up.
    """
    if unit.main_pid is None:
        return False
    return all(unit.main_pid in _ancestry(pid, proc) for pid, _ in listener.processes)


def _ancestry(pid: int, proc: Path) -> Iterator[int]:
    """A process and its ancestors."""
    for _ in range(_MAX_ANCESTORS):
        yield pid
        stat = process_stat(pid, proc)
        if stat is None or stat.parent <= 1:
            return
        pid = stat.parent
