import asyncio
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from hivetui.engine import forced_exit
from hivetui.engine.host.host import Command
from hivetui.engine.host.output import CHUNK_BYTES
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.host.runner import ProcessRunner
from hivetui.engine.model.errors import CommandFailed, Unavailable

ENDLESS = Command(("sh", "-c", "echo $$; while :; do echo more; done"))
SILENT = Command(("sh", "-c", "echo $$; sleep 1000 & wait"))


def is_running(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat.is_running


def test_a_reader_that_leaves_ends_the_program() -> None:
    async def leave() -> int:
        async with aclosing(ProcessRunner().stream(ENDLESS)) as chunks:
            return int((await anext(chunks)).split()[0])

    pid = asyncio.run(leave())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_cancelled_reader_ends_the_whole_group() -> None:
    pids: asyncio.Queue[int] = asyncio.Queue()

    async def read() -> None:
        script = "sleep 1000 & echo $$ $!; wait"
        async with aclosing(ProcessRunner().stream(Command(("sh", "-c", script)))) as chunks:
            async for chunk in chunks:
                for pid in chunk.split():
                    pids.put_nowait(int(pid))

    reading = asyncio.ensure_future(read())
    leader, child = await pids.get(), await pids.get()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not is_running(leader)
    assert not is_running(child)


async def test_a_forced_exit_ends_a_program_that_is_followed() -> None:
    source = ProcessRunner().stream(SILENT)
    pid = int(await anext(source))
    forced_exit.kill_children()
    with pytest.raises(CommandFailed, match="killed by SIGKILL"):
        await anext(source)
    assert not is_running(pid)


async def test_a_program_waits_for_a_reader_that_is_slow(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    script = f"for n in 1 2 3 4; do head -c {CHUNK_BYTES} /dev/zero; echo $n >> {progress}; done"
    async with aclosing(ProcessRunner().stream(Command(("sh", "-c", script)))) as chunks:
        await anext(chunks)
        assert not progress.exists() or progress.read_text() == "1\n"
        total = CHUNK_BYTES * 4
        assert sum([len(chunk) async for chunk in chunks]) < total
    assert progress.read_text() == "1\n2\n3\n4\n"


async def test_a_failure_is_raised_after_the_output_with_what_the_program_wrote_to_stderr() -> None:
    source = ProcessRunner().stream(Command(("sh", "-c", "echo some; echo no good >&2; exit 3")))
    assert await anext(source) == b"some\n"
    with pytest.raises(CommandFailed, match="no good"):
        await anext(source)


async def test_a_flood_of_messages_neither_blocks_the_program_nor_is_kept() -> None:
    script = "seq 1 200000 >&2; echo done; exit 1"
    source = ProcessRunner().stream(Command(("sh", "-c", script)))
    assert await anext(source) == b"done\n"
    with pytest.raises(CommandFailed) as failure:
        await anext(source)
    assert failure.value.why.endswith("\n200000")
    assert len(failure.value.why) < 4096


async def test_a_timeout_ends_the_program_and_names_it() -> None:
    source = ProcessRunner().stream(Command(("/bin/sh", "-c", "echo $$; sleep 1000"), timeout=0.2))
    pid = int(await anext(source))
    with pytest.raises(CommandFailed) as failure:
        await anext(source)
    assert failure.value.what == "`sh -c echo $$; sleep 1000` was stopped: it wrote nothing for 0.2 seconds"
    assert not is_running(pid)


async def test_a_missing_program_is_refused() -> None:
    with pytest.raises(Unavailable):
        async for _ in ProcessRunner().stream(Command(("no-such-program",))):
            pass
