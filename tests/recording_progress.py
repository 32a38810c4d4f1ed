"""A `Progress` for tests: it runs programs for real and records everything that it is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.runner import command_failed
from hivetui.engine.model.progress import BuildProgress


class RecordingProgress:
    """Steps, messages, commands (argv), output lines (stream, text) and progress of builds, each in order."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.steps: list[str] = []
        self.messages: list[str] = []
        self.commands: list[tuple[str, ...]] = []
        self.lines: list[tuple[str, str]] = []
        self.builds: list[BuildProgress] = []
        self._begun: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def step(self, name: str) -> None:
        self.steps.append(name)
        self._begun[name].set()

    async def wait_for_step(self, name: str) -> None:
        """Wait until that step begins."""
        await self._begun[name].wait()

    def say(self, text: str) -> None:
        self.messages.append(text)

    async def run(self, command: Command) -> Completed:
        self.commands.append(command.argv)
        completed = await self.host.runner.run(command, lambda stream, text, _: self.lines.append((stream, text)))
        if completed.status != 0:
            raise command_failed(completed)
        return completed

    def report_build(self, read: Callable[[], BuildProgress]) -> None:
        self.builds.append(read())
