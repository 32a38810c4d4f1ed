"""The containers of a host: their configuration and limits, what nixos-container does with them, and their units.

A configuration is an environment file of systemd that is also expanded unquoted into the argv of systemd-nspawn, so
nothing unchecked is written into one. A running container is never reloaded: that runs its own programs on the host.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from hivetui.engine.host import files, runner, scratch
from hivetui.engine.host.host import Command, Host, Progress
from hivetui.engine.host.paths import Paths
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import BadConfiguration, CommandFailed, NotFound, OperationFailed, Unavailable
from hivetui.engine.model.names import check, container_of
from hivetui.engine.model.settings import LimitsSection
from hivetui.engine.nix import nix

_OPEN_NETWORK = {
    "PRIVATE_NETWORK": "0",
    "HOST_ADDRESS": "",
    "LOCAL_ADDRESS": "",
    "HOST_ADDRESS6": "",
    "LOCAL_ADDRESS6": "",
    "HOST_BRIDGE": "",
}
_FLAGS = "EXTRA_NSPAWN_FLAGS"
_ASSIGNMENT = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=")
_PLAIN_PATH = re.compile(
    r"/[A-Za-z0-9_./+@-]*", re.ASCII
)  # no blank, quote, $, \ or : that another reader would expand
_PROPERTIES = (
    "Id",
    "ActiveState",
    "SubState",
    "MemoryCurrent",
    "CPUUsageNSec",
    "TasksCurrent",
    "ActiveEnterTimestamp",
    "NRestarts",
    "MainPID",
)
_UNSET = 2**64 - 1  # what systemd has for a value that it does not account (CGROUP_LIMIT_MAX, and UINT64_MAX for time)
_STATES = {
    "active": AgentState.RUNNING,
    "reloading": AgentState.RUNNING,
    "activating": AgentState.STARTING,
    "deactivating": AgentState.STOPPING,
    "failed": AgentState.FAILED,
}
_LOOK_SECONDS = 0.5  # between two looks at a unit or a machine
_FORGET_SECONDS = 15.0  # for machined to forget the name of a container that has stopped
_TOLD_LINES = 12  # of a journal in an error
_STARTING = re.compile(r"Starting .*[Cc]ontainer\b")  # systemd's word of a unit with such a description
_CAUSE = re.compile(r"(?i)\b(?:panic|error|fatal|no such|cannot|could not|denied|broken)\b")


@dataclass(frozen=True)
class UnitState:
    """What systemd tells of a container's unit; the default is what an unloaded unit is.

    `cpu_nanoseconds` is what it used since it came up, at `since`. Values that systemd does not have are None.
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

    @property
    def up(self) -> bool:
        """Whether something of it runs, or will without anyone asking."""
        return self.state not in (AgentState.STOPPED, AgentState.FAILED)


def containers(host: Host) -> list[str]:
    """The names of all containers of the host by their configurations, sorted; also those the engine did not make."""
    with files.translate_os_errors(f"{host.paths.containers} could not be read"):
        return sorted(path.stem for path in host.paths.containers.glob("*.conf"))


def engine_values(paths: Paths, name: str) -> dict[str, str]:
    """The keys that the engine owns in the configuration of an agent, each with its value as it is written."""
    return _OPEN_NETWORK | {_FLAGS: f'"{" ".join(_bind_flags(paths, name))}"'}


def _bind_flags(paths: Paths, name: str) -> Iterator[str]:
    """The flags of systemd-nspawn (systemd-nspawn(1), --bind) for the mounts of an agent."""
    for mount in paths.mounts(check(name)):
        if not _PLAIN_PATH.fullmatch(mount.source) or not _PLAIN_PATH.fullmatch(mount.inside):
            raise BadConfiguration(
                f"{mount.source!r} cannot be mounted into a container",
                "such a path has letters, digits and / . _ + @ - and nothing else",
                "Put the hive into another folder.",
            )
        yield f"--bind{'-ro' if mount.read_only else ''}={mount.source}:{mount.inside}"


def rewrite_conf(text: bytes, values: Mapping[str, str]) -> bytes:
    """`text` with these keys set to these values, in place where they are and at the end where they are missing.

    Every other byte stays. An assignment may go over several lines, by quotes or by a backslash before the end of a
    line (systemd.exec(5), EnvironmentFile=); what looks like a key inside of one is none. The missing keys come before
    a last entry that has no end, which would take them in.
    """
    entries = [(_key(entry), entry) for entry in _entries(text)]
    found = {key for key, _ in entries}
    kept = [_assignment(key, values[key]) if key in values else entry for key, entry in entries]
    torn = [kept.pop()] if kept and _goes_on(kept[-1].decode("latin-1").removesuffix("\n")) else []
    missing = [_assignment(key, value) for key, value in values.items() if key not in found]
    if missing and kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\n")
    return b"".join(kept + missing + torn)


