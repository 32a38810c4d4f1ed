"""A console whose engine is killed or hangs: what it says of an act, what is kept of it, and what is shown as old."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from hivetui.cli import parser
from hivetui.cli.console_engine import ConsoleEngine
from hivetui.client.child_engine import ChildEngine
from hivetui.client.transports import CHILD_SECONDS
from hivetui.client.unix_socket import ANSWER_SECONDS
from hivetui.console.state import FollowedState
from hivetui.engine.hive import LocalHive
from hivetui.engine.model.operations import OperationState
from hivetui.engine.model.proposals import ProposalState
from hivetui.engine.operations import store
from hivetui.engine.operations.directory import OperationDirectory, directory_of
from tests.conftest import OPERATOR, EmbeddedAgent
from tests.console.conftest import Terminal
from tests.hanging_git import HangingGit
from tests.service.conftest import EngineProcess, over_ssh
from tests.ssh_server import SshServer, needs_sshd
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
BUSY = 4
"""How many times slower a busy machine is."""
Open = Callable[..., Terminal]


@pytest.fixture
def open_program(engine: EngineProcess) -> Iterator[Open]:
    """Opens the console of the hive that the service serves on a terminal of 80x24, or a verb."""
    opened: list[Terminal] = []

    def open_one(*words: str) -> Terminal:
        argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), *words]
        environment = {**os.environ, "TERM": "xterm-256color"}
        opened.append(Terminal(argv, environment, columns=80, rows=24, errors_too=bool(words), warm=True))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def _submit(agent: EmbeddedAgent, body: str = "  # changed\n") -> int:
    return asyncio.run(LocalHive(agent.host, OPERATOR).submit(agent.name, agent.commit(body))).id


def _state(agent: EmbeddedAgent, number: int) -> tuple[ProposalState, str | None]:
    proposal = asyncio.run(LocalHive(agent.host, OPERATOR).review(number)).proposal
    return proposal.state, proposal.note


def _seconds_in(text: str) -> int:
    """How long something has been waited for, as the screen says it."""
    found = re.search(r" for (\d+) s ", text)
    assert found is not None, text
    return int(found[1])


@pytest.mark.slow
def test_a_denial_without_a_line_is_refused_at_once_and_its_reason_is_there_the_next_time(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    number = _submit(agent)
    console = open_program()
    console.until("1:agents*", "turn ")
    console.type("2")
    console.until("2:props*", f"#{number} {agent.name}")
    console.type("d")
    console.until(f"Deny #{number}", "reason (required)")
    console.type("too much")
    console.until("too much")
    console.press("\x1b", gone=f"Deny #{number}")
    engine.kill()
    console.until("▲ outdated since ")
    console.type("d")
    console.until("The reason was typed before.", "too much")
    console.type(" at once")
    console.until("too much at once")
    console.press("\r", gone=f"Deny #{number}")
    console.until("`deny` was not sent")
    engine.start()
    console.gone("outdated")
    assert _state(agent, number)[0] is ProposalState.PENDING
    console.type("d")
    console.until("The reason was typed before.", "too much at once")
    console.press("\r", gone=f"Deny #{number}")
    console.until(f"#{number} denied")
    assert _state(agent, number) == (ProposalState.DENIED, "too much at once")


@pytest.mark.slow
def test_a_denial_whose_engine_hangs_and_is_killed_says_what_it_waits_for_and_is_not_made_twice(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    number = _submit(agent)
    console = open_program()
    console.until("1:agents*", "turn ")
    console.type("2")
    console.until("2:props*", f"#{number} {agent.name}")
    os.kill(engine.pid, signal.SIGSTOP)
    console.type("d")
    console.until(f"Deny #{number}")
    console.type("not now")
    console.until("not now")
    console.press("\r", gone=f"Deny #{number}")
    assert _seconds_in(console.until("◌ waiting: the engine has not answered `deny` for ")) <= 5 * BUSY
    engine.kill()
    assert _seconds_in(console.until("▲ outdated: the outcome of `deny` has been unknown for ")) <= 5 * BUSY
    engine.start()
    console.until("`deny` was not carried out", "Do it again.")
    assert _state(agent, number)[0] is ProposalState.PENDING
    console.gone("outdated")
    console.type("d")
    console.until("The reason was typed before.", "not now")
    console.press("\r", gone=f"Deny #{number}")
    console.until(f"#{number} denied")


@pytest.mark.slow
def test_a_console_that_is_closed_while_an_act_has_no_answer_says_so(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    console = open_program()
    console.until("1:agents*", agent.name, "turn ")
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console.type("x")
        console.until(f"Stop {agent.name}?")
        console.press("y", gone=f"Stop {agent.name}?")
        console.until("◌ waiting: the engine has not answered `stop` for ")
        console.type("q")
        assert console.ended() == 69
        assert "may be done or not" in console.errors
        assert "has not answered `stop` for " in console.errors
        assert console.is_restored()
    finally:
        os.kill(engine.pid, signal.SIGCONT)


@pytest.mark.slow
def test_keys_behind_one_that_asks_the_engine_first_are_for_its_dialog(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    number = _submit(agent)
    console = open_program()
    console.until("1:agents*", "turn ")
    console.type("2")
    console.until("2:props*", f"#{number} {agent.name}")
    console.type("\r")
    console.until("+++ ", "0 viewed", "d deny")
    console.settle()
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console.type("BGkjdv")
        console.until("has not answered ")
        assert "0 viewed" in console.text
        assert "Deny #" not in console.text
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    console.until("Compare with what?")
    console.when(lambda: any("›" in line and "deployed as #0" in line for line in console.text.splitlines()))
    console.press("\x1b", gone="Compare with what?")
    assert "0 viewed" in console.text
    assert "Deny #" not in console.text


@pytest.mark.slow
def test_the_dialog_of_a_spawn_can_be_left_while_the_engine_hangs(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    console = open_program()
    console.until("1:agents*", agent.name, "turn ")
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        console.type("c")
        console.until("Spawn an agent")
        console.type("newcomer")
        console.until("newcomer", "◌ waiting: the engine has not answered `advice` for ")
        console.type("\r")
        console.settle(1)
        console.press("\x1b", gone="Spawn an agent")
        console.type("q")
        assert console.ended() == 0
    finally:
        os.kill(engine.pid, signal.SIGCONT)


@pytest.mark.slow
def test_what_is_not_known_while_the_line_is_lost_is_not_shown_as_empty(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    console = open_program()
    console.until("1:agents*", "turn ")
    engine.kill()
    console.until("▲ outdated since ")
    for key, screen, said in (
        ("3", "3:ops*", "Not known yet: The connection to the engine was lost"),
        ("5", "5:hist*", "Not known yet: The connection to the engine was lost"),
        ("6", "6:warn*", ": No warnings."),
        ("4", "4:logs*", "Not read yet: The connection to the engine"),
        ("2", "2:props*", ": No pending proposals."),
    ):
        console.type(key)
        shown = console.until(screen, said)
        assert "No operations yet" not in shown
        assert "No deploys yet" not in shown
        assert ("As of " in shown) == said.startswith(":")
    console.type("f")
    console.until("pending and decided", "Not known yet: The connection")
    console.type("3")
    console.until("3:ops*", "Not known yet")
    engine.start()
    console.until("succeeded", "spawn")
    console.type("4")
    console.until("4:logs*", "turn ")


@pytest.mark.slow
def test_the_clock_of_a_running_operation_stands_still_while_the_line_is_lost(
    agent: EmbeddedAgent, engine: EngineProcess, open_program: Open
) -> None:
    local = LocalHive(agent.host, OPERATOR)

    async def approve() -> int:
        proposal = await local.submit(agent.name, agent.commit("  # changed\n"))
        return (await local.approve(proposal.id, proposal.commit, proposal.base)).id

    number = asyncio.run(approve())
    worker = _stop_worker(directory_of(agent.host.paths, number))
    try:
        console = open_program()
        console.until("1:agents*", "▶ deploy")
        console.type("o")
        console.until("▶ running", "for ")
        engine.kill()
        took = _took(console.until("▲ outdated since ", " (as of "))
        assert _took(console.settle(3)) == took
        console.type("3")
        took = _took(console.until("3:ops*", "deploy", "The ended ones are not known yet.", "running for "))
        shown = console.settle(3)
        assert _took(shown) == took
        assert re.search(rf"running for\s+{took}\b", shown)
        os.kill(worker, signal.SIGCONT)
        engine.start()
        console.until("succeeded")
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def _stop_worker(directory: OperationDirectory) -> int:
    """Stop the process of an operation as soon as it runs."""

    def is_running() -> bool:
        operation = store.load_state(directory)
        return operation is not None and operation.state is OperationState.RUNNING

    until(is_running)
    pid = directory.read_worker().pid
    os.kill(pid, signal.SIGSTOP)
    return pid


def _took(text: str) -> str:
    """How long the first operation on the screen has taken; its age, which goes on, comes behind it."""
    found = re.search(r"(?:\d+m ?)?\b\d+s\b", text)
    assert found is not None, text
    return found[0]


def test_the_end_of_an_engine_that_was_killed_is_told_by_the_name_of_the_signal(tmp_path: Path) -> None:
    child = ChildEngine(["--embedded", str(tmp_path / "h")])
    child.take()
    os.kill(child.pid, signal.SIGKILL)
    assert child.describe_end() == "It was killed by SIGKILL."
    child.end()


@pytest.mark.slow
async def test_a_console_waits_for_its_own_engine_on_a_machine_that_is_too_busy_to_start_it(tmp_path: Path) -> None:
    """It ended it after ten seconds and started another one, again and again."""
    engine = ConsoleEngine(parser.parse(["--embedded", str(tmp_path / "h")]))
    (child,) = engine._children
    os.kill(child.pid, signal.SIGSTOP)
    opening = asyncio.create_task(engine.open())
    try:
        assert not (await asyncio.wait([opening], timeout=ANSWER_SECONDS + 1))[0]
        os.kill(child.pid, signal.SIGCONT)
        hive = await asyncio.wait_for(opening, CHILD_SECONDS)
        assert await hive.agents() == ()
        assert engine._children == [child]
        await hive.close()
    finally:
        opening.cancel()
        engine.end()


@needs_sshd
@pytest.mark.slow
async def test_a_line_that_is_back_is_no_longer_lost_though_nothing_has_changed(
    engine: EngineProcess, ssh_server: SshServer
) -> None:
    hive = await over_ssh(ssh_server, engine.socket)
    followed = FollowedState(hive.description)
    async with asyncio.timeout(60):
        async for state in followed.follow(hive):
            if state.loaded and state.lost_at is None:
                ssh_server.cut()
        assert followed.state.lost_at is not None
        assert "gone" in (followed.state.problem or "")
        while followed.state.lost_at is not None:
            async with aclosing(followed.follow(hive)) as states:
                async for _ in states:
                    break
    assert followed.state.problem is None
    await hive.close()


@pytest.mark.slow
def test_a_list_as_json_that_the_engine_cannot_give_yet_says_on_a_terminal_what_it_waits_for(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    git = HangingGit(tmp_path, "diff-tree")
    engine = EngineProcess(agent.host.paths.root, PATH=git.path)
    engine.start()
    _submit(agent)
    git.hang()
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(engine.folder), "proposals", "--json"]
    begin = time.monotonic()
    verb = Terminal(argv, {**os.environ, "TERM": "xterm-256color"}, errors_too=True, warm=True)
    try:
        verb.until("waiting: the engine has not answered `proposals` for ")
        assert time.monotonic() - begin <= 5 * BUSY
        verb.until("`git diff-tree` has not ended for ")
        verb.type("\x03")
        assert verb.ended() == 130
    finally:
        verb.close()
        engine.end_if_running()


@pytest.mark.slow
def test_a_list_as_json_of_an_engine_that_is_stopped_says_on_a_terminal_what_it_waits_for(
    engine: EngineProcess, open_program: Open
) -> None:
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        verb = open_program("agents", "--json")
        verb.until("waiting: the engine has not answered for ", "ctrl-c ends this")
        assert time.monotonic() - begin <= 5 * BUSY
        verb.type("\x03")
        assert verb.ended() == 130
    finally:
        os.kill(engine.pid, signal.SIGCONT)
