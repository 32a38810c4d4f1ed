"""Hooks run when something happens, with the event on stdin; none that hangs or fails holds up anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hivetui.engine import slow_program
from hivetui.engine.containers import units
from hivetui.engine.model.names import container_of, port_of
from hivetui.engine.model.settings import HooksSection
from hivetui.service.hooks import AT_ONCE, Hooks
from tests.conftest import EmbeddedAgent
from tests.free_names import name_with_the_port_of
from tests.service.served import Served, serving

HOSTILE = "Fix \x1b]0;owned\x07 $(touch owned) `touch owned`; touch owned"
KEEP = 'cat > "$1/$$.part"; mv "$1/$$.part" "$1/$$.event"'


def script(folder: Path, body: str) -> tuple[str, ...]:
    """A program that runs this, with the directory in which to write as its argument."""
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return (str(path), str(folder))


def events(folder: Path) -> list[dict[str, Any]]:
    """What the hooks were given."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.event"))]


def failures(served: Served) -> list[dict[str, Any]]:
    """The failed hooks in the event log."""
    lines = served.host.paths.event_log.read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == "HookFailed"]


async def until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_reached():  # noqa: ASYNC110  (another process reaches it)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def hooked(agent: EmbeddedAgent, **section: Any) -> AsyncIterator[Served]:
    """The hive, served with these hooks, when its service follows what happens."""
    settings = agent.host.settings.model_copy(update={"hooks": HooksSection.model_validate(section)})
    async with serving(replace(agent.host, settings=settings)) as served:
        hive = await served.remote()
        async for _ in hive.watch():
            break
        await hive.close()
        yield served


async def test_a_hook_gets_the_event_as_json_and_no_shell_reads_it(agent: EmbeddedAgent, tmp_path: Path) -> None:
    async with hooked(agent, proposal=script(tmp_path, KEEP)) as served:
        proposal = await served.local.request_spawn("wanda", HOSTILE)
        await until(lambda: bool(events(tmp_path)))
        assert events(tmp_path) == [
            {
                "schema": "hivetui/1",
                "event": "proposal",
                "hive": served.local.description.title,
                "agent": "wanda",
                "proposal": proposal.id,
                "operation": None,
                "text": f"wanda #{proposal.id} spawn requested: {HOSTILE}".replace("\x1b", "‹U+001B›").replace(
                    "\x07", "‹U+0007›"
                ),
            }
        ]
        assert not [*tmp_path.glob("owned"), *Path("/").glob("owned")]


@pytest.mark.slow
async def test_the_end_of_a_deploy_runs_the_hook_of_that_end_only(agent: EmbeddedAgent, tmp_path: Path) -> None:
    async with hooked(agent, deployed=script(tmp_path, KEEP), died=("/nonexistent",)) as served:
        proposal = await served.local.submit(agent.name, agent.commit("  # a change"))
        await served.local.approve(proposal.id, proposal.commit, proposal.base)
        await until(lambda: bool(events(tmp_path)))
        (event,) = events(tmp_path)
        assert (event["event"], event["agent"], event["proposal"]) == ("deployed", agent.name, proposal.id)
        assert (await served.local.operation(event["operation"])).proposal == proposal.id


@pytest.mark.slow
async def test_a_deploy_that_fails_runs_the_hook_of_failures(agent: EmbeddedAgent, tmp_path: Path) -> None:
    async with hooked(agent, failed=script(tmp_path, KEEP), deployed=("/nonexistent",)) as served:
        proposal = await served.local.submit(agent.name, agent.commit("lab.broken = true;"))
        operation = await served.local.approve(proposal.id, proposal.commit, proposal.base)
        await until(lambda: bool(events(tmp_path)))
        (event,) = events(tmp_path)
        assert (event["event"], event["agent"], event["proposal"]) == ("failed", agent.name, proposal.id)
        assert event["operation"] == operation.id
        assert event["text"].startswith(f"{agent.name} #{proposal.id} failed: ")
        assert failures(served) == []


async def test_an_agent_that_dies_runs_the_hook_of_deaths(agent: EmbeddedAgent, tmp_path: Path) -> None:
    async with hooked(agent, died=script(tmp_path, KEEP)) as served:
        pid = units.state_of(await units.unit_states(agent.host), agent.name).main_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(events(tmp_path)))
        (event,) = events(tmp_path)
        assert (event["event"], event["agent"], event["proposal"]) == ("died", agent.name, None)
        assert agent.name in event["text"]
        assert failures(served) == []