def _assignment(key: str, value: str) -> bytes:
    return f"{key}={value}\n".encode()


def _key(entry: bytes) -> str:
    found = _ASSIGNMENT.match(entry.decode("latin-1"))
    return found[1] if found else ""


def _entries(text: bytes) -> Iterator[bytes]:
    """The assignments, comments and empty lines of an environment file, each with the end of its last line."""
    entry = b""
    for line in BytesIO(text):
        entry += line
        if not _goes_on(entry.decode("latin-1").removesuffix("\n")):
            yield entry
            entry = b""
    if entry:
        yield entry


def _goes_on(entry: str) -> bool:
    """Whether the next line belongs to this entry too, by the rules of systemd's parse_env_file (env-file.c).

    A quote opens only where a value, or a further part of it, begins.
    """
    found = _ASSIGNMENT.match(entry)
    if not found:
        return entry.lstrip(" \t")[:1] in ("#", ";") and (len(entry) - len(entry.rstrip("\\"))) % 2 == 1
    state, escaped = "begin", False
    for char in entry[found.end() :]:
        if escaped:
            escaped = False
        elif char == "\\" and state != "'":
            escaped, state = True, "plain" if state == "begin" else state
        else:
            state = _next_state(state, char)
    return escaped or state in ('"', "'")


def _next_state(state: str, char: str) -> str:
    """The state of an assignment's value after one more character: begin, plain, or the quote that is open."""
    if state == "begin":
        return char if char in ('"', "'") else "begin" if char in " \t" else "plain"
    if state in ('"', "'"):
        return "begin" if char == state else state
    return state


def write_conf(host: Host, name: str) -> bool:
    """Set the engine's keys in the configuration of an agent's container; whether that changed a byte.

    NotFound without a container, OperationFailed for one that the host's own configuration declares.
    """
    path = host.paths.conf(check(name))
    before = _conf(path, name)
    after = rewrite_conf(before, engine_values(host.paths, name))
    if after != before:
        files.replace(path, after)
    return after != before


def _conf(path: Path, name: str) -> bytes:
    if path.is_symlink():
        raise OperationFailed(
            f"The container {container_of(name)} is declared in the host's own configuration",
            f"{path} is a link",
            "Remove it there and rebuild the host, or use another name.",
        )
    if not path.exists():
        raise NotFound(
            f"There is no container {container_of(name)}", f"{path} is missing", f"Make it: hivetui spawn {name}"
        )
    with files.translate_os_errors(f"{path} could not be read"):
        return path.read_bytes()


def limits_text(limits: LimitsSection) -> bytes:
    """The drop-in with the limits of a container (systemd.resource-control(5))."""
    return f"[Service]\nMemoryMax={limits.memory_max}\nCPUQuota={limits.cpu_quota}\n".encode()


async def write_limits(host: Host, progress: Progress, name: str) -> None:
    """Write the drop-in of an agent's container, and have systemd read it."""
    path = host.paths.limits(check(name))
    files.make_directory(path.parent)
    files.replace(path, limits_text(host.settings.limits_of(name)))
    await progress.run(_systemctl(host, "daemon-reload"))


def drifted_files(host: Host, name: str, running: bool = True) -> tuple[Path, ...]:
    """The files of an agent's container that are not as the engine would write them.

    The limits of a stopped one may be missing: a reboot of the host takes them, a start makes them again.
    """
    conf, limits = host.paths.conf(check(name)), host.paths.limits(name)
    text = _conf(conf, name)
    found = [] if rewrite_conf(text, engine_values(host.paths, name)) == text else [conf]
    there = limits.read_bytes() if limits.exists() else None
    expected = (
        (limits_text(host.settings.limits_of(name)),) if running else (limits_text(host.settings.limits_of(name)), None)
    )
    return tuple(found + ([] if there in expected else [limits]))


# What nixos-container does


def _nixos_container(host: Host, *args: str, cwd: Path | None = None, timeout: float | None = 300.0) -> Command:
    return Command((*host.tools.nixos_container, *args), cwd=cwd, timeout=timeout)


