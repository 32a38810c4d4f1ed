"""The ports of a demo's agents that others listen on: those agents cannot run, and the person is told why."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hivetui.embedded.layout import LAUNCHER
from hivetui.engine.containers import ports
from hivetui.engine.containers.ports import Listener
from hivetui.engine.model import names

_AGENT = "agent"


def describe_taken(folder: Path, agents: Collection[str]) -> str | None:
    """Which of the agents of the hive in `folder` cannot run, and who has their ports; None if all of them can."""
    wanted = {names.port_of(name): name for name in sorted(agents)}
    taken = [
        f"{wanted[port]} needs port {port}, which {owner} has"
        for port, listener in sorted(ports.listeners(set(wanted)).items())
        if (owner := _owner(listener, folder)) is not None
    ]
    return f"Not every agent of this demo can run: {'; '.join(taken)}" if taken else None


def _owner(listener: Listener, folder: Path) -> str | None:
    """Who listens, in words: another hive by its directory, else the process; None for an agent of this hive."""
    hives = {hive for pid, _ in listener.processes if (hive := _hive_of(pid)) is not None}
    if folder in hives:
        return None
    return f"the hive in {min(hives)}" if hives else listener.text


def _hive_of(pid: int) -> Path | None:
    """The directory of the embedded hive of which a process is an agent; None if it is something else."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
    except OSError:  # it has ended, or belongs to another user
        return None
    launchers = [at for at, word in enumerate(words) if word.endswith("/".join(LAUNCHER.parts[-3:]))]
    rest = [word for word in words[launchers[0] + 1 :] if not word.startswith("--")] if launchers else []
    return Path(rest[0]) if rest[1:2] == [_AGENT] else None
