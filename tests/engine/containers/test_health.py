"""The health check: a container that does not come up, or not for long, is reported with the cause first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivetui.engine.containers import health, nixos_container
from hivetui.engine.host.host import Command, Completed, Host, LineSink
from hivetui.engine.model.errors import OperationFailed
from hivetui.engine.model.names import container_of
from hivetui.wire.errors import to_json
from tests.engine.embedded_host import create_container
from tests.free_names import free_name
from tests.runners import WrappedRunner

if TYPE_CHECKING:
    from tests.engine.embedded_host import Repos
    from tests.recording_progress import RecordingProgress


async def test_a_container_that_cannot_start_is_reported_with_the_cause(
    embedded: Host, progress: RecordingProgress, iris: Repos
) -> None:
    await create_container(embedded, progress)
    embedded.paths.profile("iris").unlink()
    with pytest.raises(OperationFailed, match=f"{container_of('iris')} did not come up") as caught:
        await health.start_and_verify(embedded, progress, "iris", 1)
    assert "No such file" in caught.value.why.splitlines()[0], "the cause comes first"


@pytest.mark.parametrize(("message", "shown"), [(r"panic: \366", "panic: ‹\\xf6›"), (r"panic: \\xf6", "panic: \\xf6")])
async def test_a_byte_in_a_log_and_the_letters_of_its_escape_are_two_reasons(
    embedded: Host, progress: RecordingProgress, iris: Repos, tmp_path: Path, message: str, shown: str
) -> None:
    await create_container(embedded, progress)
    embedded.paths.profile("iris").unlink()
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(f"#!/bin/sh\nprintf '{message}\\n'\n")
    journalctl.chmod(0o755)
    host = replace(embedded, tools=replace(embedded.tools, journalctl=(str(journalctl),)))
    with pytest.raises(OperationFailed) as caught:
        await health.start_and_verify(host, progress, "iris", 1)
    assert caught.value.why.splitlines()[0] == shown
    assert to_json(caught.value)["why"] == caught.value.why


async def test_a_container_that_does_not_stay_up_is_reported(
    embedded: Host, progress: RecordingProgress, make_repos: Callable[[str], Repos]
) -> None:
    name = make_repos(free_name()).name
    await create_container(embedded, progress, name)

    class EndsTheAgent(WrappedRunner):
        """Ends the agent as soon as somebody looks at it the second time."""

        looks = 0

        async def run(self, command: Command, sink: LineSink | None = None) -> Completed:
            if "container@*" in command.argv:
                self.looks += 1
                if self.looks == 2:
                    await nixos_container.stop(embedded, progress, name)
            return await super().run(command, sink)

    with pytest.raises(OperationFailed, match="did not stay up"):
        await health.start_and_verify(replace(embedded, runner=EndsTheAgent(embedded.runner)), progress, name, 30)
