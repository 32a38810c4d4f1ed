"""The units `container@NAME.service` of an embedded host: their state on disk, starting and stopping them.

A unit that is stopped costs nothing but, after a failure, one small file. A unit that runs is one process, known by
its pid and its start time, so that another process that got the same pid is not taken for it. Whatever the file says,
a unit whose process is gone has failed (or, while it was being stopped, has stopped).

Simpler than systemd: a failed unit stays failed (no Restart=on-failure), there is no start limit, and nothing starts
at boot.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hivetui.embedded import journal
from hivetui.embedded.files import lock, read_conf, read_json, write_json
from hivetui.embedded.layout import Layout
from hivetui.engine.host.procfs import process_stat

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Unit(NamedTuple):
    """The state of one unit. Times are µs since the epoch, 0 for never; `born` is the start time of process `pid`."""

    container: str
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    pid: int = 0
    born: str = ""
    entered: int = 0
    left: int = 0
    changed: int = 0
    invocation: str = ""
    memory_max: str = "infinity"
    cpu_quota: str = ""

    @property
    def name(self) -> str:
        """The unit's own name."""
        return f"container@{self.container}.service"


class StartFailed(Exception):
    """The unit did not come up; the text is for the journal."""


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1000


def born(pid: int) -> str:
    """When a process started, in ticks since boot; empty for none."""
    stat = process_stat(pid)
    return str(stat.started) if stat is not None and stat.is_running else ""


def alive(unit: Unit) -> bool:
    """Whether the very process that the unit names still runs."""
    return unit.pid > 0 and unit.born != "" and born(unit.pid) == unit.born


def state_file(layout: Layout, container: str) -> Path:
    """Where the state of a unit is."""
    return layout.units / f"{container}.json"


def read(layout: Layout, container: str) -> Unit:
    """The unit as it is now."""
    saved = read_json(state_file(layout, container))
    if not saved:
        memory, quota = limits(layout, container)
        return Unit(container, memory_max=memory, cpu_quota=quota)
    unit = Unit(**saved)
    if unit.active in ("inactive", "failed") or alive(unit):
        return unit
    if unit.active == "deactivating":
        return unit._replace(active="inactive", sub="dead", pid=0)
    return unit._replace(active="failed", sub="failed", result="signal", pid=0)


def write(layout: Layout, unit: Unit) -> Unit:
    """Keep the state; an inactive unit is forgotten, as systemd unloads it."""
    unit = unit._replace(changed=now())
    if unit.active == "inactive":
        state_file(layout, unit.container).unlink(missing_ok=True)
    else:
        write_json(state_file(layout, unit.container), unit._asdict())
    return unit


def loaded(layout: Layout) -> list[Unit]:
    """Every unit that runs, changes or has failed, by name."""
    names = sorted(path.stem for path in layout.units.glob("*.json") if not path.name.startswith("."))
    return [unit for unit in (read(layout, name) for name in names) if unit.active != "inactive"]


def limits(layout: Layout, container: str) -> tuple[str, str]:
    """MemoryMax and CPUQuota of the drop-ins, as written there."""
    values = {"MemoryMax": "infinity", "CPUQuota": ""}
    for path in layout.drop_ins(container):
        values.update({name: value for name, value in read_conf(path).items() if name in values})
    return values["MemoryMax"], values["CPUQuota"]


def daemon_reload(layout: Layout) -> None:
    """Read the limits of every loaded unit again."""
    for unit in loaded(layout):
        held = _hold(layout, unit.container)
        try:
            unit = read(layout, unit.container)
            memory, quota = limits(layout, unit.container)
            if unit.active != "inactive" and (memory, quota) != (unit.memory_max, unit.cpu_quota):
                write(layout, unit._replace(memory_max=memory, cpu_quota=quota))
        finally:
            os.close(held)


def start(layout: Layout, container: str) -> bool:
    """Start the unit and return when its agent is up (as Type=notify does); False when it failed."""
    held = _hold(layout, container)
    try:
        unit = read(layout, container)
        if unit.active == "active":
            return True
        memory, quota = limits(layout, container)
        unit = Unit(
            container, "activating", "start", memory_max=memory, cpu_quota=quota, invocation=os.urandom(16).hex()
        )
        write(layout, unit._replace(pid=os.getpid(), born=born(os.getpid())))
        journal.say(layout, container, f"Starting Container '{container}'...")
        return _come_up(layout, unit)
    finally:
        os.close(held)


def _come_up(layout: Layout, unit: Unit) -> bool:
    """Start the agent; write how it went."""
    try:
        pid = _spawn(layout, unit)
    except StartFailed as failure:
        journal.say(layout, unit.container, str(failure), priority=3, identifier=f"container {unit.container}")
        journal.say(layout, unit.container, f"Failed to start Container '{unit.container}'.", priority=3)
        write(layout, unit._replace(active="failed", sub="failed", result="exit-code", left=now()))
        return False
    unit = unit._replace(active="active", sub="running", pid=pid, born=born(pid), entered=now())
    try:
        write(layout, unit)
    except OSError:  # a process that no unit names would run on for ever
        end_process(unit)
        raise
    journal.say(layout, unit.container, f"Started Container '{unit.container}'.")
    return True


def _hold(layout: Layout, container: str) -> int:
    return lock(layout.units / f".{container}.lock")


def problem(layout: Layout, container: str) -> str | None:
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


def _spawn(layout: Layout, unit: Unit) -> int:
    """Start the agent's process, detached, and wait for its word that it is up."""
    import subprocess

    if why := problem(layout, unit.container):
        raise StartFailed(why)
    (layout.state / unit.container).mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with (layout.units / f".{unit.container}.stderr").open("wb") as errors:
        process = subprocess.Popen(
            [*layout.stand_in("agent"), unit.container, str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[writing],
            start_new_session=True,
            cwd="/",
            env={},
        )
    os.close(writing)
    word = _word(reading)
    if word == "READY":
        return process.pid
    process.kill()
    process.wait()
    raise StartFailed(word or "The container's init ended before it was ready.")


def _word(fd: int) -> str:
    """What the agent says about its start: READY, or why not."""
    text, deadline = b"", time.monotonic() + START_SECONDS
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = pipe.read(4096)
            if not part:
                return text.decode(errors="replace").strip()
            text += part
    return f"Start operation timed out after {START_SECONDS:.0f} s."


def stop(layout: Layout, container: str) -> None:
    """Stop the unit and return when its process is gone: TERM, and KILL after a while. A failed one stays failed."""
    held = _hold(layout, container)
    try:
        unit = read(layout, container)
        if unit.active not in ("active", "activating", "deactivating"):
            return
        journal.say(layout, container, f"Stopping Container '{container}'...")
        with suppress(OSError):  # a full disk keeps nothing running
            write(layout, unit._replace(active="deactivating", sub="stop-sigterm"))
        end_process(unit)
        write(layout, unit._replace(active="inactive", sub="dead", pid=0))
        journal.say(layout, container, f"Stopped Container '{container}'.")
    finally:
        os.close(held)


def end_process(unit: Unit) -> None:
    """End the unit's process and its group, and see that it is gone."""
    try:
        handle = os.pidfd_open(unit.pid)
    except ProcessLookupError:
        return
    try:
        if not alive(unit):
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
    """Let a failed unit be an inactive one again."""
    held = _hold(layout, container)
    try:
        unit = read(layout, container)
        if unit.active == "failed":
            write(layout, unit._replace(active="inactive", sub="dead", result="success"))
    finally:
        os.close(held)
