"""A `Runner` around another one, for tests that watch or interrupt the programs that are run."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from hivetui.engine.host.host import Command, Completed, LineSink, Runner


class WrappedRunner:
    """Passes everything on; a test overrides the method that it watches."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
        return await self.runner.run(command, sink)

    def stream(self, command: Command, sink: LineSink | None = None) -> AsyncGenerator[bytes, None]:
        return self.runner.stream(command, sink)