def _systemctl(host: Host, *args: str) -> Command:
    return Command((*host.tools.systemctl, *args), timeout=300.0)


def _unit(name: str) -> str:
    return f"container@{container_of(name)}.service"


def build_arguments(action: str, paths: Paths, name: str) -> tuple[str, ...]:
    """The arguments of `nixos-container create` and `update` for an agent as meta has it locked."""
    flake = f"{paths.meta}#{name}"
    return (action, container_of(check(name)), "--flake", flake, *nix.SAFETY, "--no-update-lock-file")


async def create(host: Host, progress: Progress, name: str) -> Path:
    """Make the container of an agent from meta; its system. OperationFailed when it then has no system."""
    await _build(host, progress, name, "create")
    system = system_of(host, name)
    if system is None:
        raise OperationFailed(f"The new container {container_of(name)} has no system", "its profile is missing", "")
    return system


async def update(host: Host, progress: Progress, name: str, expected: Path) -> None:
    """Put the system that meta has for an agent into its stopped container; OperationFailed unless it is `expected`."""
    await _build(host, progress, name, "update")
    _expect(host, name, expected)


async def set_profile(host: Host, progress: Progress, name: str, system: Path) -> None:
    """Put exactly this system into the stopped container of an agent; OperationFailed when it did not take."""
    files.make_directory(host.paths.profile(check(name)).parent)
    await nix.set_profile(host, progress, host.paths.profile(name), system)
    _expect(host, name, system)


def _expect(host: Host, name: str, expected: Path) -> None:
    found = system_of(host, name)
    if found != expected:
        raise OperationFailed(
            f"The container {container_of(name)} has not the system that was built for it",
            f"its profile holds {found}, expected {expected}",
            f"Rebuild it: hivetui rebuild {name}",
        )


async def _build(host: Host, progress: Progress, name: str, action: str) -> None:
    timeout = float(host.settings.deploy.build_timeout)
    with scratch.scratch_directory(host.paths) as folder:
        arguments = build_arguments(action, host.paths, name)
        await progress.run(_nixos_container(host, *arguments, cwd=folder, timeout=timeout))


def system_of(host: Host, name: str) -> Path | None:
    """The store path that the container's profile holds, or None without one.

    The profile is a link to a generation beside it, and that one a link into the store.
    """
    link = host.paths.profile(check(name))
    for _ in range(3):
        try:
            target = link.parent / link.readlink()
        except OSError:
            return None
        if target.parent != link.parent:
            return target
        link = target
    return None


async def start(host: Host, progress: Progress, name: str) -> None:
    """Start the container; it returns when the guest has booted. CommandFailed when that fails."""
    await _reset_failed(host, name)  # else systemd refuses after five starts in ten seconds
    await progress.run(_nixos_container(host, "start", container_of(check(name))))


async def stop(host: Host, progress: Progress, name: str) -> None:
    """Stop the container, and wait until its name is free again; a stopped one is no error."""
    await progress.run(_nixos_container(host, "stop", container_of(check(name))))
    await _reset_failed(host, name)
    await _forgotten(host, name)


async def destroy(host: Host, progress: Progress, name: str) -> None:
    """Stop and remove the container and its drop-in; what is missing is no error."""
    path = host.paths.conf(check(name))
    if path.exists():
        _conf(path, name)
        with suppress(CommandFailed):  # what does not stop is ended by the destroy itself
            await stop(host, progress, name)
    await progress.run(_nixos_container(host, "destroy", container_of(name)))
    await _drop_limits(host, progress, name)
    await _reset_failed(host, name)


async def _drop_limits(host: Host, progress: Progress, name: str) -> None:
    path = host.paths.limits(name)
    if not path.exists():
        return
    files.remove(path)
    with suppress(OSError):  # another drop-in keeps the folder
        path.parent.rmdir()
    await progress.run(_systemctl(host, "daemon-reload"))


async def _reset_failed(host: Host, name: str) -> None:
    """Forget earlier failures of the unit. It is refused for a unit that is not loaded, which has none."""
    await host.runner.run(_systemctl(host, "reset-failed", _unit(name)))


