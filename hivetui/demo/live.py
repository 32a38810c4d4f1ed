"""The console on a demo: the screen comes at once, and the stage is set behind it.

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
from hivetui.engine import forced_exit

from . import home

if TYPE_CHECKING:
    from hivetui.engine.api import Hive

_END_SECONDS = 30.0
_LAST_LINES = 20


class StageProcess:
    """The stage as this process holds it: it lives for as long as its standard input is open."""

    def __init__(self, folder: Path, keep: bool) -> None:
        self._folder, self._keep = folder, keep
        self._process: subprocess.Popen[bytes] | None = None
        self._told: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `end`)

    def start(self) -> None:
        """Begin; a session of its own, so that no signal of the terminal reaches it."""
        argv = [sys.executable, "-P", "-m", "hivetui.demo.stage", str(self._folder), *(["--keep"] * self._keep)]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._told, start_new_session=True
        )

    def end(self) -> str:
        """Let it end and wait until all of it is gone; what it said if it failed, else nothing."""
        with self._told:
            if self._process is None:
                return ""
            assert self._process.stdin is not None
            self._process.stdin.close()
            status = self._process.wait(_END_SECONDS)
            self._told.seek(0)
            lines = self._told.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:]) if status else ""


def run(keep: str | None) -> int:
    """Run the console on a demo to its end; its exit status."""
    with home.home(keep) as folder:
        stage = StageProcess(folder, bool(keep))

        async def opened() -> Hive:
            stage.start()
            opening = await asyncio.to_thread(importlib.import_module, "hivetui.demo.stage")
            found: Hive = await opening.open_hive(folder)
            return found

        try:
            status = app.run(opened, kill_children=forced_exit.kill_children)
        finally:
            print("The agents of the demo end …", flush=True)
            if trouble := stage.end():
                print(f"The stage of the demo failed:\n{trouble}", file=sys.stderr)
        if keep:
            print(f"The hive stays in {folder}: hivetui demo --keep {folder} opens it again.")
    return status
