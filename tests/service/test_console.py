"""The console beside the service of its hive: it is its client, unless the settings say that it is to be none."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import EmbeddedAgent
from tests.console.conftest import Terminal
from tests.service.conftest import EngineProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def open_console(engine: EngineProcess) -> Iterator[Callable[..., Terminal]]:
    """Opens the console of the hive that the service serves, with these variables."""
    opened: list[Terminal] = []

    def open_one(**variables: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder)]
        opened.append(Terminal(argv, {**os.environ, "TERM": "xterm-256color", **variables}, warm=True))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_a_console_that_is_to_use_no_service_has_an_engine_of_its_own(
    engine: EngineProcess, agent: EmbeddedAgent, open_console: Callable[..., Terminal]
) -> None:
    """The service answers nobody meanwhile, and would be waited for."""
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console = open_console(HIVETUI_ENGINE__SERVICE="never")
        console.until(agent.name, "running")
        console.type("Q")
        assert console.ended() == 0
    finally:
        os.kill(engine.pid, signal.SIGCONT)
