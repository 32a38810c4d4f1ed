"""The systemd units of containers: their state, and the `systemctl` commands that the engine runs on them.

A running container is never reloaded: that runs the container's own programs on the host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hivetui.engine.containers import conf
from hivetui.engine.host import runner
from hivetui.engine.host.host import Command, Host
from hivetui.engine.host.unit_source import UnitSource
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import Unavailable
from hivetui.engine.model.names import check, container_of

_PROPERTIES = (
    "Id",
    "ActiveState",
    "SubState",
    "MemoryCurrent",
    "CPUUsageNSec",
    "TasksCurrent",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
    "Result",
    "NRestarts",
    "MainPID",
)
_UNSET = 2**64 - 1
"""What systemd prints for a value that it does not account: CGROUP_LIMIT_MAX, and UINT64_MAX for a time."""
_STATES = {
    "active": AgentState.RUNNING,
    "reloading": AgentState.RUNNING,
    "activating": AgentState.STARTING,
    "deactivating": AgentState.STOPPING,
    "failed": AgentState.FAILED,
}
_TIMEOUT_SECONDS = 300.0
_LOOK_SECONDS = 30.0
"""A look takes milliseconds; a systemd that does not answer in this time hangs."""


@dataclass(frozen=True)
class UnitState:
    """The state of a container's unit; the defaults are those of a unit that is not loaded.

    `cpu_nanoseconds` is the CPU time used since `since`, when the unit became active. `changed` is when it came into
    its state, and `result` how it ended last, in systemd's words. What systemd does not account is None.
    """

    state: AgentState = AgentState.STOPPED
    active: str = "inactive"
    sub: str = "dead"
    memory_bytes: int | None = None
    cpu_nanoseconds: int | None = None
    tasks: int | None = None
    since: datetime | None = None
    restarts: int = 0
    main_pid: int | None = None
    changed: datetime | None = None
    result: str = ""

    @property
    def is_up(self) -> bool:
        """Whether a process of it runs, or will without anybody starting it."""
        return self.state not in (AgentState.STOPPED, AgentState.FAILED)

    @property
    def is_restarting(self) -> bool:
        """Whether it has ended with an error, and systemd is about to start it again."""
        return self.sub.startswith("auto-restart")

    @property
    def has_failed(self) -> bool:
        """Whether it is known how it failed last."""
        return self.result not in ("", "success")

    def after(self, before: UnitState | None) -> UnitState:
        """The same with how it ended before its last restart, which systemd forgets when it starts it again."""
        if before is None or not before.has_failed or self.has_failed:
            return self
        is_restarted = self.restarts > 0 and (before.is_restarting or before.restarts > 0)
        return replace(self, result=before.result) if is_restarted else self

    def without_usage(self) -> UnitState:
        """The same without the figures that differ each time it is read."""
        return replace(self, memory_bytes=None, cpu_nanoseconds=None, tasks=None)


def unit_of(name: str) -> str:
    """The unit of an agent's container; BadData for an invalid name."""
    return f"container@{container_of(check(name))}.service"


def systemctl(host: Host, *args: str, timeout: float = _TIMEOUT_SECONDS) -> Command:
    """A `systemctl` command, which is ended after `timeout` seconds."""
    return Command((*host.tools.systemctl, *args), timeout=timeout)


async def reset_failed(host: Host, name: str) -> None:
    """Make systemd forget earlier failures of the unit. It refuses that for a unit that is not loaded and has none."""
    await host.runner.run(systemctl(host, "reset-failed", unit_of(name)))


async def unit_states(host: Host, source: UnitSource | None = None) -> dict[str, UnitState]:
    """The unit of every container by *container* name; CommandFailed.

    `source` tells them without a process, and one `systemctl` call for all where there is none or it cannot. A unit
    that is not loaded counts as stopped. systemd remembers the failure of a container that was removed; such a unit is
    left out, unless a process of it runs.
    """
    states = {container: UnitState() for container in conf.list_containers(host)}
    loaded = await _loaded_units(host, source, states)
    return states | {container: unit for container, unit in loaded.items() if unit.is_up or container in states}


async def _loaded_units(host: Host, source: UnitSource | None, containers: Collection[str]) -> Mapping[str, UnitState]:
    """The units that are loaded, and of these containers, perhaps more."""
    if source is not None:
        with suppress(Unavailable):
            found = await source.properties({*containers, *await source.active_states()})
            return {container: parse_unit(properties) for container, properties in found.items()}
    properties = f"--property={','.join(_PROPERTIES)}"
    command = systemctl(
        host, "show", "container@*", properties, "--timestamp=unix", "--no-pager", timeout=_LOOK_SECONDS
    )
    return parse_units((await runner.run_checked(host, command)).text)


async def read_states(host: Host, source: UnitSource, containers: Collection[str]) -> dict[str, UnitState]:
    """The units of these containers, as in `unit_states`; those that do not exist are left out.

    `source` tells them without a process, and `systemctl` where it cannot.
    """
    existing = [name for name in containers if (host.paths.containers / f"{name}.conf").exists()]
    if not existing:
        return {}
    with suppress(Unavailable):
        found = await source.properties(existing)
        return {name: parse_unit(found.get(name, {})) for name in existing}
    properties = f"--property={','.join(_PROPERTIES)}"
    shown = [f"container@{name}.service" for name in existing]
    command = systemctl(host, "show", *shown, properties, "--timestamp=unix", "--no-pager", timeout=_LOOK_SECONDS)
    loaded = parse_units((await runner.run_checked(host, command)).text)
    return {name: loaded.get(name, UnitState()) for name in existing}


def state_of(states: Mapping[str, UnitState], name: str) -> UnitState:
    """The unit of an agent among those that `unit_states` returned."""
    return states.get(container_of(name), UnitState())


def is_up(states: Mapping[str, UnitState], name: str) -> bool:
    """Whether the container of an agent is up by what `unit_states` returned."""
    return state_of(states, name).is_up


def parse_units(text: str) -> dict[str, UnitState]:
    """Parse what `systemctl show` prints for several units (blocks with an empty line between), by container name."""
    blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n"))
    return {
        block["Id"].removeprefix("container@").removesuffix(".service"): parse_unit(block)
        for block in blocks
        if block.get("Id", "").startswith("container@")
    }


def parse_unit(properties: Mapping[str, str]) -> UnitState:
    """The state in the properties of one unit; what is missing or not accounted is None."""
    active, sub = properties.get("ActiveState", "inactive"), properties.get("SubState", "dead")
    since = _time(properties.get("ActiveEnterTimestamp", ""))
    return UnitState(
        state=_STATES.get(active, AgentState.STOPPED),
        active=active,
        sub=sub,
        memory_bytes=_number(properties.get("MemoryCurrent")),
        cpu_nanoseconds=_number(properties.get("CPUUsageNSec")),
        tasks=_number(properties.get("TasksCurrent")),
        since=since if active == "active" else None,
        restarts=_number(properties.get("NRestarts")) or 0,
        main_pid=_number(properties.get("MainPID")) or None,
        changed=_time(properties.get("StateChangeTimestamp", "")),
        result=properties.get("Result", ""),
    )


def _time(text: str) -> datetime | None:
    """The moment that systemd prints as "@" and seconds; None for never."""
    seconds = _number(text.removeprefix("@"))
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    value = int(text)
    return None if value >= _UNSET else value
