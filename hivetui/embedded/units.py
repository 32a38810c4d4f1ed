"""The units `container@NAME.service` of an embedded host: their state on disk, starting and stopping them.

A stopped unit has no state but, after a failure, one small file. An active unit is one process, identified by its PID
and its start time, so that another process with the same PID is not mistaken for it. Whatever the file says, a unit
whose process is gone has failed or, if it was being stopped, has stopped. Nobody is there to write down when a process
is killed, so an agent renews the time of its state file as long as it lives, and that is when it was last alive.

Simpler than systemd: an agent that ends with an error is started again (`self_ending`), but one that is killed stays
failed; there is no start limit, and nothing starts at boot.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple

from hivetui.embedded import journal
from hivetui.embedded.files import locked, read_conf, read_json, write_json
from hivetui.embedded.layout import Layout
from hivetui.engine.host.procfs import process_stat

BOOT = b"b"
"""What an agent reads before it boots: a process that no unit names, as its starter was killed, never listens."""
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Unit(NamedTuple):
    """The state of one unit, as it is in its file.

    Times are µs since the epoch, 0 for never. `born` is the start time of the process `pid` in clock ticks since boot.
    `starter` is the process that starts the agent, and its parent; 0 once the agent is ready.
    """

    container: str
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    pid: int = 0
    born: str = ""
    starter: int = 0
    entered: int = 0
    left: int = 0
    changed: int = 0
    invocation: str = ""
    restarts: int = 0
    memory_max: str = "infinity"
    cpu_quota: str = ""

    @property
    def name(self) -> str:
        """The name of the unit."""
        return f"container@{self.container}.service"


class StartFailed(Exception):
    """The unit did not start; the text is for the journal."""


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1000


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when there is no such process."""
    stat = process_stat(pid)
    return str(stat.started) if stat is not None and stat.is_running else ""


def is_running(unit: Unit) -> bool:
    """Whether the process of the unit still runs."""
    return unit.pid > 0 and unit.born != "" and start_time(unit.pid) == unit.born


def state_file(layout: Layout, container: str) -> Path:
    """The file with the state of a unit."""
    return layout.units / f"{container}.json"


def read(layout: Layout, container: str) -> Unit:
    """The unit as it is now."""
    saved = read_json(state_file(layout, container))
    if not saved:
        memory, quota = limits(layout, container)
        return Unit(container, memory_max=memory, cpu_quota=quota)
    unit = Unit(**saved)
    if unit.active in ("inactive", "failed"):
        return unit
    if is_running(unit):
        return _finish_start(unit)
    if unit.active == "deactivating":
        return unit._replace(active="inactive", sub="dead", pid=0)
    died = max(unit.changed, _last_alive(layout, container))
    return unit._replace(active="failed", sub="failed", result="signal", pid=0, changed=died, left=died)


def show_life(layout: Layout, container: str) -> None:
    """Renew the time of the state file of a unit, for `read`; nothing without one."""
    with suppress(OSError):
        os.utime(state_file(layout, container))


def _last_alive(layout: Layout, container: str) -> int:
    """When the agent of a unit last said that it is alive, in µs since the epoch; 0 if that is not known."""
    try:
        return state_file(layout, container).stat().st_mtime_ns // 1000
    except FileNotFoundError:  # replaced or removed since it was read
        return 0


def _finish_start(unit: Unit) -> Unit:
    """The unit; active if its start has lost the systemctl that waited for it: systemd goes on without one."""
    is_starting = unit.active == "activating" and unit.starter > 0  # without one: it waits for its restart
    stat = process_stat(unit.pid) if is_starting else None
    if stat is None or stat.parent == unit.starter:
        return unit
    return unit._replace(active="active", sub="running", entered=unit.changed)


def write(layout: Layout, unit: Unit) -> Unit:
    """Write the state; that of an inactive unit is removed, as systemd unloads it."""
    unit = unit._replace(changed=now())
    if unit.active == "inactive":
        state_file(layout, unit.container).unlink(missing_ok=True)
    else:
        write_json(state_file(layout, unit.container), unit._asdict())
    return unit


def loaded(layout: Layout) -> list[Unit]:
    """Every unit that is not inactive, by name."""
    names = sorted(path.stem for path in layout.units.glob("*.json") if not path.name.startswith("."))
    return [unit for unit in (read(layout, name) for name in names) if unit.active != "inactive"]


def limits(layout: Layout, container: str) -> tuple[str, str]:
    """MemoryMax and CPUQuota as the drop-ins set them."""
    values = {"MemoryMax": "infinity", "CPUQuota": ""}
    for path in layout.drop_ins(container):
        values.update({name: value for name, value in read_conf(path).items() if name in values})
    return values["MemoryMax"], values["CPUQuota"]


def size_in_bytes(written: str) -> int | None:
    """A limit such as 512M in bytes; None for "infinity"."""
    number, unit = written.rstrip("KMGT"), written.lstrip("0123456789")
    return int(number) * _SIZES[unit] if number.isdecimal() and unit in _SIZES else None


