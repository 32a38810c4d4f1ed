"""Which agents a host has: the one place that enumerates them, and the error for one that it does not have."""

from __future__ import annotations

from collections.abc import Collection

from hivetui.engine.agents import intent
from hivetui.engine.containers import conf
from hivetui.engine.git.applied import applied_names
from hivetui.engine.host.host import Host
from hivetui.engine.host.paths import Paths
from hivetui.engine.model import names
from hivetui.engine.model.errors import NotFound


def agents_with_containers(host: Host) -> tuple[str, ...]:
    """The agents that have a container, sorted; containers whose names the engine would not give are left out."""
    agents = map(names.agent_of, conf.list_containers(host))
    return tuple(sorted(name for name in agents if name is not None))


def destroyed_agents(host: Host, containers: Collection[str]) -> tuple[str, ...]:
    """The agents whose applied repo is kept but whose container is not among these containers (by name), sorted."""
    return tuple(name for name in applied_names(host) if names.container_of(name) not in containers)


def known_agents(host: Host) -> tuple[str, ...]:
    """Every agent of which the engine has a trace: a container, an applied repo or an intent; sorted.

    A proposed repo alone does not count here, only in `require_agent`: the manager can make any number of
    directories beside them.
    """
    return tuple(sorted({*agents_with_containers(host), *applied_names(host), *intent.names_with_intent(host.paths)}))


def require_agent(paths: Paths, name: str) -> None:
    """NotFound for an agent of which the host has no trace at all. The name has been checked."""
    traces = (paths.conf(name), paths.applied_of(name), paths.proposed(name).parent, paths.intent(name))
    if not any(trace.exists() or trace.is_symlink() for trace in traces):
        raise unknown_agent(name)


def unknown_agent(name: str) -> NotFound:
    """The error for an agent that this host does not have."""
    return NotFound(
        f"There is no agent {name}",
        "This host has no container, repo or data of that name.",
        "List all agents: hivetui agents",
    )
