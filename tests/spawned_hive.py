"""An embedded hive whose agents were spawned once and which is put back to that moment for each test.

A spawn takes seconds, a copy of its result a tenth of one. The copy goes to the path where the original was, since
lock files and profiles of a hive hold absolute paths.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hivetui import cli
from hivetui.embedded import remove_embedded, units
from hivetui.embedded.layout import Layout
from hivetui.engine.model import names
from tests.free_names import keep_ports
from tests.warm.programs import use_warm_workers


class SpawnedHive:
    """A hive in `folder`, which does not exist yet, with these agents."""

    def __init__(self, folder: Path, agents: list[str]) -> None:
        self.folder, self.agents = folder, agents
        self._layout = Layout(folder)
        self._kept = folder.with_name(f"{folder.name}.spawned")

    def spawn(self) -> None:
        """Spawn the agents and keep the result. The variables of the environment are those that count at creation."""
        keep_ports(self.agents)
        use_warm_workers()
        try:
            for name in self.agents:
                assert cli.main(["--embedded", str(self.folder), "spawn", name]) == 0
        finally:
            units.stop_all(self._layout)
        self.folder.rename(self._kept)

    @contextmanager
    def restored(self) -> Iterator[Path]:
        """The hive as it was, with its agents running; whatever runs in it at the end is ended."""
        try:
            shutil.copytree(self._kept, self.folder, symlinks=True)
            for name in self.agents:
                _start(self._layout, names.container_of(name))
            yield self.folder
        finally:
            _end_processes_of(self.folder)
            remove_embedded(self.folder)


def _start(layout: Layout, container: str) -> None:
    """In a process that ends, so that the agent is not a child of the tests."""
    subprocess.run([*layout.stand_in("systemctl"), "start", f"container@{container}.service"], check=True)


def _end_processes_of(folder: Path) -> None:
    """Kill what has a path of the folder in its command line: agents, and what a killed operation left running."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(folder) in (path / "cmdline").read_bytes() and int(path.name) != os.getpid():
                _kill(int(path.name))


def _kill(pid: int) -> None:
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [])
    finally:
        os.close(process)
