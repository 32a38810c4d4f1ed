import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from hivetui.engine.host.host import Command, Completed, Host
from hivetui.engine.host.output import LONGEST_LINE
from hivetui.engine.host.paths import Paths
from hivetui.engine.host.procfs import process_stat
from hivetui.engine.host.runner import ProcessRunner, command_failed, run_checked
from hivetui.engine.model.errors import CommandFailed, NotAllowed, Unavailable
from hivetui.engine.model.settings import Settings

Told = list[tuple[str, str, int]]


async def run(
    *argv: str, timeout: float | None = None, stdin: bytes = b"", grace: float = 5.0, keep: int = 1 << 20
) -> tuple[Completed, Told]:
    told: Told = []
    command = Command(argv, timeout=timeout, stdin=stdin, keep=keep)
    completed = await ProcessRunner(grace=grace).run(
        command, lambda stream, text, cut: told.append((stream, text, cut))
    )
    return completed, told


def shell(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", script)


def python(script: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", script)


def runs(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat.is_running


async def written(path: Path) -> int:
    """The number that a program writes there."""
    async with asyncio.timeout(20):
        while not (path.exists() and path.read_text().endswith("\n")):  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(0.01)
    return int(path.read_text())


async def test_both_streams_are_told_apart_and_kept() -> None:
    completed, told = await run(*shell("echo out; echo err >&2; exit 3"))
    assert (completed.status, completed.stdout, completed.stderr) == (3, b"out\n", b"err\n")
    assert sorted(told) == [("stderr", "err", 0), ("stdout", "out", 0)]


async def test_input_larger_than_a_pipe_comes_back() -> None:
    data = b"0123456789abcdef" * 100_000
    completed, _ = await run("cat", stdin=data, keep=len(data))
    assert completed.stdout == data


async def test_without_input_a_program_reads_an_end() -> None:
    assert (await run("cat"))[0].stdout == b""


async def test_empty_lines_and_a_last_line_without_an_end_are_told() -> None:
    _, told = await run("printf", r"a\n\nb\r\n\nlast")
    assert [text for _, text, _ in told] == ["a", "", "b", "", "last"]


async def test_a_line_that_comes_in_pieces_is_one_line() -> None:
    script = "import sys,time\nfor part in ('on', 'e\\ntw', 'o\\n'):\n print(part, end='', flush=True); time.sleep(.02)"
    _, told = await run(*python(script))
    assert [text for _, text, _ in told] == ["one", "two"]


async def test_a_line_without_an_end_is_cut_and_the_rest_counted() -> None:
    count = 1_000_000
    _, told = await run(*python(f"print('é' * {count}); print('next')"))
    [(_, text, cut), after] = told
    assert set(text) == {"é"}
    assert len(text.encode()) <= LONGEST_LINE
    assert len(text) + cut == count
    assert after == ("stdout", "next", 0)


async def test_undecodable_bytes_are_escaped() -> None:
    _, told = await run("printf", r"a\377b\n")
    assert told == [("stdout", r"a\xffb", 0)]


async def test_only_the_end_of_a_stream_is_kept_though_every_line_is_told() -> None:
    completed, told = await run("seq", "100000", keep=20)
    assert completed.stdout == b"\n99998\n99999\n100000\n"[-20:]
    assert [text for _, text, _ in told] == [str(number) for number in range(1, 100_001)]


async def test_nothing_is_kept_when_nothing_is_to_be_kept() -> None:
    assert (await run("echo", "a", keep=0))[0].stdout == b""


async def test_a_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    completed, told = await run(*shell(f"sleep 1000 & echo $! > {pid}; echo begun; wait"), timeout=0.5)
    assert completed.timed_out
    assert completed.status == -signal.SIGTERM
    assert told == [("stdout", "begun", 0)]
    assert not runs(await written(pid))


async def test_who_ignores_the_first_signal_gets_the_second() -> None:
    began = time.monotonic()
    completed, _ = await run(*shell("trap '' TERM; while :; do sleep 0.05; done"), timeout=0.3, grace=0.3)
    assert completed.status == -signal.SIGKILL
    assert time.monotonic() - began < 10


async def test_what_a_program_says_while_it_is_ended_is_told() -> None:
    script = "trap 'echo cleaned up; exit 5' TERM; echo begun; while :; do sleep 0.05; done"
    completed, told = await run(*shell(script), timeout=0.5)
    assert completed.status == 5
    assert told[-1] == ("stdout", "cleaned up", 0)


async def test_a_cancel_ends_the_group_and_waits_for_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    running = asyncio.ensure_future(run(*shell(f"sleep 1000 & echo $! > {pid}; wait")))
    grandchild = await written(pid)
    running.cancel()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not runs(grandchild)


async def test_a_descendant_that_left_the_group_is_ended_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    running = asyncio.ensure_future(run(*shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & wait")))
    stray = await written(pid)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(10):
        while runs(stray):  # noqa: ASYNC110  the kernel ends it in its own time
            await asyncio.sleep(0.01)


async def test_a_grandchild_that_holds_the_pipe_does_not_hang_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with asyncio.timeout(20):
        completed, told = await run(*shell(f"sleep 1000 & echo $! > {pid}; echo done"))
    assert (completed.status, completed.timed_out, told) == (0, False, [("stdout", "done", 0)])
    assert not runs(await written(pid))


async def test_a_program_of_another_session_that_holds_the_pipe_does_not_hang_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with asyncio.timeout(20):
        completed, _ = await run(*shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & echo done"))
    assert completed.stdout == b"done\n"
    os.kill(await written(pid), signal.SIGKILL)  # a service that a program started: it is left alone


async def test_a_sink_that_fails_ends_the_program_and_is_told(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def sink(stream: str, text: str, cut: int) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError, match="begun"):
        await ProcessRunner().run(Command(shell(f"echo $$ > {pid}; echo begun; sleep 1000")), sink)
    assert not runs(await written(pid))


async def test_a_program_that_is_not_there_is_told_with_a_way_to_have_it(tmp_path: Path) -> None:
    command = Command(("nixos-container", "list"), env={"PATH": str(tmp_path)})
    with pytest.raises(Unavailable) as missing:
        await ProcessRunner().run(command)
    assert "nixos-container is not installed" in missing.value.what
    assert "boot.enableContainers" in missing.value.fix


async def test_a_file_that_is_no_program_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "data").touch(0o644)
    with pytest.raises(NotAllowed, match="data could not be run"):
        await ProcessRunner().run(Command((str(tmp_path / "data"),)))


async def test_a_missing_folder_is_not_told_as_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such directory"):
        await ProcessRunner().run(Command(("true",), cwd=tmp_path / "gone"))


async def test_the_environment_is_the_hosts_unless_a_command_has_its_own() -> None:
    runner = ProcessRunner({"PATH": os.environ["PATH"], "A": "host"})
    assert (await runner.run(Command(("sh", "-c", "echo $A")))).text == "host\n"
    assert (await runner.run(Command(("/bin/sh", "-c", "echo $A"), env={"A": "own"}))).text == "own\n"


async def test_a_child_cannot_reach_our_session() -> None:
    completed, _ = await run(*python("import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"))
    assert completed.text == "True\n"


async def test_descriptors_are_given_back() -> None:
    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    await run("true")
    before = count()
    await asyncio.gather(*(run("echo", str(number)) for number in range(20)))
    with pytest.raises(Unavailable):
        await run("no-such-program")
    assert count() == before


async def test_a_flood_leaves_the_loop_free() -> None:
    longest, done = 0.0, asyncio.Event()

    async def beat() -> None:
        nonlocal longest
        while not done.is_set():
            at = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - at)

    beating = asyncio.ensure_future(beat())
    _, told = await run("seq", "500000")
    done.set()
    await beating
    assert len(told) == 500_000
    assert longest < 1.0  # seconds, on a loaded machine; the chunk between two turns takes some milliseconds


def host(tmp_path: Path) -> Host:
    return Host(Paths(tmp_path), Settings(), ProcessRunner())


async def test_quiet_gives_what_a_program_said(tmp_path: Path) -> None:
    assert (await run_checked(host(tmp_path), Command(("echo", "yes")))).text == "yes\n"


async def test_quiet_raises_with_the_end_of_what_a_program_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as failure:
        await run_checked(host(tmp_path), Command(shell("seq 100 >&2; exit 2")))
    assert failure.value.what == "`sh -c seq 100 >&2; exit 2` ended with status 2"
    assert failure.value.why.splitlines() == [str(number) for number in range(86, 101)]


@pytest.mark.parametrize(
    ("status", "timed_out", "told"),
    [(128, False, "ended with status 128"), (-9, False, "ended by SIGKILL"), (-15, True, "longer than 3 seconds")],
)
def test_how_a_program_ended_is_told(status: int, timed_out: bool, told: str) -> None:
    command = Command(("/nix/store/abc/bin/git", "fetch", "x"), timeout=3)
    error = command_failed(Completed(command, status, b"", b"why\n", timed_out))
    assert error.what.startswith("`git fetch x` ")
    assert told in error.what
    assert error.why == "why"
