"""The process that runs a demo: `python -m hivetui.demo.stage FOLDER [--keep] [--pace SECONDS]`.

It starts the agents and the manager, and waits for the end of its standard input, which comes when the console has
ended, even if it was killed. Then it stops what runs in the directory and, without --keep, removes it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from hivetui.embedded.hive import open_embedded_hive
from hivetui.engine import python_warnings
from hivetui.engine.hive import LocalHive
from hivetui.engine.host.operators import from_environment
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import HiveError, Stale
from hivetui.engine.model.operations import Operation, OperationKind, OperationState
from hivetui.engine.model.settings import DeploySection, Settings
from hivetui.engine.operations import worker_process
from hivetui.engine.operations.directory import all_directories

from . import home
from .cast import Cast, as_listed, cast
from .manager import Manager, manager_at_door
from .memory import Memory

PACE_SECONDS = 35.0
"""Between two proposals: long enough to read one, and short enough not to wait."""
BUILD_SECONDS = "2.5"
"""How long a build of the demo takes, so that it can be watched."""
_END_SECONDS = 10.0


async def open_hive(folder: Path, repair: bool = True) -> LocalHive:
    """The hive of a demo, for the operator of this process."""
    os.environ.setdefault("HIVETUI_EMBEDDED_BUILD_SECONDS", BUILD_SECONDS)
    settings = Settings(deploy=DeploySection(health_seconds=1))
    return await open_embedded_hive(folder, settings, from_environment(os.environ), repair)


class Stage:
    """Starts the agents of a cast by operations, as an operator would."""

    def __init__(self, opened: LocalHive, who: Cast, memory: Memory) -> None:
        self._hive, self._who, self._memory = opened, who, memory

    async def start(self, manager: Manager) -> None:
        """The first agent and the first proposal come first; then the others, two at a time for small machines."""
        await self.start_agent(self._who.reader)
        await manager.submit_first()
        await asyncio.gather(self._collide(), self.start_agent(self._who.writer))
        await self.start_agent(names.MANAGER)

    async def _collide(self) -> None:
        """Two agents with one port: the first one is stopped, since only one of them can run."""
        states = await self._states()
        if states.get(self._who.late, AgentState.KEPT) is AgentState.KEPT and await self._spawn(self._who.late):
            await self._run(OperationKind.STOP, self._who.late)
        await self.start_agent(self._who.early)

    async def start_agent(self, name: str) -> None:
        """Spawn it, or start it where it was kept from an earlier demo; nothing if the person has destroyed it."""
        state = (await self._states()).get(name, AgentState.KEPT)
        if state is AgentState.KEPT:
            await self._spawn(name)
        elif state in (AgentState.STOPPED, AgentState.FAILED):
            await self._run(OperationKind.START, name)

    async def _spawn(self, name: str) -> bool:
        """Spawn an agent that this demo has not spawned before; whether that was done."""
        if self._memory.has_spawned(name) or not await self._run(OperationKind.SPAWN, name):
            return False
        self._memory.note_spawned(name)
        return True

    async def _states(self) -> dict[str, AgentState]:
        return {agent.name: agent.state for agent in await self._hive.agents()}

    async def _run(self, kind: OperationKind, name: str) -> bool:
        """Run an operation to its end; whether it succeeded."""
        try:
            return await self._ended(await self._hive.begin(kind, name))
        except HiveError as refusal:  # the operator was faster, or another hive has the port: the console tells it too
            print(f"{kind} {name}: {refusal}", flush=True)
            return False

    async def _ended(self, operation: Operation) -> bool:
        async for _ in self._hive.follow(operation.id):
            pass
        if (found := await self._hive.operation(operation.id)).state is not OperationState.SUCCEEDED:
            print(f"{found.kind} {found.agent}: {found.error}", flush=True)
        return found.state is OperationState.SUCCEEDED


async def play(folder: Path, pace: float) -> None:
    """Open the hive, bring it up, propose until cancelled."""
    opened = await open_hive(folder)
    known = {agent.name for agent in await opened.agents()}
    memory = Memory(folder)
    who = memory.cast or cast(opened.host, as_listed, known)
    memory.begin(who, known)
    done = len(await opened.proposals(decided=True))
    async with manager_at_door(opened, who, pace) as manager:
        await Stage(opened, who, memory).start(manager)
        await manager.run(max(1, done))


async def end_operations(folder: Path) -> None:
    """Cancel what runs, and wait until it has ended and no process of an operation is left."""
    opened = await open_hive(folder, repair=False)
    running = [one for one in await opened.operations() if not one.state.ended]
    for one in running:
        try:
            await opened.cancel(one.id)
        except Stale:
            continue  # it has just ended
    async with asyncio.timeout(_END_SECONDS):
        for one in running:
            async for _ in opened.follow(one.id):
                pass
    for directory in all_directories(opened.host.paths):
        worker_process.wait_for_exit(directory, _END_SECONDS)


async def _until_alone(folder: Path, pace: float) -> None:
    """Play until the console is gone, or until something here fails."""
    loop = asyncio.get_running_loop()
    alone = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, alone.set)
    loop.add_reader(sys.stdin.fileno(), _read_on, alone)
    waiting, playing = asyncio.create_task(alone.wait()), asyncio.create_task(play(folder, pace))
    await asyncio.wait((waiting, playing), return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(sys.stdin.fileno())
    if playing.done():
        playing.result()
    playing.cancel()
    await asyncio.wait((playing,))
    await end_operations(folder)


def _read_on(alone: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        alone.set()


def main(argv: list[str]) -> int:
    """Be the stage; the exit status."""
    python_warnings.hide()
    parser = argparse.ArgumentParser(prog="python -m hivetui.demo.stage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--pace", type=float, default=PACE_SECONDS)
    words = parser.parse_args(argv)
    try:
        asyncio.run(_until_alone(words.folder, words.pace))
    finally:
        home.clear(words.folder, words.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
