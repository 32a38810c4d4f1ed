"""How an agent ends without anybody having stopped it: by an error, or because it takes too much memory.

After an error its unit is started again, as systemd does with Restart=on-failure: the process waits, and becomes a new
agent by exec, so that it keeps its PID, which the container of a real host does not. An agent that exceeds MemoryMax
is killed, as by the kernel, and its unit stays failed. The process does both to itself, in place of systemd, which an
embedded host does not have; so it needs the unit's lock, and whoever stops the unit meanwhile wins.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from hivetui.embedded import journal, units
from hivetui.embedded.layout import Layout
from hivetui.embedded.units import Unit
from hivetui.engine.host.procfs import process_stat

AGAIN = "again"
"""What an agent has in place of a descriptor when it was started again."""
RESTART_SECONDS = 0.1
"""RestartSec= as systemd has it by default (systemd.service(5))."""


def exceeds_memory(layout: Layout, container: str) -> bool:
    """Whether this process has more resident memory than its unit may have now."""
    limit = units.size_in_bytes(units.read(layout, container).memory_max)
    stat = process_stat(os.getpid())
    return limit is not None and stat is not None and stat.resident_pages * os.sysconf("SC_PAGE_SIZE") > limit


def die_of_memory(layout: Layout, container: str) -> None:
    """Let the unit fail as after the kernel's OOM killer, and be killed."""

    def fail(unit: Unit) -> Unit:
        message = f"{unit.name}: A process of this unit has been killed by the OOM killer."
        journal.append(layout, container, message, priority=4)
        return unit._replace(active="failed", sub="failed", result="oom-kill", pid=0, left=units.now())

    _change(layout, container, fail)
    os.kill(os.getpid(), signal.SIGKILL)


def start_again(layout: Layout, container: str) -> None:
    """Let the unit wait for its restart, and become a new agent after that; does not return."""

    def wait(unit: Unit) -> Unit:
        journal.append(layout, container, f"{unit.name}: Failed with result 'exit-code'.", priority=4)
        return unit._replace(
            active="activating",
            sub="auto-restart",
            result="exit-code",
            starter=0,
            entered=0,
            left=units.now(),
            restarts=unit.restarts + 1,
        )

    _change(layout, container, wait)
    time.sleep(RESTART_SECONDS)
    words = [*layout.stand_in("agent"), container, AGAIN]
    os.execv(words[0], words)  # noqa: S606  (no shell is wanted)


def report_restart(layout: Layout, container: str, message: str) -> None:
    """Write how the start after a restart ended: "READY", or why it failed."""

    def end_start(unit: Unit) -> Unit:
        if message == "READY":
            journal.append(layout, container, f"Started Container '{container}'.")
            return unit._replace(active="active", sub="running", result="success", entered=units.now())
        journal.append(layout, container, message, priority=3, identifier=f"container {container}")
        return unit._replace(active="failed", sub="failed", result="exit-code", pid=0, left=units.now())

    handler = signal.getsignal(signal.SIGTERM)
    _change(layout, container, end_start)
    signal.signal(signal.SIGTERM, handler)


def _change(layout: Layout, container: str, change: Callable[[Unit], Unit]) -> None:
    """Change the state of the unit of this process; ends it if the unit is being stopped, or not its own any more.

    From here on SIGTERM ends it at once: whoever stops the unit has its lock, and waits for this process.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if units.read(layout, container).active == "deactivating":  # and SIGTERM came before that
        sys.exit(0)
    with units.lock(layout, container):
        unit = units.read(layout, container)
        if unit.pid != os.getpid() or unit.active not in ("active", "activating"):
            sys.exit(0)
        units.write(layout, change(unit))