def daemon_reload(layout: Layout) -> None:
    """Read the limits of every loaded unit again."""
    for unit in loaded(layout):
        with lock(layout, unit.container):
            unit = read(layout, unit.container)
            memory, quota = limits(layout, unit.container)
            if unit.active != "inactive" and (memory, quota) != (unit.memory_max, unit.cpu_quota):
                write(layout, unit._replace(memory_max=memory, cpu_quota=quota))


def start(layout: Layout, container: str) -> bool:
    """Start the unit, and return when its agent is ready (as with Type=notify); False when it failed."""
    with lock(layout, container):
        unit = read(layout, container)
        if unit.active == "active" and not unit.starter:
            return True
        if unit.pid:  # a systemctl was killed while it started or stopped this one
            end_process(unit)
        memory, quota = limits(layout, container)
        unit = Unit(
            container, "activating", "start", memory_max=memory, cpu_quota=quota, invocation=os.urandom(16).hex()
        )
        journal.append(layout, container, f"Starting Container '{container}'...")
        return _start_agent(layout, unit)


def _start_agent(layout: Layout, unit: Unit) -> bool:
    """Start the agent, and write the state that results."""
    try:
        unit = _spawn(layout, unit)
    except StartFailed as failure:
        journal.append(layout, unit.container, str(failure), priority=3, identifier=f"container {unit.container}")
        journal.append(layout, unit.container, f"Failed to start Container '{unit.container}'.", priority=3)
        write(layout, unit._replace(active="failed", sub="failed", result="exit-code", left=now()))
        return False
    unit = unit._replace(active="active", sub="running", starter=0, entered=now())
    try:
        write(layout, unit)
    except OSError:  # nothing would ever stop a process that no unit names
        end_process(unit)
        raise
    journal.append(layout, unit.container, f"Started Container '{unit.container}'.")
    return True


def lock(layout: Layout, container: str) -> AbstractContextManager[None]:
    """Hold the lock of a unit, which whoever changes its state needs."""
    return locked(layout.units / f".{container}.lock")


def start_problem(layout: Layout, container: str) -> str | None:
    """Why systemd-nspawn would not start this container, or None."""
    conf = read_conf(layout.conf(container))
    if not conf:
        return f"Directory {layout.state / container} doesn't look like an OS root directory: no configuration."
    for flag in conf.get("EXTRA_NSPAWN_FLAGS", "").split():
        option, _, mount = flag.partition("=")
        source = mount.partition(":")[0]
        if option in ("--bind", "--bind-ro") and not Path(source).exists():
            return f"Failed to stat {source}: No such file or directory"
    if not (layout.profile(container) / "init").exists():
        return f"execv({layout.profile(container)}/init) failed: No such file or directory"
    return None


def _spawn(layout: Layout, unit: Unit) -> Unit:
    """Start the agent's process in a session of its own, and wait until it is ready; the unit with the process."""
    import subprocess  # takes 5 ms, which `systemctl show` does without

    if why := start_problem(layout, unit.container):
        raise StartFailed(why)
    (layout.state / unit.container).mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with (layout.units / f".{unit.container}.stderr").open("wb") as errors:
        process = subprocess.Popen(
            [*layout.stand_in("agent"), unit.container, str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[writing],
            start_new_session=True,
            cwd="/",
            env={},
        )
    os.close(writing)
    unit = unit._replace(pid=process.pid, born=start_time(process.pid), starter=os.getpid())
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as permission:  # an agent that has ended says so below
            write(layout, unit)
            permission.write(BOOT)
    message = _read_start_message(reading)
    if message == "READY":
        return unit
    process.kill()
    process.wait()
    raise StartFailed(message or "The container's init ended before it was ready.")


def _read_start_message(fd: int) -> str:
    """What the agent wrote about its start: READY, or why it failed."""
    text, deadline = b"", time.monotonic() + START_SECONDS
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = pipe.read(4096)
            if not part:
                return text.decode("utf-8", "surrogateescape").strip()
            text += part
    return f"Start operation timed out after {START_SECONDS:.0f} s."


def stop(layout: Layout, container: str) -> None:
    """Stop the unit (SIGTERM, then SIGKILL), and return when its process is gone. A failed unit stays failed."""
    with lock(layout, container):
        unit = read(layout, container)
        if unit.active not in ("active", "activating", "deactivating"):
            return
        journal.append(layout, container, f"Stopping Container '{container}'...")
        with suppress(OSError):  # a full disk must not keep the process running
            write(layout, unit._replace(active="deactivating", sub="stop-sigterm"))
        end_process(unit)
        write(layout, unit._replace(active="inactive", sub="dead", pid=0))
        journal.append(layout, container, f"Stopped Container '{container}'.")


def end_process(unit: Unit) -> None:
    """End the unit's process, and wait until it is gone."""
    try:
        handle = os.pidfd_open(unit.pid)
    except ProcessLookupError:
        return
    try:
        if not is_running(unit):
            return
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], seconds)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def stop_all(layout: Layout) -> None:
    """Stop every unit of the host."""
    for unit in loaded(layout):
        stop(layout, unit.container)


def reset_failed(layout: Layout, container: str) -> None:
    """Make a failed unit inactive."""
    with lock(layout, container):
        unit = read(layout, container)
        if unit.active == "failed":
            write(layout, unit._replace(active="inactive", sub="dead", result="success"))
