"""The console of a demo: it appears at once, and the demo starts behind it.

Only the console is imported before the first frame.
"""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hivetui import app
from hivetui.engine import forced_exit, tool_messages
from hivetui.engine.model.binary import quote_output
from hivetui.engine.model.names import MANAGER

from . import home

if TYPE_CHECKING:
    from hivetui.engine.api import Hive

_END_SECONDS = 30.0
_LAST_LINES = 20


class StageProcess:
    """The stage as a child process, which runs for as long as its standard input is open."""

    def __init__(self, folder: Path, keep: bool) -> None:
        self._folder, self._keep = folder, keep
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `end`)

    def start(self) -> None:
        """Start it in a session of its own, so that no signal of the terminal reaches it."""
        argv = [sys.executable, "-P", "-m", "hivetui.demo.stage", str(self._folder), *(["--keep"] * self._keep)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors, start_new_session=True
        )

    def end(self) -> str:
        """End it, and wait until its agents have ended too; the end of its standard error if it failed, else empty."""
        with self._errors:
            if self._process is None:
                return ""
            assert self._process.stdin is not None
            self._process.stdin.close()
            status = self._process.wait(_END_SECONDS)
            self._errors.seek(0)
            lines = quote_output(self._errors.read()).splitlines()
        return "\n".join(lines[-_LAST_LINES:]) if status else ""


async def _tell_of_taken_ports(folder: Path, hive: Hive) -> None:
    """Whoever opens a demo beside another hive is told why agents do not start: their operations alone would say it."""
    taken_ports = await asyncio.to_thread(importlib.import_module, "hivetui.demo.taken_ports")
    states = {agent.name: agent.state for agent in await hive.agents()}
    agents = {name for name in (*states, MANAGER) if states.get(name) != "kept"}
    if (text := await asyncio.to_thread(taken_ports.describe_taken, folder, agents)) is not None:
        tool_messages.pass_on([text])


def run(keep: str | None) -> int:
    """Run the console on a demo; its exit status."""
    with home.home(keep) as folder:
        stage = StageProcess(folder, bool(keep))

        async def opened() -> Hive:
            stage.start()
            opening = await asyncio.to_thread(importlib.import_module, "hivetui.demo.stage")
            found: Hive = await opening.open_hive(folder)
            await _tell_of_taken_ports(folder, found)
            return found

        try:
            words = [sys.executable, "-P", "-m", "hivetui", "--embedded", str(folder), "shell"]
            status = app.run(
                opened, kill_children=forced_exit.kill_children, shell_command=lambda agent: [*words, agent]
            )
        finally:
            print("Stopping the agents of the demo …", flush=True)
            if errors := stage.end():
                print(f"The demo process failed:\n{errors}", file=sys.stderr)
        if keep:
            print(f"The hive is kept in {folder}. To open it again: hivetui demo --keep {folder}")
    return status