async def _forgotten(host: Host, name: str) -> None:
    """Wait until machined no longer knows the container: a start before that is refused by systemd-nspawn."""
    command = Command((*host.tools.machinectl, "show", container_of(name), "--property=State"), timeout=30.0)
    end = asyncio.get_running_loop().time() + _FORGET_SECONDS
    with suppress(Unavailable):
        while (await host.runner.run(command)).status == 0:
            if asyncio.get_running_loop().time() > end:
                raise OperationFailed(
                    f"The container {container_of(name)} has stopped, but its machine is still there",
                    f"machinectl still knows it after {_FORGET_SECONDS:g} seconds",
                    f"Look at: machinectl status {container_of(name)}",
                )
            await asyncio.sleep(_LOOK_SECONDS)


# Units


async def unit_states(host: Host) -> dict[str, UnitState]:
    """The unit of every container, by the *container's* name, with one call for all; one not loaded is stopped.

    systemd remembers the failure of a container that is gone; such a unit is left out, unless something of it runs.
    """
    command = _systemctl(
        host, "show", "container@*", f"--property={','.join(_PROPERTIES)}", "--timestamp=unix", "--no-pager"
    )
    completed = await runner.run_checked(host, command)
    found = {name: UnitState() for name in containers(host)}
    told = parse_units(completed.text).items()
    return found | {name: unit for name, unit in told if unit.up or name in found}


def is_up(states: Mapping[str, UnitState], name: str) -> bool:
    """Whether the container of an agent runs, by a sweep."""
    return states.get(container_of(name), UnitState()).up


def parse_units(text: str) -> dict[str, UnitState]:
    """What `systemctl show` printed for several units (a block each, an empty line between), by container name."""
    blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n"))
    return {
        block["Id"].removeprefix("container@").removesuffix(".service"): parse_unit(block)
        for block in blocks
        if block.get("Id", "").startswith("container@")
    }


def parse_unit(block: Mapping[str, str]) -> UnitState:
    """One unit's properties as a value; what is missing or not set is None."""
    active, sub = block.get("ActiveState", "inactive"), block.get("SubState", "dead")
    since = _number(block.get("ActiveEnterTimestamp", "").removeprefix("@"))
    return UnitState(
        state=_STATES.get(active, AgentState.STOPPED),
        active=active,
        sub=sub,
        memory_bytes=_number(block.get("MemoryCurrent")),
        cpu_nanoseconds=_number(block.get("CPUUsageNSec")),
        tasks=_number(block.get("TasksCurrent")),
        since=datetime.fromtimestamp(since, UTC) if since and active == "active" else None,
        restarts=_number(block.get("NRestarts")) or 0,
        main_pid=_number(block.get("MainPID")) or None,
    )


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    value = int(text)
    return None if value >= _UNSET else value


async def start_and_verify(host: Host, progress: Progress, name: str, seconds: float) -> None:
    """Start the container and see that it stays up for `seconds`; else OperationFailed with the end of its log."""
    try:
        await start(host, progress, name)
    except CommandFailed as error:
        raise await _did_not_come_up(host, name, error.what) from error
    first = await _state(host, name)
    end = asyncio.get_running_loop().time() + seconds
    while True:
        now = await _state(host, name)
        if now.active != "active" or now.restarts != first.restarts or now.main_pid != first.main_pid:
            raise await _did_not_come_up(host, name, f"it came up and did not stay: {now.active} ({now.sub})")
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return
        await asyncio.sleep(min(_LOOK_SECONDS, left))


async def _state(host: Host, name: str) -> UnitState:
    return (await unit_states(host)).get(container_of(name), UnitState())


async def _did_not_come_up(host: Host, name: str, why: str) -> OperationFailed:
    lines = _of_this_start(await _last_lines(host, name))
    cause = [line.strip() for line in lines if _CAUSE.search(line)][-1:]
    told = "\n".join((*cause, why, *(f"  {line}" for line in lines)))
    return OperationFailed(
        f"The container {container_of(name)} did not come up", told, f"Look at its log: hivetui logs {name}"
    )


def _of_this_start(lines: list[str]) -> list[str]:
    """Without what the container said before it was started this time, where that is among the lines."""
    starts = [number for number, line in enumerate(lines) if _STARTING.match(line)]
    return lines[starts[-1] :] if starts else lines


async def _last_lines(host: Host, name: str) -> list[str]:
    """The end of the container's journal; nothing when it cannot be read, since another failure is being told."""
    arguments = ("-u", _unit(name), "-n", str(_TOLD_LINES), "-o", "cat", "--no-pager", "--quiet")
    with suppress(Unavailable):
        completed = await host.runner.run(Command((*host.tools.journalctl, *arguments), timeout=30.0))
        return completed.text.splitlines() if completed.status == 0 else []
    return []
