"""The console and verbs beside the service of their hive: they are its clients, and say when it does not answer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hivetui.engine.hive import LocalHive
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.console.conftest import Terminal
from tests.hanging_git import HangingGit
from tests.service.conftest import EngineProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def open_console(engine: EngineProcess) -> Iterator[Callable[..., Terminal]]:
    """Opens the console of the hive that the service serves, or a verb, with these variables."""
    opened: list[Terminal] = []

    def open_one(*words: str, **variables: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), *words]
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        opened.append(Terminal(argv, environment, errors_too=bool(words), warm=True))
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


def test_a_service_that_does_not_answer_is_named_while_a_console_opens_and_q_ends_it(
    engine: EngineProcess, open_console: Callable[..., Terminal]
) -> None:
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console = open_console()
        console.until("waiting: the engine has not answered for ")
        console.type("q")
        assert console.ended() == 0
        verb = open_console("agents")
        verb.until("waiting: the engine has not answered for ", "ctrl-c ends this")
        verb.type("\x03")
        assert verb.ended() == 130
    finally:
        os.kill(engine.pid, signal.SIGCONT)


def test_a_service_that_falls_silent_is_named_in_a_console_that_asks_it_and_q_leaves(
    engine: EngineProcess, agent: EmbeddedAgent, open_console: Callable[..., Terminal]
) -> None:
    console = open_console()
    console.until("1:agents*", agent.name, "running")
    console.settle(1)  # the detail of the agent has come
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console.type("5")
        console.until("5:history*", "◌ waiting: the engine has not answered ")
        console.type("q")
        console.until("1:agents*")
        console.type("q")
        assert console.ended() == 0
    finally:
        os.kill(engine.pid, signal.SIGCONT)


async def test_what_could_not_be_loaded_while_the_line_was_away_is_loaded_when_it_is_back(
    engine: EngineProcess, agent: EmbeddedAgent, open_console: Callable[..., Terminal]
) -> None:
    proposal = await LocalHive(agent.host, OPERATOR).submit(agent.name, agent.commit("  # a line of the review\n"))
    console = open_console()
    console.until("1:agents*", agent.name, "last lines")
    console.type("2")
    console.until("2:props*", f"#{proposal.id}")
    engine.kill()
    console.until("outdated")
    console.type("\r")
    console.until(f"#{proposal.id} ", "was lost")
    engine.start()
    console.until("a line of the review", "complete")
    console.type("qq")
    console.until("1:agents*", "last lines", "turn ")


def test_a_verb_names_the_program_for_which_the_service_waits(agent: EmbeddedAgent, tmp_path: Path) -> None:
    asyncio.run(LocalHive(agent.host, OPERATOR).submit(agent.name, agent.commit("lab.note = 1;")))
    git = HangingGit(tmp_path, "diff-tree")
    engine = EngineProcess(agent.host.paths.root, PATH=git.path)
    engine.start()
    git.hang()
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), "show", "1"]
    verb = Terminal(argv, {**os.environ, "TERM": "xterm-256color"}, errors_too=True, warm=True)
    try:
        verb.until("waiting: the engine has not answered `review` for ", "`git diff-tree` has not ended")
        verb.type("\x03")
        assert verb.ended() == 130
    finally:
        verb.close()
        engine.end_if_running()
