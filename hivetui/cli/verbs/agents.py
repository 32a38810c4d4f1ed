"""Verbs about agents and their containers: agents, spawn, start, stop, restart, rebuild, destroy, logs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

from hivetui.cli import follow, render
from hivetui.cli.invocation import Invocation, missing_options
from hivetui.cli.line_text import line_style
from hivetui.engine.model import names
from hivetui.engine.model.agents import AgentState
from hivetui.engine.model.errors import WrongUsage
from hivetui.engine.model.logs import LogLine, LogQuery
from hivetui.engine.model.operations import Operation, OperationKind
from hivetui.engine.model.time_parsing import parse_time
from hivetui.widgets.log.binary import LOG_KIND, merge_binary_batches
from hivetui.wire.values import line_to_json, to_json


async def list_agents(invocation: Invocation) -> int:
    """Every agent and its state."""
    rows = await invocation.hive.agents()
    if invocation.out.as_json:
        invocation.out.print_json({"agents": [to_json(row) for row in rows]})
    elif rows:
        invocation.out.print_lines(render.agents(rows, invocation.now, invocation.out.width))
    else:
        invocation.out.print_line(invocation.out.complete_commands(render.NO_AGENTS))
    return 0


async def spawn(invocation: Invocation) -> int:
    """Create an agent."""
    begun = invocation.hive.begin(OperationKind.SPAWN, invocation.request.name)
    return await follow.run_operation(invocation, begun)


async def change(invocation: Invocation) -> int:
    """Start, stop or restart the named agents."""
    return await _change_each(invocation, OperationKind(invocation.request.command), invocation.request.names)


async def rebuild(invocation: Invocation) -> int:
    """Rebuild the named agents, or every agent that has a container."""
    request = invocation.request
    if bool(request.names) == request.all:
        raise WrongUsage(
            "rebuild takes names or --all", "Give one of them, not both.", "hivetui rebuild NAME, or --all"
        )
    if not request.all:
        return await _change_each(invocation, OperationKind.REBUILD, request.names)
    agents = await invocation.hive.agents()
    deployed = [agent.name for agent in agents if agent.state is not AgentState.KEPT and agent.deployed is not None]
    if deployed:
        await _confirm(invocation, "rebuild", deployed)

    async def begin(name: str) -> Operation:
        return await invocation.hive.begin(OperationKind.REBUILD, name, wait=True)

    return await follow.run_operations(invocation, deployed, begin, request.jobs)


async def _change_each(invocation: Invocation, kind: OperationKind, agents: Sequence[str]) -> int:
    async def begin(name: str) -> Operation:
        return await invocation.hive.begin(kind, name)

    agents = list(dict.fromkeys(map(names.check, agents)))
    await _confirm(invocation, kind.value, agents)
    if len(agents) == 1:
        return await follow.run_operation(invocation, begin(agents[0]))
    return await follow.run_operations(invocation, agents, begin, invocation.request.jobs)


async def _confirm(invocation: Invocation, act: str, agents: Sequence[str]) -> None:
    """Ask once for all of them; a single one that does not exist is reported before anything has to be typed."""
    is_one = len(agents) == 1
    if is_one and invocation.is_interactive:
        await invocation.hive.agent(agents[0])
    subject = agents[0] if is_one else f"{len(agents)} agents ({', '.join(agents)})"
    await invocation.confirm(act, f"{act.capitalize()} {subject}?", is_one)


async def destroy(invocation: Invocation) -> int:
    """Remove the container; with --purge, which requires the name to be typed, all data of the agent too."""
    request = invocation.request
    if not request.purge:
        await _confirm(invocation, "destroy", [names.check(request.name)])
        begun = invocation.hive.begin(OperationKind.DESTROY, request.name)
        return await follow.run_operation(invocation, begun)
    await _confirm_purge(invocation)
    return await follow.run_operation(invocation, invocation.hive.begin(OperationKind.PURGE, request.name))


async def _confirm_purge(invocation: Invocation) -> None:
    name, confirmed = invocation.request.name, invocation.request.confirm
    await invocation.hive.agent(name)  # an unknown name is reported before anything has to be typed
    if confirmed is None and invocation.is_interactive:
        question = f"Permanently delete the repos, credentials and notes of {name}? Type its name: "
        await invocation.require_answer(name, question)
    elif confirmed is None:
        why = "It cannot be undone, and no one can be asked here."
        raise missing_options("destroy --purge", f"--confirm {name}", why)
    elif confirmed != name:
        why = f"{confirmed[:40]!r} is not {name!r}."
        raise WrongUsage("The confirmation names another agent", why, f"Give --confirm {name}.")


async def logs(invocation: Invocation) -> int:
    """The agents' logs merged by time: with -f one JSON object a line, otherwise one object with all lines."""
    request = invocation.request
    query = LogQuery(
        agents=tuple(dict.fromkeys(map(names.check, request.names))),
        follow=request.follow,
        lines=request.lines,
        since=None if request.since is None else parse_time(request.since, invocation.now),
        grep=request.grep,
    )
    if invocation.out.as_json:
        await _print_json_lines(invocation, query)
        return 0
    name_width = max(map(len, query.agents))
    style = line_style(invocation.out.stdout)
    async with (
        aclosing(_stream(invocation, query)) as lines,
        aclosing(merge_binary_batches(lines, LOG_KIND)) as batches,
    ):
        async for batch in batches:
            now = invocation.now
            invocation.out.print_lines(render.log_line(line, name_width, now, style) for line in batch)
            invocation.out.flush()
    return 0


def _stream(invocation: Invocation, query: LogQuery) -> AsyncGenerator[list[LogLine], None]:
    """The lines, as a stream that its reader closes: what it runs ends before the verb does."""
    return cast("AsyncGenerator[list[LogLine], None]", invocation.hive.logs(query))


async def _print_json_lines(invocation: Invocation, query: LogQuery) -> None:
    collected: list[LogLine] = []
    async with aclosing(_stream(invocation, query)) as batches:
        async for batch in batches:
            if query.follow:
                for line in batch:
                    invocation.out.print_json(line_to_json(line))
                invocation.out.flush()
            else:
                collected += batch
    if not query.follow:
        invocation.out.print_json({"lines": [line_to_json(line) for line in collected]})
