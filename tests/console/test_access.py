"""From the console to an agent itself: its web page, and a shell in its container."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from hivetui.cli.shell import over_ssh
from hivetui.client.destinations import find_destination
from hivetui.engine.model.names import page_url, port_of
from hivetui.engine.model.operations import OperationKind
from hivetui.engine.model.settings import HostSection
from tests.console.conftest import Terminal

if TYPE_CHECKING:
    from tests.console.conftest import Home, Opened, Seated


@pytest.mark.slow
async def test_w_shows_and_copies_where_the_page_of_a_running_agent_is(seated: Seated, home: Home) -> None:
    agent = min(home.agents)  # the first row
    await asyncio.to_thread(home.start, agent)
    async with seated() as seat:
        await seat.press("w")
        await seat.notified(page_url(port_of(agent)))
        assert seat.app.clipboard == page_url(port_of(agent))
        await seat.hive.begin(OperationKind.STOP, agent)
        await seat.until("○ stopped")
        await seat.press("w")
        await seat.notified(f"{agent} is not running.")


@pytest.mark.slow
def test_a_shell_takes_the_terminal_and_gives_it_back(home: Home) -> None:
    home.start(*home.agents)
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder)]
    console = Terminal(argv, home.environment, errors_too=True)
    try:
        use_a_shell(console, home)
    finally:
        console.close()


@pytest.mark.slow
def test_what_is_typed_ahead_of_a_shell_does_nothing_to_the_agent(home: Home) -> None:
    home.start(*home.agents)
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(home.folder)]
    console = Terminal(argv, home.environment, errors_too=True)
    try:
        console.until(*home.agents, "running")
        console.type("!xD")
        console.until("Connected to machine")
        console.settle()
        console.type("exit\n")
        console.until("1:agents")
        assert "Stop " not in console.settle()
        assert "Destroy " not in console.text
    finally:
        console.close()


def use_a_shell(console: Terminal, home: Home) -> None:
    agent, other = sorted(home.agents)
    console.until(*home.agents, "running")
    console.type("!")
    console.until(f"Connected to machine h-{agent}")
    assert "1:agents" not in console.text
    console.type("echo label=$HIVE_LABEL\n")
    console.until(f"label={agent}")
    console.type("sleep 600\n")
    console.settle()
    console.type("\x03")  # ends what the shell runs, and neither the shell nor the console
    home.run("stop", other)  # a change, which the console does not paint into the shell
    console.type("echo still=$((40 + 2))\n")
    console.until("still=42")
    assert "1:agents" not in console.text
    console.type("exit 3\n")
    console.until("1:agents", "stopped", f"The shell of {agent} ended with status 3.")
    home.run("start", other)
    console.type("q")
    assert console.ended() == 0
    assert console.is_restored()


@pytest.mark.slow
def test_who_only_looks_gets_no_shell(terminal: Opened, home: Home) -> None:
    home.start(*home.agents)
    looking = terminal("--read-only")
    looking.until(*home.agents)
    looking.type("!")
    looking.until("A shell is not for those who only look.")
    refused = terminal("--read-only", "shell", home.agents[0])
    assert refused.ended() == 77
    missing = terminal("shell", "nobody")
    assert missing.ended() == 66


def test_a_shell_elsewhere_is_one_over_ssh_in_a_terminal() -> None:
    lab = find_destination("lab", {"lab": HostSection(address="ops@lab.example:2222")})
    argv = ["ssh", "-t", "-l", "ops", "-p", "2222", "--", "lab.example", "machinectl", "shell", "h-iris"]
    assert over_ssh(lab, ["machinectl", "shell", "h-iris"]) == argv
    assert over_ssh(find_destination("lab", {}), ["true"]) == ["ssh", "-t", "--", "lab", "true"]