async def test_two_agents_that_want_one_port_run_the_hook_of_collisions(agent: EmbeddedAgent, tmp_path: Path) -> None:
    other = name_with_the_port_of(agent.name)
    async with hooked(agent, collision=script(tmp_path, KEEP)) as served:
        conf = agent.host.paths.conf(agent.name)
        conf.with_name(f"{container_of(other)}.conf").write_text(conf.read_text().replace(agent.name, other))
        await until(lambda: bool(events(tmp_path)))
        (event,) = events(tmp_path)
        assert event["event"] == "collision"
        assert f"have the same port {port_of(agent.name)}" in event["text"]
        assert {agent.name, other} <= set(event["text"].split())
        assert failures(served) == []


@pytest.mark.slow
async def test_a_hook_that_hangs_is_ended_and_holds_up_nothing(agent: EmbeddedAgent, tmp_path: Path) -> None:
    hangs = script(tmp_path, 'echo $$ > "$1/pid"; trap "" TERM; sleep 600 & sleep 600')
    async with hooked(agent, proposal=hangs, timeout=3) as served:
        number = await served.proposal("wanda")
        await until((tmp_path / "pid").exists)
        await served.proposal("wim")
        await served.local.withdraw(number)
        assert failures(served) == []  # it hangs still, and all that was done meanwhile
        await until(lambda: len(failures(served)) == 2)
        assert "was stopped: it took longer than 3 seconds" in failures(served)[0]["text"]
        pid = (tmp_path / "pid").read_text().strip()
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
async def test_a_hook_that_takes_long_is_not_called_the_program_that_the_hive_waits_for(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    slow = script(tmp_path, f'touch "$1/started"; sleep {slow_program.SECONDS + 1}; touch "$1/ended"')
    async with hooked(agent, proposal=slow) as served:
        await served.proposal("wanda")
        await until((tmp_path / "started").exists)
        while not (tmp_path / "ended").exists():
            assert "hook" not in (slow_program.describe_slow_program() or "")
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_hook_that_fails_or_is_not_there_is_an_entry_of_the_event_log(
    agent: EmbeddedAgent, tmp_path: Path
) -> None:
    for name, argv, told in (
        ("wanda", script(tmp_path, "cat >&2; exit 3"), "ended with status 3: {"),
        ("wim", (str(tmp_path / "missing"),), "is not installed"),
        ("willy", (str(tmp_path),), "could not be run"),
    ):
        async with hooked(agent, proposal=argv) as served:
            number = await served.proposal(name)
            await until(lambda: any(one["proposal"] == number for one in failures(served)))  # noqa: B023
            assert told in failures(served)[-1]["text"]
            await served.local.withdraw(number)


@pytest.mark.slow
async def test_a_burst_of_events_runs_a_hook_for_each_and_a_few_at_a_time(agent: EmbeddedAgent, tmp_path: Path) -> None:
    counting = 'mkdir "$1/running.$$"; set -- "$1" "$1"/running.*; echo $(($# - 1)) >> "$1/counts"; sleep 0.1'
    body = f'{counting}; cat > "$1/$$.event"; rmdir "$1/running.$$"'
    async with hooked(agent, proposal=script(tmp_path, body)) as served:
        numbers = [await served.proposal(f"burst{number}") for number in range(15)]
        await until(lambda: len(list(tmp_path.glob("*.event"))) == 15 and not list(tmp_path.glob("running.*")))
        assert sorted(event["proposal"] for event in events(tmp_path)) == numbers
        assert max(map(int, (tmp_path / "counts").read_text().split())) <= AT_ONCE


@pytest.mark.slow
async def test_of_several_engines_one_runs_the_hooks(agent: EmbeddedAgent, tmp_path: Path) -> None:
    async with hooked(agent, proposal=script(tmp_path, KEEP)) as served:
        another = asyncio.create_task(Hooks(served.local).run())
        await asyncio.sleep(0.2)
        await served.proposal("wanda")
        await until(lambda: bool(events(tmp_path)))
        await served.proposal("wim")
        await until(lambda: len(events(tmp_path)) > 1)
        another.cancel()
        await asyncio.gather(another, return_exceptions=True)
        assert len(events(tmp_path)) == 2
