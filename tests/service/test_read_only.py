"""A console with --read-only, and the engine that it starts, change nothing and say what is to be repaired."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from hivetui.cli.console_engine import child_options
from hivetui.cli.parser import parse
from hivetui.client.child_engine import ChildEngine
from hivetui.client.destinations import find_destination
from hivetui.client.hive import RemoteHive
from hivetui.client.transports import over_socket
from hivetui.embedded.layout import Layout
from hivetui.engine.host import procfs
from hivetui.engine.model.errors import NotAllowed
from hivetui.engine.model.settings import HostSection
from hivetui.engine.model.warnings import HiveWarning, WarningCode
from tests.conftest import EmbeddedAgent
from tests.console.conftest import Terminal
from tests.service.conftest import EngineProcess

PATIENCE = 60


def files_of(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Every file and directory of a hive, except for what agents write: the journal, and the time of their units."""
    found = {}
    units = Layout(folder).units
    for path in folder.rglob("*"):
        status = path.lstat()
        if "journal" not in path.parts and not stat.S_ISSOCK(status.st_mode):
            time = status.st_mtime_ns if path.parent != units else 0
            found[path] = (status.st_mode, status.st_size, time)
    return found


def leave(agent: EmbeddedAgent) -> Path:
    """What a killed git process leaves, after which the host was started again; the file that it left."""
    agent.host.paths.engine.joinpath("started-after-boot").write_bytes(b"an earlier boot")
    left = agent.host.paths.meta / ".git/index.lock"
    left.touch()
    agent.host.paths.verified.write_text("what an earlier version kept")  # which a verification replaces
    return left


async def warned(hive: RemoteHive) -> tuple[HiveWarning, ...]:
    """The warnings of the live state as soon as one is about what is not repaired."""
    async with asyncio.timeout(PATIENCE), aclosing(hive.watch()) as updates:
        async for update in updates:
            state = update.snapshot or update.change
            assert state is not None
            found = tuple(one for one in state.warnings or () if one.code is WarningCode.UNREPAIRED)
            if found:
                return found
    raise AssertionError("the stream has ended")


async def opened(agent: EmbeddedAgent, *options: str) -> tuple[ChildEngine, RemoteHive]:
    child = ChildEngine(["--embedded", str(agent.host.paths.root), *options])
    hive = RemoteHive(lambda: over_socket(child.take(), child.describe_end))
    await hive.open()
    return child, hive


async def close(child: ChildEngine, hive: RemoteHive) -> None:
    await hive.close()
    await asyncio.to_thread(child.end)


async def test_an_engine_that_is_only_to_read_gives_no_rights_where_a_service_listens(engine: EngineProcess) -> None:
    child = ChildEngine(["--embedded", str(engine.folder), "--read-only"])
    hive = RemoteHive(lambda: over_socket(child.take(), child.describe_end))
    await hive.open()
    assert hive.role == "look"
    with pytest.raises(NotAllowed):
        await hive.request_spawn("other")
    await close(child, hive)


async def test_an_engine_that_is_only_to_read_changes_nothing_and_warns_of_what_is_left(agent: EmbeddedAgent) -> None:
    folder = agent.host.paths.root
    child, hive = await opened(agent)
    await hive.wait_for_repair()
    proposal = (await hive.request_spawn("other")).id
    await close(child, hive)
    left, before = leave(agent), files_of(folder)
    child, hive = await opened(agent, "--read-only")
    assert hive.role == "look"
    (found,) = await warned(hive)
    assert found.fix == "hivetui repair"
    assert "left by a killed git process" in found.text or "middle of a change" in found.text
    assert found in await hive.warnings()
    await asyncio.gather(hive.agents(), hive.agent(agent.name), hive.proposals(decided=True, files=True, findings=True))
    await asyncio.gather(hive.review(proposal), hive.effect(proposal), hive.notes(proposal), hive.queue())
    await asyncio.gather(hive.viewed_marks(agent.name), hive.history(), hive.operations(ended=True), hive.rules())
    await asyncio.gather(hive.spawn_advice("third"), hive.verify())
    for act in (hive.repair(), hive.submit(agent.name)):
        with pytest.raises(NotAllowed):
            await act
    await close(child, hive)
    assert files_of(folder) == before

    child, hive = await opened(agent)
    await hive.wait_for_repair()
    assert not left.exists()
    assert all(one.code is not WarningCode.UNREPAIRED for one in await hive.warnings())
    await close(child, hive)
    marker = agent.host.paths.engine / "started-after-boot"
    assert marker.read_text().strip() == procfs.boot_id()


@pytest.mark.slow
def test_a_console_that_only_reads_repairs_nothing_and_lists_what_is_to_be_repaired(agent: EmbeddedAgent) -> None:
    left, folder = leave(agent), agent.host.paths.root
    argv = [sys.executable, "-m", "hivetui", "--embedded", str(folder), "--read-only"]
    console = Terminal(argv, {**os.environ, "TERM": "xterm-256color"}, warm=True)
    try:
        console.until(agent.name)
        console.type("6")
        console.until("unrepaired", "hivetui repair")
        console.type("Q")
        assert console.ended() == 0
    finally:
        console.close()
    assert left.exists()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hivetui", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_reading_makes_no_hive_and_the_service_has_clients_of_all_roles(tmp_path: Path) -> None:
    missing = tmp_path / "hive"
    assert run("--embedded", str(missing), "--read-only", "engine", "--stdio").returncode == 66
    assert not missing.exists()
    refused = run("--embedded", str(missing), "--read-only", "engine")
    assert refused.returncode == 64
    assert "The service takes no --read-only" in refused.stderr


def test_every_engine_that_a_read_only_console_starts_is_told_so() -> None:
    assert child_options(parse(["--read-only", "--root", "/x"])) == ["--root", "/x", "--read-only"]
    for section in (HostSection(), HostSection(command=("sudo", "hivetui", "engine", "--stdio"))):
        command = find_destination("lab", {"lab": section}).read_only().command
        assert command is not None
        assert command[-2:] == ("--stdio", "--read-only")
        parse(command[command.index("hivetui") + 1 :])
