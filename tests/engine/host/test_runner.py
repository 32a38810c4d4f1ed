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

Lines = list[tuple[str, str, int]]


async def run(
    *argv: str, timeout: float | None = None, stdin: bytes = b"", grace: float = 5.0, keep: int = 1 << 20
) -> tuple[Completed, Lines]:
    lines: Lines = []
    command = Command(argv, timeout=timeout, stdin=stdin, keep=keep)
    completed = await ProcessRunner(grace=grace).run(
        command, lambda stream, text, cut: lines.append((stream, text, cut))
    )
    return completed, lines


def shell(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", script)


def python(script: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", script)


def is_running(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat.is_running


async def read_number(path: Path) -> int:
    """The number that a program writes to a file."""
    async with asyncio.timeout(20):
        while not (path.exists() and path.read_text().endswith("\n")):  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(0.01)
    return int(path.read_text())


async def test_both_streams_are_kept_apart() -> None:
    completed, lines = await run(*shell("echo out; echo err >&2; exit 3"))
    assert (completed.status, completed.stdout, completed.stderr) == (3, b"out\n", b"err\n")
    assert sorted(lines) == [("stderr", "err", 0), ("stdout", "out", 0)]


async def test_input_larger_than_a_pipe_is_passed_completely() -> None:
    data = b"0123456789abcdef" * 100_000
    completed, _ = await run("cat", stdin=data, keep=len(data))
    assert completed.stdout == data


async def test_without_input_a_program_reads_an_empty_file() -> None:
    assert (await run("cat"))[0].stdout == b""


async def test_empty_lines_and_an_unterminated_last_line_reach_the_sink() -> None:
    _, lines = await run("printf", r"a\n\nb\r\n\nlast")
    assert [text for _, text, _ in lines] == ["a", "", "b", "", "last"]


async def test_a_line_that_comes_in_pieces_is_one_line() -> None:
    script = "import sys,time\nfor part in ('on', 'e\\ntw', 'o\\n'):\n print(part, end='', flush=True); time.sleep(.02)"
    _, lines = await run(*python(script))
    assert [text for _, text, _ in lines] == ["one", "two"]


async def test_an_overlong_line_is_cut_and_what_was_cut_is_counted() -> None:
    count = 1_000_000
    _, lines = await run(*python(f"print('é' * {count}); print('next')"))
    [(_, text, cut), after] = lines
    assert set(text) == {"é"}
    assert len(text.encode()) <= LONGEST_LINE
    assert len(text) + cut == count
    assert after == ("stdout", "next", 0)


async def test_messages_for_machines_are_translated_for_the_sink_and_for_what_is_kept() -> None:
    lines: Lines = []
    command = Command(
        shell("echo out; echo one >&2; printf 'two\\377' >&2; exit 3"), translate=lambda line, cut: [(line, cut)] * 2
    )
    completed = await ProcessRunner().run(command, lambda stream, text, cut: lines.append((stream, text, cut)))
    assert (completed.stdout, completed.stderr) == (b"out\n", b"one\none\ntwo\xff\ntwo\xff\n")
    assert [text for stream, text, _ in lines if stream == "stderr"] == ["one", "one", "two\udcff", "two\udcff"]
    assert command_failed(await ProcessRunner().run(command)).why.splitlines()[:2] == ["one", "one"]


async def test_a_message_for_machines_may_stand_for_lines_of_which_each_is_cut() -> None:
    size = 3 * LONGEST_LINE
    lines: Lines = []
    command = Command(
        python(f"import sys; sys.stderr.write('x' * {size})"), translate=lambda line, cut: [(line, cut), ("next", 0)]
    )
    await ProcessRunner().run(command, lambda stream, text, cut: lines.append((stream, text, cut)))
    assert lines == [("stderr", "x" * LONGEST_LINE, size - LONGEST_LINE), ("stderr", "next", 0)]


async def test_bytes_that_are_not_utf8_are_kept_and_told_from_letters_that_look_so() -> None:
    _, lines = await run("printf", r"a\377b\n\\xff\n")
    assert lines == [("stdout", "a\udcffb", 0), ("stdout", r"\xff", 0)]


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (
            ("/usr/bin/git", "-c", "core.fsmonitor=false", "-C", "/x", "--git-dir=/x", "fetch", "-q", "y"),
            "git fetch -q",
        ),
        (
            ("/usr/bin/python", "-I", "launcher.py", "--memory", "1", "--", "git", "-c", "a=b", "ls-tree", "z"),
            "git ls-tree z",
        ),
        (("/usr/bin/env", "A=b", "/usr/bin/nix", "build", "x"), "nix build x"),
        (("/usr/bin/ssh-keygen", "-Y", "sign", "-n", "git"), "ssh-keygen -Y sign"),
        (("/usr/bin/sh", "-c", "exit 3"), "sh -c exit 3"),
        (("git",), "git"),
    ],
)
def test_a_failure_names_the_program_and_the_verb_that_failed(argv: tuple[str, ...], shown: str) -> None:
    error = command_failed(Completed(Command(argv), 3, b"", b"why\n", False))
    assert error.what == f"`{shown}` ended with status 3"


async def test_binary_data_in_the_messages_of_a_failure_is_named_once() -> None:
    written = r"b'begin\n' + bytes(range(256)) * 40 + b'\nplain\nwhy \xff'"
    script = f"import sys; sys.stderr.buffer.write({written}); sys.exit(3)"
    completed = await ProcessRunner().run(Command(python(script)))
    assert command_failed(completed).why.splitlines() == ["begin", "‹binary, 10240 bytes›", "plain", "why ‹\\xff›"]


async def test_only_the_end_of_a_stream_is_kept_but_every_line_reaches_the_sink() -> None:
    completed, lines = await run("seq", "100000", keep=20)
    assert completed.stdout == b"\n99998\n99999\n100000\n"[-20:]
    assert [text for _, text, _ in lines] == [str(number) for number in range(1, 100_001)]


async def test_nothing_is_kept_on_request() -> None:
    assert (await run("echo", "a", keep=0))[0].stdout == b""


async def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    completed, lines = await run(*shell(f"sleep 1000 & echo $! > {pid}; echo begun; wait"), timeout=0.5)
    assert completed.timed_out
    assert completed.status == -signal.SIGTERM
    assert lines == [("stdout", "begun", 0)]
    assert not is_running(await read_number(pid))


async def test_a_program_that_ignores_sigterm_is_killed() -> None:
    began = time.monotonic()
    completed, _ = await run(*shell("trap '' TERM; while :; do sleep 0.05; done"), timeout=0.3, grace=0.3)
    assert completed.status == -signal.SIGKILL
    assert time.monotonic() - began < 10


async def test_output_after_sigterm_reaches_the_sink() -> None:
    script = "trap 'echo cleaned up; exit 5' TERM; echo begun; while :; do sleep 0.05; done"
    completed, lines = await run(*shell(script), timeout=0.5)
    assert completed.status == 5
    assert lines[-1] == ("stdout", "cleaned up", 0)


async def test_a_cancellation_ends_the_group_and_waits_for_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    running = asyncio.ensure_future(run(*shell(f"sleep 1000 & echo $! > {pid}; wait")))
    grandchild = await read_number(pid)
    running.cancel()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_running(grandchild)


async def test_a_descendant_that_left_the_group_is_ended_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    running = asyncio.ensure_future(run(*shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & wait")))
    stray = await read_number(pid)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(10):
        while is_running(stray):  # noqa: ASYNC110  the kernel ends it in its own time
            await asyncio.sleep(0.01)


async def test_a_grandchild_that_holds_the_pipe_does_not_block_the_runner(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with asyncio.timeout(20):
        completed, lines = await run(*shell(f"sleep 1000 & echo $! > {pid}; echo done"))
    assert (completed.status, completed.timed_out, lines) == (0, False, [("stdout", "done", 0)])
    assert not is_running(await read_number(pid))


async def test_a_program_of_another_session_that_holds_the_pipe_does_not_block_the_runner(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with asyncio.timeout(20):
        completed, _ = await run(*shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & echo done"))
    assert completed.stdout == b"done\n"
    os.kill(await read_number(pid), signal.SIGKILL)  # a service that a program started: it is left alone


async def test_a_sink_that_raises_ends_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def sink(stream: str, text: str, cut: int) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError, match="begun"):
        await ProcessRunner().run(Command(shell(f"echo $$ > {pid}; echo begun; sleep 1000")), sink)
    assert not is_running(await read_number(pid))


async def test_a_missing_program_is_refused_with_a_way_to_install_it(tmp_path: Path) -> None:
    command = Command(("nixos-container", "list"), env={"PATH": str(tmp_path)})
    with pytest.raises(Unavailable) as missing:
        await ProcessRunner().run(command)
    assert "nixos-container is not installed" in missing.value.what
    assert "boot.enableContainers" in missing.value.fix


async def test_a_file_that_is_not_executable_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "data").touch(0o644)
    with pytest.raises(NotAllowed, match="data could not be run"):
        await ProcessRunner().run(Command((str(tmp_path / "data"),)))


async def test_a_missing_working_directory_is_not_reported_as_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such directory"):
        await ProcessRunner().run(Command(("true",), cwd=tmp_path / "gone"))


async def test_the_environment_is_that_of_the_host_unless_a_command_has_its_own() -> None:
    runner = ProcessRunner({"PATH": os.environ["PATH"], "A": "host"})
    assert (await runner.run(Command(("sh", "-c", "echo $A")))).text == "host\n"
    assert (await runner.run(Command(("/bin/sh", "-c", "echo $A"), env={"A": "own"}))).text == "own\n"


async def test_a_child_cannot_reach_our_session() -> None:
    completed, _ = await run(*python("import os; print(os.getsid(0) == os.getpid() == os.getpgid(0))"))
    assert completed.text == "True\n"


async def test_no_descriptor_is_left_open() -> None:
    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    await run("true")
    before = count()
    await asyncio.gather(*(run("echo", str(number)) for number in range(20)))
    with pytest.raises(Unavailable):
        await run("no-such-program")
    assert count() == before


async def test_a_flood_of_output_does_not_block_the_event_loop() -> None:
    longest, done = 0.0, asyncio.Event()

    async def beat() -> None:
        nonlocal longest
        while not done.is_set():
            at = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - at)

    beating = asyncio.ensure_future(beat())
    _, lines = await run("seq", "500000")
    done.set()
    await beating
    assert len(lines) == 500_000
    assert longest < 1.0  # seconds, on a loaded machine; the chunk between two turns takes some milliseconds


def host(tmp_path: Path) -> Host:
    return Host(Paths(tmp_path), Settings(), ProcessRunner())


async def test_a_checked_run_returns_the_output(tmp_path: Path) -> None:
    assert (await run_checked(host(tmp_path), Command(("echo", "yes")))).text == "yes\n"


async def test_a_checked_run_raises_with_the_end_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as failure:
        await run_checked(host(tmp_path), Command(shell("seq 100 >&2; exit 2")))
    assert failure.value.what == "`sh -c seq 100 >&2; exit 2` ended with status 2"
    assert failure.value.why.splitlines() == [str(number) for number in range(86, 101)]


@pytest.mark.parametrize(
    ("status", "timed_out", "end"),
    [(128, False, "ended with status 128"), (-9, False, "killed by SIGKILL"), (-15, True, "longer than 3 seconds")],
)
def test_an_error_says_how_the_program_ended(status: int, timed_out: bool, end: str) -> None:
    command = Command(("/nix/store/abc/bin/git", "fetch", "x"), timeout=3)
    error = command_failed(Completed(command, status, b"", b"why\n", timed_out))
    assert error.what.startswith("`git fetch x` ")
    assert end in error.what
    assert error.why == "why"
