"""`hivetui shell NAME`: a root shell in the container of an agent, by `machinectl shell`, elsewhere over `ssh`."""

from __future__ import annotations

import asyncio
import os
import sys

from hivetui.cli.open_hive import open_hive
from hivetui.cli.open_local import open_local_hive
from hivetui.cli.parser import Request
from hivetui.cli.settings import load_settings
from hivetui.client.destinations import Destination, find_destination
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import NotAllowed, Unavailable, WrongUsage


def run(request: Request) -> int:
    """Become the shell. Unavailable for an agent that does not run, NotAllowed for who may only look."""
    asyncio.run(_require_running(request))
    if not sys.stdin.isatty():
        raise WrongUsage("A shell needs a terminal", "Standard input is none.", "Run it in a terminal.")
    argv = _argv(request)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  (it needs our terminal and our signals)
    except OSError as error:
        fix = "Install it, or log in to the host and use machinectl there."
        raise Unavailable(f"{argv[0]} could not be run", f"{error.strerror}.", fix) from error


async def _require_running(request: Request) -> None:
    hive = await open_hive(request, repair=False)
    try:
        if request.read_only or hive.role != "decide":
            why = "A shell is not for those who only look."
            raise NotAllowed(f"No shell in {request.name} is opened", why, "Ask somebody who may decide.")
        detail = await hive.agent(request.name)
    finally:
        await hive.close()
    if detail.agent.state is not AgentState.RUNNING:
        why = f"Its container is {detail.agent.state.value}."
        raise Unavailable(f"{request.name} is not running", why, f"Start it: hivetui start {request.name}")


def _argv(request: Request) -> list[str]:
    shell = ["shell", names.container_of(request.name)]
    if request.hosts:
        settings = load_settings(request, os.environ)
        return over_ssh(find_destination(request.hosts[0], settings.hosts), ["machinectl", *shell])
    if request.embedded:
        return [*asyncio.run(_embedded_machinectl(request)), *shell]
    return ["machinectl", *shell]


async def _embedded_machinectl(request: Request) -> tuple[str, ...]:
    return (await open_local_hive(request, os.environ, repair=False)).host.tools.machinectl


def over_ssh(destination: Destination, command: list[str]) -> list[str]:
    """The command that runs another one in a terminal on that host. No word of it needs quotes."""
    user, port = destination.address.user, destination.address.port
    login = [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
    return ["ssh", "-t", *login, "--", destination.address.host, *command]
