"""What is wrong with a hive without anybody having asked for anything, each with the command that mends it.

One sweep of the units, and files; no process for an agent. Nothing here changes anything, and nothing here fails
because one agent is odd: what cannot be read of it is a warning of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hivetui.engine.agents.agent_list import agents_with_containers
from hivetui.engine.containers import conf, drift, nixos_container, ports, units
from hivetui.engine.containers.units import UnitState
from hivetui.engine.git.applied import AppliedRepo, applied_names
from hivetui.engine.git.commands import Git
from hivetui.engine.host.host import Host
from hivetui.engine.meta import repository
from hivetui.engine.model import names
from hivetui.engine.model.errors import HiveError
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from hivetui.engine.recovery import migration


async def find_warnings(host: Host, states: Mapping[str, UnitState] | None = None) -> tuple[HiveWarning, ...]:
    """Every standing warning; `states` is a sweep by the container's name, made here when there is none."""
    if states is None:
        states = await units.unit_states(host)
    found = conf.list_containers(host)
    agents = agents_with_containers(host)
    pinned = await repository.pinned_commits(host)
    return (
        *_foreign(found),
        *_collisions(agents),
        *_ports_in_use(host, agents, states),
        *(warning for name in agents for warning in _of_agent(host, name, states, pinned)),
        *_of_repos(host),
        *_of_meta(host),
    )


def _foreign(found: list[str]) -> Iterator[HiveWarning]:
    for name in found:
        if names.agent_of(name) is None:
            yield HiveWarning(
                code=WarningCode.FOREIGN_CONTAINER,
                agents=(name,),
                text=f"The container {name} carries a name that the engine would not give; it is left alone",
                fix=f"Look after it by hand: nixos-container status {name}",
            )


def _collisions(agents: tuple[str, ...]) -> Iterator[HiveWarning]:
    for port, sharing in ports.collisions(agents).items():
        yield HiveWarning(
            code=WarningCode.PORT_COLLISION,
            agents=sharing,
            text=f"{' and '.join(sharing)} have the same port {port}: only one of them can run",
            fix=f"Run one at a time, or make another in place of one: hivetui spawn {_near(sharing[-1], agents)}",
            port=port,
        )


def _near(name: str, agents: tuple[str, ...]) -> str:
    return next(iter(ports.free_names(name, agents)), "one of another beginning")


def _ports_in_use(host: Host, agents: tuple[str, ...], states: Mapping[str, UnitState]) -> Iterator[HiveWarning]:
    """Ports of agents that are down on which somebody listens who is no agent."""
    up = {names.port_of(name) for name in agents if units.is_up(states, name)}
    down = {names.port_of(name): name for name in agents if names.port_of(name) not in up}
    for port, listener in sorted(ports.listeners(host, set(down)).items()):
        yield HiveWarning(
            code=WarningCode.PORT_IN_USE,
            agents=(down[port],),
            text=f"{listener.text} listens on port {port}, which {down[port]} needs to start",
            fix=f"End that process, then: hivetui start {down[port]}",
            port=port,
        )


def _of_agent(
    host: Host, name: str, states: Mapping[str, UnitState], pinned: Mapping[str, str]
) -> Iterator[HiveWarning]:
    if nixos_container.system_of(host, name) is None:
        yield HiveWarning(
            code=WarningCode.HALF_MADE,
            agents=(name,),
            text=f"The container of {name} was begun and has no system",
            fix=f"hivetui destroy {name}, then hivetui spawn {name}",
        )
        return
    if differs := _differences(host, name, states, pinned):
        yield HiveWarning(
            code=WarningCode.DRIFT,
            agents=(name,),
            text=f"{name} is not as the engine would have it: {', '.join(differs)}",
            fix=f"hivetui rebuild {name}",
        )


def _differences(host: Host, name: str, states: Mapping[str, UnitState], pinned: Mapping[str, str]) -> tuple[str, ...]:
    try:
        found = [str(path) for path in drift.drifted_files(host, name, units.is_up(states, name))]
    except HiveError as error:
        found = [error.what]
    main = AppliedRepo(host, name).main()
    if main is not None and pinned.get(name) != main:
        found.append(f"meta has it at {pinned.get(name, 'nothing')[:12]}, deployed is {main[:12]}")
    return tuple(found)


def _of_repos(host: Host) -> Iterator[HiveWarning]:
    for name in applied_names(host):
        if migration.needs_migration(host, name):
            yield HiveWarning(
                code=WarningCode.NEEDS_MIGRATION,
                agents=(name,),
                text=str(migration.refusal(host, name).what),
                fix=f"hivetui repair {name}, or hivetui destroy {name} --purge and hivetui spawn {name}",
            )
        elif any(host.paths.applied_git(name).glob("*.lock")) and _is_stale(host, name):
            yield HiveWarning(
                code=WarningCode.STALE_LOCK,
                agents=(name,),
                text=f"A git that died left its lock in the applied repo of {name}",
                fix=f"hivetui repair {name}",
            )


def _of_meta(host: Host) -> Iterator[HiveWarning]:
    git_dir = host.paths.meta / ".git"
    if any(git_dir.glob("*.lock")) and Git(host, host.paths.meta).stale_locks():
        yield HiveWarning(
            code=WarningCode.STALE_LOCK,
            agents=(),
            text="A git that died left its lock in the meta repo",
            fix="hivetui repair",
        )


def _is_stale(host: Host, name: str) -> bool:
    return bool(Git(host, host.paths.applied_git(name)).stale_locks())
