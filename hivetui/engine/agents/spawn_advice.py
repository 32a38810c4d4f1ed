"""What the spawn of a name would mean, told while it is typed. Looks at files only (of /proc too), and never raises."""

from __future__ import annotations

from hivetui.engine.containers import container, ports
from hivetui.engine.host.host import Host
from hivetui.engine.model import names
from hivetui.engine.model.agents import SpawnAdvice


def on(host: Host, name: str) -> SpawnAdvice:
    """Container and port of `name`, who shares the port, and like names whose port no agent has."""
    problem = names.problem_of_new(name)
    if problem:
        return SpawnAdvice(name=name, container=None, port=None, problem=problem, shared_with=(), free_names=())
    others = {known for known in map(names.agent_of, container.containers(host)) if known}
    port = names.port_of(name)
    shared = tuple(sorted(other for other in others - {name} if names.port_of(other) == port))
    found = None if shared else ports.listeners(host, {port}).get(port)
    taken = f"there is an agent {name} already" if host.paths.conf(name).exists() else None
    return SpawnAdvice(
        name=name,
        container=names.container_of(name),
        port=port,
        problem=taken,
        shared_with=shared,
        free_names=ports.free_names(name, others) if taken or shared or found else (),
        listener=found.text if found and not taken else None,
    )
