"""The progress of work that nobody follows."""

from __future__ import annotations

from collections.abc import Callable

from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.runner import run_checked
from hivetui.engine.model.progress import BuildProgress


class NullProgress:
    """A `Progress` that drops steps and messages. The outcome of a repair is reported when it ends."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def step(self, name: str) -> None:
        """Steps are not reported."""

    def say(self, text: str) -> None:
        """Messages are not reported."""

    async def run(self, command: Command) -> Completed:
        """Run a program; CommandFailed unless it ends with status 0."""
        return await run_checked(self._host, command)

    def report_build(self, read: Callable[[], BuildProgress]) -> None:
        """How far a build has come is not reported."""
