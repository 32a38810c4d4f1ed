"""What spawning a name would lead to, shown while the name is typed. It reads only files (and /proc)."""

from __future__ import annotations

from hivetui.engine.agents.agent_list import agents_with_containers
from hivetui.engine.containers import ports
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.agents import SpawnAdvice


def advise(host: Host, name: str) -> SpawnAdvice:
    """Container, port and collisions of `name`; an invalid name is not an error but the `problem` of the result."""
    problem = names.problem_of_new(name)
    if problem:
        return SpawnAdvice(name=name, container=None, port=None, problem=problem, shared_with=(), free_names=())
    agents = agents_with_containers(host)
    port = names.port_of(name)
    sharing = tuple(other for other in agents if other != name and names.port_of(other) == port)
    listener = None if sharing else ports.listeners({port}).get(port)
    exists = host.paths.conf(name).exists()
    clashes = bool(exists or sharing or listener)
    return SpawnAdvice(
        name=name,
        container=names.container_of(name),
        port=port,
        problem=f"agent {name} already exists" if exists else None,
        shared_with=sharing,
        free_names=ports.free_names(name, agents) if clashes and name != names.MANAGER else (),
        listener=listener.text if listener and not exists else None,
    )
